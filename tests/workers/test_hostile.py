"""Vendors that misbehave on the wire, through the whole chain: cut off, classed, counted, and the job lives on."""

import gzip
import time
from typing import Any

import pytest
from pytest_django import Settings

from circuitbreakers import switch
from circuitbreakers.services import SERVICES
from tests.integrations.test_the_door import flood
from tests.integrations.wire import http, serving
from tests.workers.chain import again, job_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]

BOMB = gzip.compress(b'{"a": "' + b"0" * 50_000_000 + b'"}', 1)
HOSTILE: dict[str, tuple[Any, str]] = {
    "garbage bytes": (lambda talk: talk.send(b"\x00\xff\x13\x37" * 500 + b"\r\n\r\n"), "malformed"),
    "50 MB": (lambda talk: flood(talk, http(200, b"", content_length="50000000"), b"0" * 65_536), "malformed"),
    "50 MB in 50 kB": (http(200, BOMB, content_encoding="gzip"), "malformed"),
    "a redirect to elsewhere": (http(302, {}, location="http://127.0.0.1:9/"), "malformed"),
    "one byte at a time": (lambda talk: talk.trickle(http(200, {"a": "x" * 1000})), "timeout"),
}
DEADLINES = {"one byte at a time": 0.3}  # seconds; the others end by themselves and may take their time


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_cut_off_and_the_job_tried_again_later(name: str, service: str, settings: Settings) -> None:
    script, failure = HOSTILE[name]
    job = job_of(service)
    begun = time.monotonic()
    with serving(script) as server:
        settings.VENDORS[service] = {
            **settings.VENDORS[service],
            "base_url": server.url,
            "deadline": DEADLINES.get(name, 1.0),
        }
        assert again(job) == f"failed: {failure}"
        assert len(server.received) == 1
    assert time.monotonic() - begun < 10
    job.refresh_from_db()
    assert (job.status, job.attempts, job.crashes, job.failure_type) == ("PENDING", 1, 0, failure)
    assert job.calls.get().outcome == failure
    assert switch.read(service).failure_count == 1


HUGE = 2**63 - 1
MAIL = '{"subject": "Hi", "body": "A body that is long enough to be taken for a mail."}'
TEXT = {
    "status": "completed",
    "usage": {"input_tokens": HUGE, "output_tokens": HUGE, "cost": {"total_cost": HUGE}},
    "output": [{"type": "message", "content": [{"type": "output_text", "text": MAIL}]}],
}
PAID = {
    "apollo": {
        "matches": [{"id": "x" * 5000, "email": "a@acme.example", "first_name": "y" * 5000}] * 10,
        "credits_consumed": HUGE,
        "request_id": "r" * 5000,
    },
    "millionverifier": {"result": "ok", "error": "", "subresult": "s" * 5000, "credits": HUGE},
    "perplexity": {**TEXT, "id": "r" * 5000},
    "openai": TEXT,
    "instantly": {"leads_uploaded": 1, "created_leads": [{"index": 0, "id": "i" * 5000}]},
}


@pytest.mark.parametrize("service", SERVICES)
def test_an_answer_full_of_impossible_numbers_is_saved_and_booked_all_the_same(
    service: str, settings: Settings
) -> None:
    job = job_of(service)
    with serving(http(200, PAID[service])) as server:
        settings.VENDORS[service] = {**settings.VENDORS[service], "base_url": server.url}
        assert again(job) == "completed"
    job.refresh_from_db()
    assert (job.status, job.crashes) == ("COMPLETED", 0)
    assert job.calls.get().outcome == "success"
