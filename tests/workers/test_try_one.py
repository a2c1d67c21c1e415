"""While the system is paused an operator may let one real job of a service through: it proves what a probe cannot."""

from typing import Any

import pytest

from campaigns import try_one
from campaigns.models import JobRow, VendorCall
from campaigns.reconcile import reconcile
from campaigns.try_one import TryRefused
from circuitbreakers import breaker, broker, pauses, switch
from circuitbreakers.models import Event, Incident
from integrations.sandbox import Sandbox
from tests.breakers import ANN, redis_cli, refusal, reset, trip
from tests.builders import make_campaign, shown
from tests.stores import break_vendor
from tests.workers.chain import job_of
from tests.workers.test_dispatch import messages
from workers.run import run
from workers.tried import run_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def paused_and_reset(*services: str) -> list[JobRow]:
    """A waiting job of each of these, after a trip of the first and its reset."""
    jobs = [job_of(service) for service in services]
    trip(services[0])
    reset(services[0])
    return jobs


def let_one_through(service: str = "millionverifier") -> JobRow:
    return try_one.try_one(service, actor=ANN, reason="the probe says nothing of the work")


def test_the_job_that_failed_first_is_run_and_nothing_else() -> None:
    first, failed = paused_and_reset("millionverifier", "millionverifier")
    JobRow.objects.filter(pk=failed.pk).update(failure_type="timeout", attempts=1)
    assert let_one_through().pk == failed.pk
    (message,) = messages("millionverifier")
    assert (message["args"], message["kwargs"]) == ([failed.pk], {"once": True})
    assert run_once(failed.pk, "millionverifier") == "completed"
    assert run_once(first.pk, "millionverifier") == "refused: paused"
    assert [shown(job).status for job in (first, failed)] == ["PAUSED", "COMPLETED"]
    following = JobRow.objects.get(lead=failed.lead, kind="research")
    assert shown(following).status == "PAUSED"
    assert refusal("millionverifier").reason == "paused"


def test_what_it_found_is_an_event_of_the_incident() -> None:
    (job,) = paused_and_reset("millionverifier")
    let_one_through()
    run_once(job.pk, job.service)
    asked, found = Event.objects.filter(verb__in=["try_one", "tried_one"]).order_by("id")
    assert {asked.incident, found.incident} == {Incident.objects.get()}
    assert asked.actor == "ann"
    assert found.reason == "one verify job was tried: success, $0.0037"
    assert [finding.check for finding in reconcile() if finding.check == "call_after_opening"] == []


def test_a_failure_counts_and_is_told(sandbox: Sandbox) -> None:
    (job,) = paused_and_reset("millionverifier")
    break_vendor(sandbox, "millionverifier", "server_error")
    let_one_through()
    run_once(job.pk, job.service)
    assert Event.objects.get(verb="tried_one").reason.startswith("one verify job was tried: server_error, $0.0000: ")
    assert switch.read("millionverifier").failure_count == 1


def test_it_is_one_call_even_when_its_message_comes_twice() -> None:
    (job,) = paused_and_reset("millionverifier")
    let_one_through()
    assert run_once(job.pk, job.service) == "completed"
    assert run_once(job.pk, job.service) == "nothing"
    assert VendorCall.objects.count() == 1


def test_a_message_without_a_word_is_no_way_round_the_pause() -> None:
    (job,) = paused_and_reset("millionverifier")
    let_one_through()
    assert run(job.pk, job.service) == "nothing"


def test_it_must_begin_within_a_minute() -> None:
    (job,) = paused_and_reset("millionverifier")
    let_one_through()
    redis_cli().hset("circuit_gate:millionverifier", "try_until", 1)
    assert run_once(job.pk, job.service) == "refused: paused"


def test_an_operators_pause_is_not_got_round() -> None:
    (job,) = paused_and_reset("millionverifier")
    let_one_through()
    pauses.pause("millionverifier", actor=ANN, reason="the bill")
    assert run_once(job.pk, job.service) == "refused: paused"
    with pytest.raises(TryRefused, match="operators' pauses"):
        let_one_through()


def test_nor_is_that_of_a_campaign() -> None:
    (job,) = paused_and_reset("millionverifier")
    job.campaign.operator_paused_at = job.campaign.system_paused_at = job.created_at
    job.campaign.status = "PAUSED"
    job.campaign.save()
    with pytest.raises(TryRefused, match="system alone"):
        let_one_through()


def test_an_open_breaker_lets_nothing_through() -> None:
    job_of("millionverifier")
    trip("millionverifier")
    with pytest.raises(TryRefused, match="reset it first"):
        let_one_through()


def test_another_open_breaker_does_not_matter() -> None:
    (job,) = paused_and_reset("millionverifier")
    trip("openai")
    let_one_through()
    assert run_once(job.pk, job.service) == "completed"


def test_without_a_pause_there_is_nothing_to_try() -> None:
    job_of("millionverifier", make_campaign())
    with pytest.raises(TryRefused, match="not paused"):
        let_one_through()


def test_it_needs_a_reason() -> None:
    paused_and_reset("millionverifier")
    with pytest.raises(breaker.BreakerRefused, match="reason"):
        try_one.try_one("millionverifier", actor=ANN, reason="")


def test_a_broker_that_is_away_leaves_the_job_where_it_is(monkeypatch: Any) -> None:
    (job,) = paused_and_reset("millionverifier")
    monkeypatch.setattr("workers.actors.ACTORS", {})
    assert let_one_through().pk == job.pk
    assert broker.client().llen("dramatiq:millionverifier") == 0
    assert shown(job).status == "PAUSED"
