"""The main pages, light and dark, on a phone and on a wide screen: nothing overflows, axe finds nothing serious."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import House

pytestmark = [pytest.mark.browser, pytest.mark.processes]
SIZES = {"phone": {"width": 390, "height": 844}, "wide": {"width": 1920, "height": 1080}}
AXED = {("phone", "dark"), ("wide", "light")}
PAGES = {
    "dashboard": "/admin/",
    "recovery": "/admin/recovery/",
    "campaigns": "/admin/campaigns/campaign/",
    "leads": "/admin/campaigns/lead/",
    "jobs": "/admin/campaigns/job/",
    "calls": "/admin/campaigns/vendorcall/",
    "failures": "/admin/failures/",
    "spend": "/admin/spend/",
    "person": "/admin/person/",
    "suppressions": "/admin/campaigns/suppression/",
    "suppress-many": "/admin/campaigns/suppression/import/",
    "events": "/admin/circuitbreakers/event/",
    "breakers": "/admin/circuitbreakers/breaker/",
    "breaker": "/admin/circuitbreakers/breaker/apollo/change/",
    "incidents": "/admin/circuitbreakers/incident/",
    "users": "/admin/auth/user/",
    "new-user": "/admin/auth/user/add/",
    "new-campaign": "/admin/campaigns/campaign/add/",
}


def barriers(page: Page) -> list[str]:
    """What keeps somebody out, by axe: rule, help and the first place of each."""
    found = Axe().run(page).response["violations"]
    grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {rule['help']} {rule['nodes'][0]['target']}" for rule in grave]


@pytest.fixture(scope="module")
def busy(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A paused house with something to see on every page."""
    house.fault("openai", "server_error")
    pk = house.campaign("Looks", 60, tmp_path_factory.mktemp("looks"))
    yield pk
    house.fault("openai", "none")
    house.manage("campaign", "cancel", str(pk))
    house.manage("breaker", "reset", "openai")
    house.manage("queue", "resume")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits(
    house: House, busy: int, sign_in: Callable[..., Page], picture: Callable[[Page, str], Path], size: str, scheme: str
) -> None:
    page = sign_in("anna", viewport=SIZES[size], color_scheme=scheme)
    expect(page.locator("#hf-banner")).to_contain_text("Paused since", timeout=30_000)
    more = {
        "campaign": f"/admin/campaigns/campaign/{busy}/change/",
        "pause-campaign": f"/admin/campaigns/campaign/{busy}/verb/pause/",
    }
    for name, address in {**PAGES, **more}.items():
        page.goto(f"{house.url}{address}")
        expect(page.locator("#hf-banner")).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= SIZES[size]["width"], f"{name} is {width} px wide"
        # Once in each colour scheme and at each width.
        assert (size, scheme) not in AXED or barriers(page) == [], name
        picture(page, f"{name}-{size}-{scheme}")
    page.goto(f"{house.url}/admin/circuitbreakers/incident/")
    page.locator('#content a[href*="/incident/"][href$="/change/"]').first.click()
    expect(page.locator("#content")).to_contain_text("Timeline")
    picture(page, f"incident-{size}-{scheme}")
