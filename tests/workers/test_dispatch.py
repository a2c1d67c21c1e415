"""Handing out due jobs: fair, bounded, paced, and only what may run."""

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from dramatiq.brokers.redis import RedisBroker

from campaigns import lifecycle
from campaigns.models import Campaign, JobRow
from circuitbreakers import broker, gate, pauses, switch
from circuitbreakers.rates import parse
from circuitbreakers.services import SERVICES
from tests.breakers import ANN, Beside, at_once, reset, trip_and_die
from tests.builders import ago, make_campaign, make_job
from tests.stores import another_session, away
from workers.dispatch import DUE, dispatch, window

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
WINDOW = django_settings.DISPATCH_WINDOW


def make_jobs(campaign: Campaign, count: int, first: int = 0) -> None:
    """Reveal jobs: many, and none needs a lead."""
    JobRow.objects.bulk_create(
        JobRow(campaign=campaign, kind="reveal", service="apollo", part=first + n, payload={"people": ["x"]})
        for n in range(count)
    )


def messages(service: str = "apollo") -> list[dict[str, Any]]:
    """What waits in Dramatiq's queue, oldest first."""
    bodies = broker.client().hgetall(f"dramatiq:{service}.msgs")
    return [json.loads(bodies[name]) for name in broker.client().lrange(f"dramatiq:{service}", 0, -1)]


def sent(service: str = "apollo") -> list[int]:
    return [message["args"][0] for message in messages(service)]


def test_every_kind_of_job_goes_to_its_services_queue_and_the_message_is_a_hint() -> None:
    made = {kind: make_job(kind=kind) for kind in ("find", "verify", "research", "write", "push")}
    assert dispatch() == 5
    for (_, job), service in zip(made.items(), SERVICES, strict=True):
        (message,) = messages(service)
        assert (message["actor_name"], message["args"], message["kwargs"]) == (f"run_{service}", [job.pk], {})


def test_a_job_is_sent_once_while_its_lease_lasts_and_again_when_it_is_over() -> None:
    job = make_job(kind="find")
    assert [dispatch(), dispatch()] == [1, 0]
    broker.client().flushdb()  # every message is lost
    assert dispatch() == 0
    JobRow.objects.update(sent_at=ago(31))
    assert dispatch() == 1
    assert sent() == [job.pk]
    job.refresh_from_db()
    assert job.sent_at is not None
    assert job.sent_at > ago(5)


@pytest.mark.parametrize("status", [status for status in JobRow.Status.values if status != "PENDING"])
def test_only_pending_jobs_are_sent(status: str) -> None:
    make_job(kind="find", status=status)
    assert dispatch() == 0


@pytest.mark.parametrize("status", [status for status in Campaign.Status.values if status != "RUNNING"])
def test_only_jobs_of_running_campaigns_are_sent(status: str) -> None:
    make_job(make_campaign(status), kind="find")
    assert dispatch() == 0


def test_a_job_is_not_sent_before_its_time() -> None:
    make_job(kind="find", run_at=ago(-60))
    assert dispatch() == 0


def test_a_large_campaign_does_not_keep_a_small_one_waiting() -> None:
    large, small = make_campaign(), make_campaign()
    make_jobs(large, 1000)
    make_jobs(small, 3)
    assert dispatch() == WINDOW
    assert set(small.jobs.values_list("pk", flat=True)) <= set(sent())


def test_five_campaigns_share_the_window_evenly() -> None:
    for _ in range(5):
        make_jobs(make_campaign(), 100)
    dispatch()
    shares = [
        JobRow.objects.filter(campaign=campaign).exclude(sent_at=None).count() for campaign in Campaign.objects.all()
    ]
    assert sum(shares) == WINDOW
    assert max(shares) - min(shares) <= 1


def test_a_campaign_with_much_to_do_fills_what_many_with_nothing_leave() -> None:
    make_jobs(make_campaign(), 300)
    make_jobs(make_campaign(), 1)
    for _ in range(30):
        make_campaign()
    assert dispatch() == WINDOW


def test_no_more_than_twice_its_share_is_read_of_each_campaign(settings: Any) -> None:
    settings.DISPATCH_WINDOW = 10
    for _ in range(5):
        make_jobs(make_campaign(), 20)
    asked: list[tuple[list[int], list[int]]] = []

    def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        if sql == DUE:
            asked.append((params["rooms"], params["each"]))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        assert dispatch() == 10
    assert asked == [([10] * 5, [4] * 5)]


def test_each_campaigns_oldest_jobs_go_first() -> None:
    campaign = make_campaign()
    make_jobs(campaign, WINDOW + 50)
    dispatch()
    oldest = list(campaign.job_rows.order_by("pk").values_list("pk", flat=True)[:WINDOW])
    assert sorted(sent()) == oldest


def test_the_queue_is_never_longer_than_its_window_however_many_jobs_wait() -> None:
    make_jobs(make_campaign(), 3 * WINDOW)
    assert [dispatch(), dispatch()] == [WINDOW, 0]
    assert broker.depths()["apollo"] == WINDOW
    assert len(fetched(10)) == 10
    assert dispatch() == 10


