"""The answer comes back, in a browser: pushed, unsubscribed at the vendor, seen at the lead, said before an import."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House

pytestmark = [pytest.mark.browser, pytest.mark.processes]
NAME = "Autumn"
IDA = "person0.autumn+ok@acme.example"


def test_who_unsubscribes_is_seen_at_the_lead_and_left_out_of_the_next_import(
    house: House, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path], tmp_path: Path
) -> None:
    house.manage("instantly", "subscribe")
    pk = house.campaign(NAME, 3, tmp_path)
    page = sign_in("olga")
    expect(page.locator(f'[data-campaign="{pk}"]')).to_contain_text("Completed", timeout=30_000)

    leads = f"{house.url}/admin/campaigns/lead/?q={IDA.replace('+', '%2B')}"
    page.goto(leads)
    expect(page.locator("#result_list")).to_contain_text("Pushed")
    house.manage("sandbox", "emit", "lead_unsubscribed", IDA, "--url", house.stack.sandbox_url)

    def seen() -> bool:
        page.goto(leads)
        return page.locator("#result_list").get_by_text("Unsubscribed").count() > 0

    until(page, seen)
    expect(page.locator("#result_list")).to_contain_text("Pushed")  # it keeps its end
    picture(page, "unsubscribed")
    page.goto(f"{house.url}/admin/campaigns/campaign/{pk}/change/")
    expect(page.locator("#content")).to_contain_text("unsubscribed 1")
    page.goto(f"{house.url}/admin/campaigns/suppression/?q={IDA.replace('+', '%2B')}")
    expect(page.locator("#result_list")).to_contain_text(f"unsubscribed, told of campaign {pk}")

    second = json.loads(house.manage("campaign", "create", "Once more", "--json"))["id"]
    page.goto(f"{house.url}/admin/campaigns/campaign/{second}/import/")
    page.get_by_label("File").set_input_files(str(tmp_path / f"{NAME}.csv"))
    preview = page.locator("#import-preview")
    expect(preview).to_contain_text("1 suppressed")
    expect(preview).to_contain_text(f"2 written to by campaign {pk} in the last 90 days")
    picture(page, "import-foretold")
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#import-result")).to_contain_text("3 rows: 0 taken")


def test_a_file_for_a_campaign_that_has_ended_is_refused_before_it_is_read(
    house: House, sign_in: Callable[..., Page], tmp_path: Path
) -> None:
    pk = json.loads(house.manage("campaign", "create", "Over", "--json"))["id"]
    house.manage("campaign", "cancel", str(pk))
    file = tmp_path / "people.csv"
    file.write_text("First Name,Email\nAda,ada@acme.example\n")
    page = sign_in("olga")
    page.goto(f"{house.url}/admin/campaigns/campaign/{pk}/import/")
    page.get_by_label("File").set_input_files(str(file))
    expect(page.locator("#import-preview")).to_contain_text("is CANCELLED and takes no more leads")


def until(page: Page, seen: Callable[[], bool]) -> None:
    """Look again until it is seen, for at most ten seconds."""
    for _ in range(50):
        if seen():
            return
        page.wait_for_timeout(200)
    pytest.fail("it was not seen in ten seconds")
