"""Signing in, in a browser: with a second factor, at the company's provider, and two persons who confirm."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Browser, Page, expect

from local.apps import responds
from local.processes import free_port
from local.stack import ROOT
from tests import openid
from tests.browser.conftest import PASSWORD, House
from tests.browser.test_looks import barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def code_of(key: str, ahead: int = 0) -> str:
    """What an app with this key shows now, or so many half minutes ahead."""
    totp = TOTP(base64.b32decode(key))
    totp.time = time.time() + 30 * ahead
    return f"{totp.token():06d}"


@pytest.fixture
def anna_alone(house: House) -> Iterator[None]:
    """Afterwards nobody has a second factor again."""
    yield
    house.shell(
        "from accounts import second_factor; from circuitbreakers.events import SUPERVISOR;"
        "from django.contrib.auth.models import User;"
        "second_factor.take_away(User.objects.get(username='anna'), actor=SUPERVISOR)"
    )


def test_a_second_factor_is_set_up_and_asked_for(
    house: House, sign_in: Callable[..., Page], picture: Callable[[Page, str], object], anna_alone: None
) -> None:
    page = sign_in("anna")
    page.goto(f"{house.url}/admin/account/")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    key = page.locator("#secret").inner_text()
    picture(page, "second-factor")
    assert barriers(page) == []
    factor = page.get_by_role("region", name="Second factor")
    factor.get_by_label("Your password").fill(PASSWORD)
    factor.get_by_label("Code").fill(code_of(key))
    factor.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("region", name="Your recovery codes").locator("code")).to_have_count(10)

    page.context.clear_cookies()
    page.goto(f"{house.url}/admin/")
    page.get_by_label("Username").fill("anna")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Enter the code that your authenticator app shows")).to_be_visible()
    picture(page, "login-code")
    assert barriers(page) == []
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("Code").fill(code_of(key, ahead=1))  # the one of now has served
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#hf-dashboard")).to_be_visible()


@pytest.fixture
def company(house: House) -> Iterator[tuple[str, openid.Provider]]:
    """A web process of the same house beside the first, with a company's login and the rule of two persons."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with openid.running() as provider:
        environment = {
            **house.stack.env,
            "WEB_URL": address,
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": openid.CLIENT,
            "OIDC_CLIENT_SECRET": openid.SECRET,
            "OIDC_ROLES": "groups: ops=Operator",
            "TWO_PERSONS_FOR": "forced-reset",
        }
        command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"]
        command += ["--no-control-socket", "--worker-class", "gthread", "--threads", "8"]
        web = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True)
        try:
            until = time.monotonic() + 60
            while not responds(address):
                assert time.monotonic() < until, "the second web process does not answer"
                assert web.poll() is None, "the second web process ended"
                time.sleep(0.2)
            yield address, provider
        finally:
            os.killpg(web.pid, signal.SIGTERM)
            web.wait(30)


def by_company(browser: Browser, address: str, name: str) -> Page:
    """A page of that person's own browser, signed in at the provider."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{address}/admin/recovery/")
    page.get_by_role("link", name="Sign in with your company's login").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Enter").click()
    page.wait_for_url(f"{address}/admin/recovery/")
    return page


def test_two_people_of_the_company_sign_in_and_confirm(
    house: House,
    browser: Browser,
    company: tuple[str, openid.Provider],
    picture: Callable[[Page, str], object],
) -> None:
    address, provider = company
    provider.add("ida", "ops")
    provider.add("bob", "ops")
    login = browser.new_page()
    login.goto(f"{address}/admin/")
    picture(login, "login-company")
    assert barriers(login) == []
    ida, bob = by_company(browser, address, "ida"), by_company(browser, address, "bob")

    house.shell("from circuitbreakers import gate; gate.record_failure('apollo', 'HTTP 401', 'auth')")
    ida.goto(f"{address}/admin/recovery/")
    form = ida.locator('form[action$="/recovery/reset/apollo/"]').first
    form.evaluate(
        "form => { const add = (name, value) => { let field = form.elements[name];"
        " if (!field) { field = document.createElement('input'); field.name = name; form.append(field); }"
        " if (field.type === 'checkbox') field.checked = true; else field.value = value; };"
        " add('force', '1'); add('reason', 'the page is wrong'); form.requestSubmit(); }"
    )
    expect(ida.get_by_text("Somebody else must confirm").first).to_be_visible()
    bob.goto(f"{address}/admin/recovery/")
    bob.get_by_role("link", name="waiting for a second person").click()
    expect(bob.get_by_text("ida@acme.example")).to_be_visible()
    picture(bob, "second-person")
    assert barriers(bob) == []
    bob.set_viewport_size({"width": 390, "height": 844})
    assert bob.evaluate("document.documentElement.scrollWidth") <= 390
    bob.get_by_role("button", name="Confirm: Reset Apollo by force").click()
    expect(bob.get_by_text("The apollo breaker is reset by force.")).to_be_visible()
    house.manage("queue", "resume", "--reason", "the story is over")
    for page in (login, ida, bob):
        page.context.close()