def fetched(count: int, service: str = "apollo") -> list[Any]:
    """What a worker process of its own takes from the queue, and never acknowledges."""
    worker = RedisBroker(url=django_settings.REDIS_BROKER_URL)
    try:
        return list(worker.do_fetch(service, count))
    finally:
        worker.close()


def test_what_a_killed_worker_had_fetched_does_not_hold_the_window(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": parse("10/60")}
    make_jobs(make_campaign(), 8)
    assert dispatch() == window("apollo") == 8
    held = sorted(sent())
    assert len(fetched(16)) == 8
    assert dispatch() == 0  # nothing is due while they may yet be claimed
    JobRow.objects.update(sent_at=ago(31))
    assert dispatch() == 8
    assert sorted(sent()) == held


def test_a_slow_service_gets_seconds_worth_of_its_rate(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": parse("10/1,6000/3600,tokens=1/60")}
    assert window("apollo") == 8  # 6000 an hour are less than two a second
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": parse("10/1")}
    assert window("apollo") == 30
    make_jobs(make_campaign(), 100)
    assert dispatch() == 30


@pytest.mark.parametrize("target", ["apollo", "all"])
def test_a_paused_queue_gets_nothing(target: str) -> None:
    make_job(kind="find")
    pauses.pause(target, actor=ANN, reason="x")
    assert dispatch() == 0
    pauses.lift(target, actor=ANN)
    assert dispatch() == 1


def test_the_other_queues_go_on_while_one_is_paused() -> None:
    make_job(kind="find")
    verify = make_job(kind="verify")
    pauses.pause("apollo", actor=ANN, reason="x")
    assert dispatch() == 1
    assert sent("millionverifier") == [verify.pk]


def test_nothing_is_sent_under_an_opening_that_has_not_spread_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(kind="find")
    trip_and_die(monkeypatch, "openai")
    assert dispatch() == 0


def test_nothing_is_sent_between_reset_and_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(kind="find")
    trip_and_die(monkeypatch, "openai")
    reset("openai")
    Campaign.objects.update(status="RUNNING", system_paused_at=None)
    assert dispatch() == 0


def test_a_throttled_service_gets_nothing_until_that_instant() -> None:
    make_job(kind="find")
    gate.record("apollo", "rate_limit", retry_after=60)
    assert dispatch() == 0
    switch.client().hset("circuit_gate:apollo", "blocked_until", 1)
    assert dispatch() == 1


@pytest.mark.parametrize("setting", ["REDIS_SWITCH_URL", "REDIS_BROKER_URL"])
def test_without_redis_nothing_is_marked_as_sent(setting: str) -> None:
    job = make_job(kind="find")
    with away(setting), pytest.raises(switch.RedisUnavailable):
        dispatch()
    job.refresh_from_db()
    assert job.sent_at is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["sent_at = statement_timestamp()", "status = 'CANCELLED', completed_at = now()"])
def test_a_job_that_is_sent_or_cancelled_while_we_look_at_it_is_left_alone(change: str) -> None:
    job = make_job(kind="find")
    with another_session() as somebody:
        somebody.execute(f"UPDATE job_rows SET {change} WHERE id = {job.pk}")
        dispatcher = Beside(dispatch)
        dispatcher.until_it_waits()
        somebody.commit()
        assert dispatcher.result() == 0
    assert messages() == []


def test_what_was_sent_before_a_pause_is_sent_again_as_soon_as_its_campaign_is_resumed() -> None:
    campaign = make_campaign()
    job = make_job(campaign, kind="find")
    assert [dispatch(), dispatch()] == [1, 0]
    lifecycle.pause(campaign.pk, actor=ANN, reason="typo")
    lifecycle.resume(campaign.pk, actor=ANN)
    assert [dispatch(), dispatch()] == [1, 0]
    assert sent() == [job.pk, job.pk]


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_at_once_send_each_job_once() -> None:
    make_jobs(make_campaign(), 200)
    assert sum(at_once(dispatch, dispatch)) == 200
    assert sorted(sent()) == sorted(JobRow.objects.values_list("pk", flat=True))


# --- a canary ---------------------------------------------------------------------------------------------------------


def at_its_canary(service: str = "apollo") -> None:
    """As a queue resume leaves it."""
    pauses.activate("", None, [service])


def test_a_canary_gets_as_many_messages_as_it_has_calls_first_those_that_failed_first() -> None:
    campaign, other = make_campaign(), make_campaign()
    make_jobs(campaign, 10)
    failed = [
        make_job(one, kind="reveal", part=99 + n, failure_type="timeout") for n, one in enumerate([other, campaign])
    ]
    at_its_canary()
    assert dispatch() == 5
    assert sent()[:2] == [job.pk for job in failed]
    assert dispatch() == 0
    broker.client().flushdb()
    permits = [gate.admit("apollo", f"{number}:1") for number in range(2)]
    assert dispatch() == 3
    broker.client().flushdb()
    permits[0].settle("success")
    permits[1].settle("unknown")
    assert dispatch() == 4


def test_other_services_are_sent_as_ever_beside_a_canary() -> None:
    make_jobs(make_campaign(), 10)
    at_its_canary("openai")
    assert dispatch() == 10
