"""What failed for good, in a browser: seen as a group, retried in vain, dropped, and brought back mended as a file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from integrations.sandbox.millionverifier.verdicts import verdict
from tests.browser.conftest import House
from tests.browser.test_looks import barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]
# Deliverable, and OpenAI refuses to write to them. Two of them twice are fewer than what stops a campaign.
ADDRESSES = [
    address
    for address in (f"person{n}.triage+refusal@acme.example" for n in range(100))
    if verdict(address).result == "ok"
][:2]


NUMBER = "tbody tr td:nth-child(2)"


def until(page: Page, address: str, place: str, text: str) -> None:
    """Load the page until it says so in that place."""
    for _ in range(100):
        page.goto(address)
        if page.locator(place).get_by_text(text, exact=True).count():
            return
        page.wait_for_timeout(300)
    raise AssertionError(f"{address} never said {text!r} in {place}")


def test_what_failed_is_retried_dropped_and_brought_back(
    house: House, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path], tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("First Name,Last Name,Company,Email\n" + "".join(f"Ida,Locke,Acme,{one}\n" for one in ADDRESSES))
    pk = json.loads(house.manage("campaign", "create", "Triage", "--csv", str(file), "--start", "--json"))["id"]
    # On a phone, and without a script: forms and links do.
    page = sign_in("olga")
    plain = page.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, viewport={"width": 390, "height": 844}, storage_state=page.context.storage_state()
    ).new_page()
    failures = f"{house.url}/admin/failures/?campaign={pk}"
    until(plain, failures, NUMBER, "2")
    row = plain.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Invalid request")
    assert plain.evaluate("document.documentElement.scrollWidth") <= 390
    picture(plain, "failures-phone")

    # The dry run leaves what the vendor would refuse again, until somebody says that its cause is mended.
    row.locator("a.hf-name").click()
    dry_run = plain.locator("#dry-run")
    expect(dry_run).to_contain_text("0 failures")
    expect(plain.get_by_role("button", name="Retry")).to_have_count(0)
    plain.get_by_role("link", name="The cause is mended").click()
    expect(dry_run).to_contain_text("2 failures")
    assert plain.evaluate("document.documentElement.scrollWidth") <= 390
    picture(plain, "failure-group-phone")

    house.manage("queue", "pause", "openai", "--reason", "to see what was put back")
    plain.get_by_label("Reason").fill("the prompt is another one")
    plain.get_by_role("button", name="Retry 2…").click()
    expect(plain.locator(".hf-confirm")).to_contain_text("Retry: ")
    plain.get_by_role("button", name="Yes: retry them").click()
    expect(plain.locator("body")).to_contain_text("2 failures put back, in 1 campaign.")
    plain.goto(failures)
    expect(plain.locator("#content")).to_contain_text("Nothing of this failed.")

    # In vain: they fail again. With a script, and with the keyboard's own wide screen.
    house.manage("queue", "resume", "openai")
    until(page, failures, NUMBER, "2")
    assert barriers(page) == []
    page.locator("tbody tr a.hf-name").click()
    assert barriers(page) == []
    page.get_by_label("Reason").fill("they refuse them all")
    picture(page, "failure-group")
    page.get_by_role("button", name="Drop 2…").click()
    expect(page.locator(".hf-confirm")).to_contain_text("A drop ends")
    page.get_by_role("button", name="Yes: drop them").click()
    expect(page.locator("body")).to_contain_text("2 failures dropped, in 1 campaign.")
    page.goto(failures)
    expect(page.locator("#content")).to_contain_text("Nothing of this failed.")

    # What was dropped is a file, with the reasons; mended, it is a new campaign's.
    page.goto(f"{house.url}/admin/campaigns/campaign/{pk}/change/")
    with page.expect_download() as download:
        page.locator('a[href*="export/?state=DROPPED"]').first.click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert text.count("dropped by olga: they refuse them all") == 2
    mended = tmp_path / "mended.csv"
    mended.write_text(text.replace("+refusal@", "+ok@"))
    second = json.loads(house.manage("campaign", "create", "Triage again", "--json"))["id"]
    page.goto(f"{house.url}/admin/campaigns/campaign/{second}/import/")
    page.get_by_label("File").set_input_files(str(mended))
    expect(page.locator("#import-preview")).to_contain_text(ADDRESSES[0].replace("+refusal@", "+ok@"))
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#import-result")).to_contain_text("2 rows: 2 taken")
    house.manage("campaign", "start", str(second))
    page.goto(f"{house.url}/admin/")
    expect(page.locator(f'[data-campaign="{second}"]')).to_contain_text("Completed", timeout=30_000)
    assert json.loads(house.manage("campaign", "status", str(second), "--json"))["leads"] == {"PUSHED": 2}
    plain.context.close()
