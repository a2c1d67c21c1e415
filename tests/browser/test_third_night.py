"""An operator on a phone at night: the next step first, wrong moves answered in a sentence, then the way back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import PASSWORD, House
from tests.browser.test_looks import barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def broken(house: House, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """OpenAI refuses our key while a campaign runs."""
    house.fault("openai", "bad_key")
    pk = house.campaign(request.node.name.split("_")[1].title(), 40, tmp_path)
    yield
    house.fault("openai", "none")
    house.manage("breaker", "reset", "openai", "--force", "--reason", "the test is over")
    house.manage("queue", "resume")
    house.stack.manage("campaign", "cancel", str(pk))  # refused if it has ended


def at_the_recovery_page(page: Page, house: House) -> Page:
    page.goto(f"{house.url}/admin/")
    expect(page.locator("#hf-next")).to_contain_text("probe and reset OpenAI", timeout=30_000)
    page.locator("#hf-next").click()
    return page


def is_in_sight(page: Page, name: str) -> bool:
    """Whether all of a button is on the screen, without scrolling."""
    box = page.get_by_role("button", name=name, exact=True).bounding_box()
    top = page.evaluate("window.innerHeight")
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= top


def main_buttons(page: Page) -> list[str]:
    return [button.inner_text() for button in page.locator("#content .hf-primary").all() if button.is_visible()]


def test_a_thumb_at_night_finds_each_step_alone_and_is_told_of_each_wrong_move(
    house: House, broken: None, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path]
) -> None:
    page = at_the_recovery_page(sign_in("olga", viewport=PHONE, timezone_id="America/New_York"), house)
    expect(page.locator("#hf-banner")).to_contain_text("here) because OpenAI refused our key")
    picture(page, "night-1-next-step")
    assert main_buttons(page) == ["Reset OpenAI"]
    assert is_in_sight(page, "Reset OpenAI")
    assert page.evaluate("document.documentElement.scrollHeight") < 2 * PHONE["height"]
    assert barriers(page) == []

    # Too early: the refusal stands where the eye is, under an address that a reload may ask for.
    page.locator("#resume > summary").click()
    page.locator("#resume").get_by_label("Reason").fill("too early")
    page.get_by_role("button", name="Resume queue & all campaigns…").click()
    note = page.locator("#resume .hf-note-error")
    expect(note).to_contain_text("Circuit breakers still open for: openai")
    expect(note).to_be_in_viewport()
    assert page.url == f"{house.url}/admin/recovery/#resume"
    picture(page, "night-2-too-early")

    # While it still fails: the probe refuses, beside the button.
    openai = page.locator("#openai")
    openai.get_by_label("Reason").first.fill("mended?")
    openai.get_by_role("button", name="Reset OpenAI").click()
    expect(page.locator("#openai .hf-note-error")).to_be_in_viewport()
    expect(page.locator("#openai .hf-note-error")).to_contain_text("Refused")

    # No network: nothing is sent, and a sentence says so.
    page.context.set_offline(True)
    expect(page.locator("#hf-stale")).to_be_visible(timeout=10_000)
    openai.get_by_role("button", name="Reset OpenAI").click()
    expect(openai.locator(".hf-note-warning")).to_contain_text("Nothing was sent")
    page.context.set_offline(False)
    expect(page.locator("#hf-stale")).to_have_count(0, timeout=10_000)

    # The session ends in the middle.
    house.fault("openai", "none")
    page.reload()
    cookies = [cookie for cookie in page.context.cookies() if cookie["name"] != "sessionid"]
    page.context.clear_cookies()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    openai.get_by_role("button", name="Reset OpenAI").click()
    if openai.locator(".hf-note-warning").is_visible():  # the page had noticed already: press again
        openai.get_by_role("button", name="Reset OpenAI").click()
    expect(page.locator("body")).to_contain_text("You were signed out, so nothing was done.")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/recovery/")

    # A double click resets once.
    openai.get_by_label("Reason").first.fill("the key is renewed")
    openai.get_by_role("button", name="Reset OpenAI").dblclick()
    expect(page.locator("#openai .hf-note-success")).to_contain_text("is reset")
    expect(page.locator("#hf-next")).to_have_text("resume the queue")
    page.locator("#hf-next").click()
    expect(page.get_by_role("button", name="Resume queue & all campaigns…")).to_be_visible()
    assert main_buttons(page) == ["Resume queue & all campaigns…"]
    assert is_in_sight(page, "Resume queue & all campaigns…")
    picture(page, "night-3-resume")
    page.locator("#resume").get_by_label("Reason").fill("the key is renewed")
    page.get_by_role("button", name="Resume queue & all campaigns…").click()
    page.get_by_role("button", name="Yes, resume queue & all campaigns").click()
    expect(page.locator("#resume .hf-note-success")).to_be_in_viewport()
    expect(page.locator("#resume .hf-note-success")).to_contain_text("Queue resumed successfully")


def test_all_of_it_works_without_javascript_and_in_two_tabs(house: House, broken: None, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False, viewport=PHONE) as context:
        page = context.new_page()
        page.goto(f"{house.url}/")
        page.get_by_label("Username").fill("otto")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        for _ in range(60):
            page.goto(f"{house.url}/admin/recovery/")
            if "refused our key" in page.locator("#hf-banner").inner_text():
                break
            page.wait_for_timeout(500)
        expect(page.locator("#content")).to_contain_text("Without JavaScript nothing here moves by itself")
        house.fault("openai", "none")
        page.locator("#openai").get_by_label("Reason").first.fill("the key is renewed")
        other = context.new_page()
        other.goto(f"{house.url}/admin/recovery/")
        for tab in (page, other):
            tab.get_by_role("button", name="Reset OpenAI").click()
        expect(page.locator("#openai .hf-note-success")).to_contain_text("is reset")
        # The second tab did not know: its press changes nothing, and says so.
        expect(other.locator("#openai .hf-note")).to_contain_text("was closed already")
        for tab in (page, other):
            tab.goto(f"{house.url}/admin/recovery/")
            tab.locator("#resume").get_by_label("Reason").fill("the key is renewed")
            tab.get_by_role("button", name="Resume queue & all campaigns…").click()
        for tab in (page, other):
            tab.get_by_role("button", name="Yes, resume queue & all campaigns").click()
            expect(tab.locator("#resume .hf-note").first).to_contain_text("Queue resumed successfully")
