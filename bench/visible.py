"""An operator sees the pause in a browser, without touching the page, at most 2 s after the fatal failure."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.measured import Limit, Measured
from local.drill import ENVIRONMENT, Drill
from local.stack import ROOT, Stack
from tests.browser.conftest import ARGUMENTS
from tests.conftest import NO_BROWSER, find_chromium

TRIPS = 5
LIMIT = 2.0  # seconds (docs/contract.md#timings)
PASSWORD = "correct horse battery"
USER = f"""
from django.contrib.auth.models import User
User.objects.create_superuser("bench", password="{PASSWORD}")
"""
# The browser notes by itself when the tab's title says that the system is paused.
WATCH = """
new MutationObserver(() => {
    if (!document.title.startsWith('PAUSED')) { window.pausedAt = 0; }
    else if (!window.pausedAt) { window.pausedAt = Date.now() / 1000; }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""
# Each trip loads the same file.
SAME_PEOPLE = {"CONTACT_EXCLUSIVE": "false", "CONTACT_COOLDOWN_DAYS": "0"}
OPENED = "SELECT extract(epoch FROM max(opened_at))::float FROM incidents"


def run() -> Measured:
    chromium = find_chromium()
    if not chromium:
        return Measured([Limit("a browser to look with", 0, 1, at_least=True)], notes=[NO_BROWSER])
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Stack(Path(folder), durable=True, env=ENVIRONMENT | SAME_PEOPLE) as stack,
        sync_playwright() as playwright,
    ):
        stack.manage("shell", "--verbosity", "0", "-c", USER, check=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.add_init_script(WATCH)
        page.goto(stack.web_url)
        page.get_by_label("Username").fill("bench")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("#hf-dashboard")
        drill = Drill(stack)
        waits = sorted(trip(drill, page, number) for number in range(TRIPS))
        drill.database.close()
        browser.close()
    times = {"at best s": waits[0], "median s": waits[TRIPS // 2], "at worst s": waits[-1]}
    limit = Limit("from the fatal failure to a browser that says so, at worst", waits[-1], LIMIT, "s")
    return Measured([limit], [{"trips": TRIPS, **times}])


def trip(drill: Drill, page: Page, number: int) -> float:
    """Break a vendor under load and recover; returns the seconds from the opening (Redis's clock) to the page."""
    drill.command("campaign", "create", f"Load {number}", "--csv", str(ROOT / "samples" / "people.csv"), "--start")
    drill.control("openai", {"fault": "server_error"})
    page.wait_for_function("window.pausedAt > 0", timeout=60_000)
    wait = page.evaluate("window.pausedAt") - drill.value(OPENED)
    drill.control("openai", {"fault": "none"})
    drill.command("breaker", "reset", "openai", "--reason", "bench")
    drill.until("the pause has spread", lambda: drill.stack.manage("queue", "plan").returncode == 0)
    drill.command("queue", "resume", "--reason", "bench")
    page.wait_for_function("window.pausedAt === 0", timeout=60_000)
    return float(wait)
