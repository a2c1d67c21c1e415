"""Mails are read before they leave, in a browser: by keys, by hand and without a script; nothing is pushed before."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_looks import barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]
NAME = "Readers"


def waiting(house: House, folder: Path, name: str, leads: int) -> int:
    """A running campaign whose mails all wait to be read."""
    rows = ["First Name,Last Name,Title,Company,Email"]
    rows += [f"Ida{n},Locke,CTO,Acme,person{n}.{name.lower()}+ok@acme.example" for n in range(leads)]
    file = folder / f"{name}.csv"
    file.write_text("\n".join(rows))
    create = ("campaign", "create", name, "--csv", str(file), "--review", "all", "--start", "--json")
    return int(json.loads(house.manage(*create))["id"])


def pushed(house: House, pk: int) -> int:
    return int(json.loads(house.manage("campaign", "status", str(pk), "--json"))["funnel"]["pushed"])


def until_they_wait(page: Page, house: House, pk: int, number: int) -> None:
    page.goto(f"{house.url}/admin/campaigns/campaign/{pk}/change/")
    expect(page.locator("#content")).to_contain_text(f"{number} mails wait for somebody to read", timeout=30_000)


def press(page: Page, *keys: str) -> None:
    """Press keys on the page that is there: one whose script has not run yet hears none."""
    page.wait_for_load_state()
    for key in keys:
        page.keyboard.press(key)


def test_mails_are_read_by_keys_and_leave_only_then(
    house: House, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path], tmp_path: Path
) -> None:
    pk = waiting(house, tmp_path, NAME, 3)
    page = sign_in("olga")
    until_they_wait(page, house, pk, 3)
    page.get_by_role("link", name="Read", exact=True).click()
    mails = page.locator(".hf-waiting")
    expect(mails).to_have_count(3)
    assert pushed(house, pk) == 0
    picture(page, "mails-to-read")
    assert barriers(page) == []

    press(page, "j", "j")
    expect(mails.nth(1)).to_be_focused()
    press(page, "k")
    expect(mails.nth(0)).to_be_focused()
    press(page, "e")
    expect(mails.nth(0).get_by_label("Subject")).to_be_focused()
    mails.nth(0).get_by_label("Subject").fill("A better subject, a and r are letters here")
    mails.nth(0).get_by_role("button", name="Save the mail").click()
    expect(page.locator("#content")).to_contain_text("A better subject")
    expect(mails.nth(0)).to_contain_text("edited by hand")

    press(page, "j", "a")
    expect(mails).to_have_count(2)
    press(page, "j", "r")
    expect(mails).to_have_count(1)
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator("#content")).to_contain_text("No mail waits to be read.")

    page.goto(f"{house.url}/admin/campaigns/campaign/{pk}/change/")
    expect(page.locator("#content")).to_contain_text("2 of 3 leads were pushed, 1 dropped", timeout=30_000)
    assert pushed(house, pk) == 2
    assert json.loads(house.manage("reconcile", "--json"))["balanced"]


def test_on_a_phone_without_a_script_all_of_it_works(
    house: House, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path], tmp_path: Path
) -> None:
    pk = waiting(house, tmp_path, "Phones", 2)
    page = sign_in("olga")
    until_they_wait(page, house, pk, 2)
    state = page.context.storage_state()
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        storage_state=state, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    plain = context.new_page()
    plain.goto(f"{house.url}/admin/mails/?campaign={pk}")
    picture(plain, "mails-on-a-phone")
    plain.get_by_role("button", name="Approve", exact=True).first.click()
    expect(plain.locator("#content")).to_contain_text("1 mail waits to be read.")
    plain.get_by_role("button", name="Reject").click()
    expect(plain.locator("#content")).to_contain_text("No mail waits to be read.")
    context.close()


def test_a_viewer_reads_and_has_no_button(house: House, sign_in: Callable[..., Page], tmp_path: Path) -> None:
    pk = waiting(house, tmp_path, "Viewers", 2)
    page = sign_in("vera")
    until_they_wait(page, house, pk, 2)
    page.goto(f"{house.url}/admin/mails/?campaign={pk}")
    expect(page.locator(".hf-waiting")).to_have_count(2)
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    press(page, "a")
    expect(page.locator(".hf-waiting")).to_have_count(2)
    house.manage("campaign", "cancel", str(pk))
