"""A whole Holdfast of this run's own, and browsers that fail the test when a page has a JavaScript error."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.drill import ENVIRONMENT
from local.stack import Stack

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
# A page of a machine that does three other things is late, not wrong (milliseconds; Playwright's own limit is 5,000).
expect.set_options(timeout=15_000)
PASSWORD = "correct horse battery"
PEOPLE = """
from django.contrib.auth.models import Group, User
for name, role in (("olga", "Operator"), ("otto", "Operator"), ("vera", "Viewer"), ("anna", "Admin")):
    user = User.objects.create_user(name, password="{password}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
"""
# What the browser itself logs when our poll meets a server that is away, or a refusal that a test asks for.
EXPECTED = (
    "net::ERR_",
    "htmx:sendError",
    "htmx:afterRequest",
    "status of 403",
    "status of 409",
    "status of 401",
    "status of 502",
)


class House:
    """The running stack, as somebody with a terminal sees it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.web_url

    def manage(self, *arguments: str) -> str:
        return self.stack.manage(*arguments, check=True).stdout

    def shell(self, code: str) -> str:
        return self.manage("shell", "--verbosity", "0", "-c", code)

    def fault(self, service: str, fault: str, **more: object) -> None:
        body = json.dumps({"fault": fault, "share": 1.0, "latency_ms": 20, "retry_after": None, **more}).encode()
        request = urllib.request.Request(f"{self.stack.sandbox_url}/_control/{service}", body, method="PUT")
        urllib.request.urlopen(request, timeout=5).close()

    def campaign(self, name: str, leads: int, folder: Path) -> int:
        """A running campaign with that many people of the sample."""
        rows = ["First Name,Last Name,Title,Company,Email"]
        rows += [f"Ida{n},Locke,CTO,Acme,person{n}.{name.lower()}+ok@acme.example" for n in range(leads)]
        file = folder / f"{name}.csv"
        file.write_text("\n".join(rows))
        made = json.loads(self.manage("campaign", "create", name, "--csv", str(file), "--start", "--json"))
        return int(made["id"])


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with Stack(folder, durable=False, processes=1, env=ENVIRONMENT) as stack:
        running = House(stack)
        running.shell(PEOPLE.format(password=PASSWORD))
        yield running


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Closed with the package: Playwright keeps an event loop in this thread, in which Django refuses to work."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def sign_in(browser: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """`sign_in("olga")` is a page of that user's own browser; any JavaScript error in it fails the test."""
    errors: list[str] = []
    contexts = []

    def enter(name: str, **details: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **details})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text)
                if message.type == "error" and not any(known in message.text for known in EXPECTED)
                else None
            ),
        )
        page.goto(f"{house.url}/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("#hf-dashboard")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Page, str], Path]:
    """Save a picture of the page: into the folder $SCREENSHOTS, else into the test's own."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=str(path))
        return path

    return take


def unfold(page: Page, section: str) -> None:
    """Open a section of the recovery page, if it is not."""
    if page.locator(f"#{section}").get_attribute("open") is None:
        page.locator(f"#{section} > summary").click()
