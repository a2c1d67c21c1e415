"""Whether a key will do, found out before a campaign does, and without spending anything."""

import io
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from circuitbreakers.services import SERVICES
from integrations.keys import check_all
from integrations.sandbox import Sandbox
from tests.stores import break_vendor, calls_of
from workers.startup import check_keys

pytestmark = [pytest.mark.django_db]


def with_keys(settings: Settings, key: str, *services: str) -> None:
    settings.VENDORS = {
        service: {**vendor, "api_key": key if service in services else vendor["api_key"]}
        for service, vendor in settings.VENDORS.items()
    }


def verdicts() -> dict[str, str]:
    return {found.service: found.verdict for found in check_all()}


def test_good_keys_are_accepted_and_nothing_is_spent(sandbox: Sandbox) -> None:
    assert verdicts() == dict.fromkeys(SERVICES, "ok")
    assert {call["service"] for call in calls_of(sandbox)} == set(SERVICES)
    assert sum(call["charged"] for call in calls_of(sandbox)) == 0
    assert len(sandbox.vendors[-1].workspace.leads()) == 0  # type: ignore[attr-defined]


def test_a_missing_key_is_named(sandbox: Sandbox, settings: Settings) -> None:
    with_keys(settings, "", "perplexity")
    assert verdicts() == {**dict.fromkeys(SERVICES, "ok"), "perplexity": "missing"}


def test_a_refused_key_is_named_for_every_service(sandbox: Sandbox, settings: Settings) -> None:
    # Perplexity too, whose probe asks for no key.
    with_keys(settings, "bad-key", *SERVICES)
    assert verdicts() == dict.fromkeys(SERVICES, "refused")


def test_a_key_that_may_not_do_what_campaigns_need_is_named(sandbox: Sandbox, settings: Settings) -> None:
    with_keys(settings, "unscoped-4711", *SERVICES)
    # MillionVerifier's keys have no scopes.
    assert verdicts() == {**dict.fromkeys(SERVICES, "under-scoped"), "millionverifier": "ok"}
    details = {found.service: found.detail for found in check_all()}
    assert details["apollo"].startswith("It may not search people, nor reveal people: HTTP 403: API_INACCESSIBLE")
    assert "add leads" in details["instantly"]


@pytest.mark.parametrize(
    ("fault", "verdict"), [("quota_exhausted", "no credit"), ("server_error", "no answer"), ("html", "no answer")]
)
def test_a_key_that_cannot_be_tried_is_not_called_refused(sandbox: Sandbox, fault: str, verdict: str) -> None:
    break_vendor(sandbox, "instantly", fault)
    assert verdicts() == {**dict.fromkeys(SERVICES, "ok"), "instantly": verdict}


def test_the_command_says_it_to_people_and_programs(
    sandbox: Sandbox, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("vendors", "check")
    shown = capsys.readouterr().out
    assert "Mode: SANDBOX" in shown
    assert all(service in shown for service in SERVICES)
    with_keys(settings, "bad-key", "openai")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not ready: openai") as refused:
        call_command("vendors", "check", "--json", stdout=out)
    assert refused.value.returncode == 1
    assert json.loads(out.getvalue())["services"]["openai"]["verdict"] == "refused"


def test_a_supervisor_that_starts_logs_one_line_per_key_that_will_not_do(
    sandbox: Sandbox, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert check_keys() == 0
    assert "The keys of all services are accepted" in caplog.text
    with_keys(settings, "bad-key", "apollo")
    caplog.clear()
    assert check_keys() == 1
    (line,) = [record for record in caplog.records if record.name == "workers.startup"]
    assert (line.levelname, line.service) == ("ERROR", "apollo")  # type: ignore[attr-defined]
    assert line.getMessage().startswith("Key of apollo: refused. HTTP 401: ")


@pytest.fixture
def signals() -> Iterator[None]:
    """The command sets handlers of its own."""
    known = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in known.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("mode", ["live", "sandbox"])
@pytest.mark.usefixtures("signals")
@pytest.mark.django_db(transaction=True)  # its threads commit by connections of their own
def test_a_supervisor_looks_at_the_keys_as_it_starts_in_live_mode_only(
    mode: str, sandbox: Sandbox, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings.MODE = mode
    with_keys(settings, "bad-key", "openai")

    def looked() -> bool:
        return any(record.name == "workers.startup" for record in list(caplog.records))

    def stop() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until and not (looked() if mode == "live" else "leads" in caplog.text):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    before = threading.enumerate()
    stopper = threading.Thread(target=stop)
    stopper.start()
    call_command("supervise")
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(20)
    assert ("Key of openai: refused" in caplog.text) == looked() == (mode == "live")
