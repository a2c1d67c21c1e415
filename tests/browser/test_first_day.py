"""A growth marketer's first day, in a real browser: from the login to a running campaign, with and without scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, House
from tests.browser.test_looks import barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]
# From the dashboard to a campaign that runs with all its leads, three mails read before.
CLICKS = 9


def people(folder: Path, name: str, rows: int = 12) -> str:
    """A file of people whom the sandbox finds deliverable, one without an address, and a column that says nothing."""
    lines = ["First Name,Last Name,Title,Company,Email,Shoe size"]
    lines += [f"Ida{n},Locke,CTO,Acme,person{n}.{name}+ok@acme.example,38" for n in range(rows)]
    file = folder / f"{name}.csv"
    file.write_text("\n".join([*lines, "Nobody,,,,,"]))
    return str(file)


class Finger:
    """A finger counts what it has to press."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def press(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]
        self.clicks += 1


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")])
def test_a_first_time_user_gets_from_a_file_to_a_running_campaign(
    house: House,
    sign_in: Callable[..., Page],
    picture: Callable[[Page, str], Path],
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    name = f"day-{width}-{scheme}"
    page = sign_in("olga", viewport={"width": width, "height": 900}, color_scheme=scheme)
    finger = Finger(page)

    def look(step: str) -> None:
        """Every step fits the screen and bars nobody's way."""
        expect(page.locator("#hf-banner")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, step
        assert barriers(page) == [], step
        picture(page, f"{step}-{width}-{scheme}")

    page.goto(f"{house.url}/admin/campaigns/campaign/")
    finger.press("link", "step by step")
    page.locator("input[name=name]").fill(name)
    look("guided-name")
    finger.press("button", "Next: who they are")
    page.get_by_label("CSV with a column of e-mail addresses").set_input_files(people(tmp_path, name))
    finger.clicks += 1  # the file is chosen in the browser's own window
    look("guided-people")
    finger.press("button", "Look at the file")
    expect(page.locator("#content")).to_contain_text("12 would be taken in")
    expect(page.locator("#content")).to_contain_text("Ignored: 1 column (Shoe size)")
    look("guided-file")
    page.reload()
    finger.press("button", "Take these 12 in")
    expect(page.locator("#content")).to_contain_text("As it reads for Ida0 Locke")
    look("guided-prompts")
    finger.press("button", "Save. Next: read a few mails")
    expect(page.locator("#hf-sample")).to_contain_text("At most $")
    look("guided-sample")
    finger.press("button", "Write 3 mails")
    # They come by themselves.
    expect(page.locator(".hf-mail-body")).to_have_count(3, timeout=30_000)
    expect(page.locator(".hf-sources a").first).to_have_attribute("rel", "noopener noreferrer nofollow")
    look("guided-mails")
    finger.press("button", "They read well. Next: cost and start")
    look("guided-start")
    finger.press("button", "Go on with all")
    expect(page.locator("body")).to_contain_text(f"“{name}” runs with")
    # The page follows, and agrees with the banner, without a reload.
    expect(page.locator("#hf-now")).to_contain_text("It is done: 12 of 12 leads were pushed.", timeout=60_000)
    expect(page.locator("#hf-campaign")).to_contain_text("Completed")
    expect(page.locator("#hf-banner")).not_to_contain_text("holds after its first")
    look("campaign-done")
    assert finger.clicks <= CLICKS


def test_the_whole_way_needs_no_script(house: House, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{house.url}/admin/login/")
    page.get_by_label("Username").fill("otto")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.goto(f"{house.url}/admin/campaigns/campaign/guided/")
    page.locator("input[name=name]").fill("Without scripts")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("CSV with a column of e-mail addresses").set_input_files(people(tmp_path, "plain", 4))
    page.get_by_role("button", name="Look at the file").click()
    page.get_by_role("button", name="Take these 4 in").click()
    page.get_by_label("For another lead").fill("ida2")
    page.get_by_role("button", name="Save and preview").click()
    expect(page.locator("#preview")).to_contain_text("As it reads for Ida2 Locke")
    page.get_by_role("button", name="Save. Next").click()
    page.get_by_role("button", name="Without reading any").click()
    page.get_by_role("button", name="Start with all 4").click()
    expect(page.locator("body")).to_contain_text("“Without scripts” runs with 4 leads")
    context.close()
