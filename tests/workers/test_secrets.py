"""No key, token or full address leaves the process in what it prints, logs or keeps as evidence."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from campaigns.models import JobRow, VendorCall
from circuitbreakers import probes, switch
from circuitbreakers.models import Event, Incident
from circuitbreakers.services import SERVICES
from config.logs import JsonFormatter, TextFormatter
from integrations.keys import check_all
from integrations.sandbox import Sandbox
from integrations.sandbox.faults import FAULTS
from tests.integrations.wire import http, serving
from tests.stores import break_vendor
from tests.workers.chain import again, from_scratch, job_of, patience
from workers.startup import check_keys

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]

KEYS = {service: f"sk-{service[:4]}-HUSH{number}a8b7c6d5+/=x" for number, service in enumerate(SERVICES)}
PERSON = "ulla.quist"  # of every lead in here; the domain may be named
TELLTALES = (*(key[8:] for key in KEYS.values()), "HUSH", PERSON, "ulla%2equist")


@pytest.fixture
def keys(settings: Settings, sandbox: Sandbox) -> Settings:
    settings.VENDORS = {service: {**vendor, "api_key": KEYS[service]} for service, vendor in settings.VENDORS.items()}
    return settings


@pytest.fixture
def printed() -> Iterator[list[io.StringIO]]:
    """Everything that is logged by anybody at any level, in both formats."""
    root, streams, handlers = logging.getLogger(), [], []
    for formatter in (TextFormatter(), JsonFormatter()):
        streams.append(io.StringIO())
        handler = logging.StreamHandler(streams[-1])
        handler.setFormatter(formatter)
        handlers.append(handler)
        root.addHandler(handler)
    quiet = {name: logging.getLogger(name).level for name in ("", "urllib3", "dramatiq")}
    for name in quiet:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield streams
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


def kept() -> str:
    """What the rows and the switch keep of what went wrong."""
    rows: list[Any] = [
        *Incident.objects.values_list("reason", "evidence"),
        *Event.objects.values_list("actor", "reason", "before", "after"),
        *JobRow.objects.exclude(error=None).values_list("error", flat=True),
        *VendorCall.objects.values_list("error", "request_id"),
    ]
    redis = switch.client()
    for name in redis.keys("*"):
        kind = redis.type(name)
        read = {"hash": redis.hgetall, "list": lambda key: redis.lrange(key, 0, -1)}.get(str(kind), str)
        rows.append((name, read(name)))
    return json.dumps(rows, default=str)


def found_in(text: str) -> list[str]:
    return [telltale for telltale in TELLTALES if telltale.lower() in text.lower()]


def a_faulty_round(sandbox: Sandbox, settings: Settings, service: str, fault: str) -> str:
    patience(settings, service, 0.1 if fault == "timeout" else 10.0)
    with from_scratch(sandbox):
        break_vendor(sandbox, service, fault)
        for number in range(5):
            again(job_of(service, email=f"{PERSON}+{number}@acme.example"))
        assert VendorCall.objects.exclude(outcome="success").exists()
        return kept()


@pytest.mark.parametrize("service", SERVICES)
def test_a_faulty_round_tells_nobody_a_key_or_an_address(
    service: str, sandbox: Sandbox, keys: Settings, printed: list[io.StringIO], capfd: pytest.CaptureFixture[str]
) -> None:
    evidence = "".join(a_faulty_round(sandbox, keys, service, fault) for fault in FAULTS if fault != "none")
    out = "".join(stream.getvalue() for stream in printed) + "".join(capfd.readouterr())
    assert "Circuit breaker opened" in out
    assert f"Circuit breaker opened for service {service}" in out
    assert "consecutive failures" in evidence
    assert found_in(out) == []
    assert found_in(evidence) == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
def test_a_vendor_that_repeats_what_it_was_told_is_not_repeated(
    service: str, status: int, sandbox: Sandbox, keys: Settings, printed: list[io.StringIO]
) -> None:
    address = f"{PERSON}@acme.example"
    words = (
        f"key {KEYS[service]} (Authorization: Bearer {KEYS[service]}) of {address} at /?api={KEYS[service]} <{address}>"
    )
    told = http(
        status,
        {
            "error": {"message": words, "code": words, "type": words},
            "message": words,
            "status": words,
            "detail": words,
            "error_message": words,
            "result": words,
        },
        x_request_id=f"{KEYS[service]}-{address}",
    )
    with serving(told) as server:
        keys.VENDORS[service]["base_url"] = server.url
        for number in range(5):
            again(job_of(service, email=f"{PERSON}{number}@acme.example"))
        assert server.received
        assert VendorCall.objects.exclude(outcome="success").exists()
        check_keys()
        detail = repr(check_all())
        probes.probe(service)
    out = "".join(stream.getvalue() for stream in printed)
    assert found_in(out) == []
    assert found_in(detail + kept()) == []


def test_a_mail_that_is_refused_for_an_address_in_it_does_not_spread_the_address(
    sandbox: Sandbox, keys: Settings, printed: list[io.StringIO]
) -> None:
    mail = {"subject": "Hello", "body": f"Please write to {PERSON}@elsewhere.example about your robots. Kind regards"}
    output = [{"type": "message", "content": [{"type": "output_text", "text": json.dumps(mail)}]}]
    answer = {"status": "completed", "usage": {"input_tokens": 5, "output_tokens": 5}, "output": output}
    with serving(http(200, answer)) as server:
        keys.VENDORS["openai"]["base_url"] = server.url
        job = job_of("openai")
        assert again(job) == "rejected"
        assert again(job) == "rejected"
    job.refresh_from_db()
    assert job.status == "FAILED"
    assert "link that was not given" in (job.error or "")
    assert found_in(kept() + "".join(stream.getvalue() for stream in printed)) == []


@pytest.mark.django_db(transaction=True)
def test_a_row_that_the_database_refuses_is_not_printed(keys: Settings, printed: list[io.StringIO]) -> None:
    job = job_of("openai", email=f"{PERSON}@acme.example", first_name="Ulla-Marie")
    with connection.cursor() as cursor:
        # A constraint of the kind whose refusal quotes the whole row.
        cursor.execute("ALTER TABLE leads ADD CONSTRAINT refuse CHECK (stage <> 'push')")
    try:
        assert again(job) == "crashed"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE leads DROP CONSTRAINT refuse")
    out = "".join(stream.getvalue() for stream in printed)
    assert "Failing row contains [row]" in out
    assert "Ulla-Marie" not in out
    assert found_in(out + kept()) == []
