"""JSON lines carry the ids of what they were written for; a request has the id that its proxy gave it."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from campaigns import recovery
from campaigns.models import JobRow
from circuitbreakers import breaker, events
from circuitbreakers.models import Incident
from config.logs import JsonFormatter, TextFormatter
from telemetry import ids
from tests.breakers import trip
from tests.builders import make_campaign, make_fleet, make_job
from tests.workers.chain import job_of
from workers.run import run

ANN = events.Actor("ann", "test")
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines that a collector of logs would have got, by what is written from now on."""
    written: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Collector()
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in written]
    logging.getLogger().removeHandler(handler)


def line(**extra: Any) -> dict[str, Any]:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "told", (), None)
    record.__dict__.update(extra)
    entry: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return {name: value for name, value in entry.items() if name not in ("at", "level", "logger", "message")}


def test_a_line_has_the_ids_of_its_thread_and_loses_them_after() -> None:
    with ids.named(job=7), ids.named(campaign=3, call="7:1", incident=None):
        assert line() == {"job": 7, "campaign": 3, "call": "7:1"}
    assert line() == {}


def test_a_line_about_another_campaign_does_not_have_our_own_job() -> None:
    with ids.named(job=7, campaign=3, call="7:1", incident=2):
        assert line(campaign=4) == {"campaign": 4, "incident": 2}
        assert line(campaign=3) == {"campaign": 3, "job": 7, "call": "7:1", "incident": 2}


def test_a_line_of_plain_text_stays_as_it_was() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "told", (), None)
    with ids.named(job=7):
        assert TextFormatter().format(record).endswith("[INFO] told")


# --- workers, cascade, resume -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_whatever_a_job_writes_names_job_campaign_and_call(
    in_step: None, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(job: JobRow) -> None:
        logging.getLogger("deep.below").warning("Something is odd")
        raise ZeroDivisionError

    monkeypatch.setattr("workers.run.call_for", broken)
    job = job_of("openai")
    assert run(job.pk, "openai") == "crashed"
    job.refresh_from_db()
    wanted = {"job": job.pk, "campaign": job.campaign_id, "call": job.call}
    odd, failed = (entry for entry in lines() if entry["level"] in ("WARNING", "ERROR"))
    assert odd["message"] == "Something is odd"
    assert wanted.items() <= odd.items()
    assert wanted.items() <= failed.items()


@pytest.mark.django_db(transaction=True)
def test_a_cascade_and_a_resume_name_their_incident(in_step: None, probes_succeed: None, lines: Lines) -> None:
    make_job(make_campaign("RUNNING"))
    make_fleet()
    trip("apollo")
    breaker.reset("apollo", actor=ANN)
    recovery.resume(actor=ANN)
    incident = Incident.objects.get().pk
    told = [entry["message"] for entry in lines() if entry.get("incident") == incident]
    for beginning in ("Evaluating campaigns", "Campaign", "Job", "Queue resume: Campaign", "Manual queue resume comp"):
        assert [message for message in told if message.startswith(beginning)], beginning


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_keeps_the_id_that_it_came_with(client: Client) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": "edge-7:a.b_c"})
    assert answer["X-Request-ID"] == "edge-7:a.b_c"


@pytest.mark.parametrize("sent", ["", "two words", "a\x1bb", "ü", "x" * 65, "a;b"])
def test_a_request_without_a_plain_id_gets_one(client: Client, sent: str) -> None:
    answers = [client.get("/health/live", headers={"X-Request-ID": sent})["X-Request-ID"] for _ in range(2)]
    assert all(len(answer) == 32 for answer in answers)
    assert len(set(answers)) == 2


@pytest.mark.django_db
def test_what_is_logged_of_a_request_has_its_id(in_step: None, lines: Lines) -> None:
    APIClient().get("/api/v1/nothing-there", headers={"X-Request-ID": "edge-8"})
    refused = [entry for entry in lines() if entry["logger"] == "django.request"]
    assert [entry["request"] for entry in refused] == ["edge-8"]
    assert line() == {}


@pytest.mark.django_db
def test_an_error_of_ours_is_found_by_its_request(
    in_step: None, lines: Lines, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.health.LiveView.get", explode)
    client.raise_request_exception = False
    answer = client.get("/health/live", headers={"X-Request-ID": "edge-9"})
    assert (answer.status_code, answer["X-Request-ID"]) == (500, "edge-9")
    assert {entry["request"] for entry in lines() if entry["level"] == "ERROR"} == {"edge-9"}


def explode(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError
