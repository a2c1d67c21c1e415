"""The loop: its rounds, who leads, how it is woken, and the signs of life."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from campaigns import tallies
from campaigns.models import Campaign, Job, JobRow, Process
from campaigns.tallies import JobTally
from campaigns.wake import wake_supervisor
from circuitbreakers import switch
from circuitbreakers.gate import process_name
from circuitbreakers.models import Incident
from circuitbreakers.services import SERVICES
from tests.breakers import answer_probes, at_once, let_the_wait_pass, queue, trip, trip_and_die
from tests.builders import ago, make_campaign, make_job, make_lead, make_process, shown
from tests.stores import another_session, away, leave_out
from workers import leadership, liveness, supervisor
from workers.leadership import Leadership
from workers.middleware import Liveness
from workers.supervisor import Step, half_open, run_round, steps

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
races = pytest.mark.django_db(transaction=True)


def soon(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether that becomes true before the deadline."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# --- a round ----------------------------------------------------------------------------------------------------------


def failing_with(error: Exception) -> Callable[[], int]:
    def step() -> int:
        raise error

    return step


@pytest.mark.parametrize(
    "error", [DatabaseError("gone"), switch.RedisUnavailable(), ZeroDivisionError("a bug"), KeyError("another")]
)
def test_a_step_that_fails_does_not_stop_the_others(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)  # it is the test's, inside its transaction
    todo = [Step("fails", failing_with(error)), Step("works", lambda: 3), Step("too", lambda: 4)]
    assert run_round(todo, now=0) == 7


def test_a_failing_step_is_logged_and_a_missing_redis_is_not_logged_by_every_step(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_round([Step("breaks", failing_with(ZeroDivisionError()))], now=0)
    assert "Step 'breaks' failed" in caplog.text
    caplog.clear()
    run_round([Step("cannot", failing_with(switch.RedisUnavailable()))], now=0)
    assert caplog.text == ""


def test_a_step_is_asked_as_often_as_it_says() -> None:
    asked: list[str] = []
    todo = [
        Step("always", lambda: len(asked.append("always") or [])),
        Step("rarely", lambda: len(asked.append("rarely") or []), every=10),
    ]
    for now in (0.0, 1.0, 9.9, 10.0):
        run_round(todo, now)
    assert (asked.count("always"), asked.count("rarely")) == (4, 2)


def test_a_round_finishes_what_a_dead_process_left(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    job = make_job(campaign)
    lost = make_job(campaign, status="PROCESSING", claimed_at=ago(120), lease_until=ago(5))
    trip_and_die(monkeypatch)
    run_round(steps(leave_out), now=0)
    run_round(steps(leave_out), now=100)
    campaign.refresh_from_db()
    assert (campaign.status, Incident.objects.count()) == ("PAUSED", 1)
    for each in (job, lost):
        assert shown(each).status == "PAUSED"
    assert set(queue().values()) == {"PAUSED"}


def test_a_round_feeds_dispatches_completes_and_counts() -> None:
    waiting, over = make_campaign(), make_campaign()
    make_lead(waiting)
    make_lead(over, "PUSHED")
    run_round(steps(leave_out), now=0)
    assert JobRow.objects.get().sent_at is not None
    over.refresh_from_db()
    assert over.status == "COMPLETED"
    assert tallies.progress([waiting.pk])[waiting.pk].jobs == {"PENDING": 1}
    assert JobTally.objects.filter(campaign_id=waiting.pk).count() == 1


def test_rounds_without_redis_still_end_what_was_cancelled_and_feed() -> None:
    job = make_job(make_campaign("CANCELLED"))
    make_lead(make_campaign())
    with away("REDIS_SWITCH_URL"):
        run_round(steps(leave_out), now=0)
    job.refresh_from_db()
    assert job.status == "CANCELLED"
    assert JobRow.objects.filter(kind="verify", status="PENDING").count() == 1


def at_once_here(task: Callable[[], object]) -> None:
    """A probe in this thread, where its result can be waited for."""
    task()


def test_rounds_recover_nothing_by_themselves() -> None:
    campaign = make_campaign()
    answer_probes()
    trip()
    for number in range(5):
        let_the_wait_pass()
        run_round(steps(leave_out), now=100.0 * number)
        half_open(start=at_once_here)
    assert switch.read("apollo").state == "half_open"
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"


def test_a_half_open_breaker_is_probed_at_once_and_then_as_often_as_its_timeout_says() -> None:
    answer_probes()
    trip()
    assert half_open(start=at_once_here) == 0
    let_the_wait_pass()
    assert half_open(start=at_once_here) == 1
    assert half_open(start=at_once_here) == 0
    switch.client().hset("circuit_breaker:apollo", "last_probe_at", ago(61).isoformat())
    assert half_open(start=at_once_here) == 1


# --- leadership -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two() -> Any:
    """Two that want to lead."""
    first, second = Leadership(), Leadership()
    yield first, second
    first.give_up()
    second.give_up()


def test_of_two_one_leads_until_it_gives_up(two: tuple[Leadership, Leadership]) -> None:
    first, second = two
    assert [first.held(), second.held(), first.held(), second.held()] == [True, False, True, False]
    first.give_up()
    assert soon(second.held)
    assert not first.held()


def test_many_that_try_at_once_have_one_leader() -> None:
    candidates = [Leadership() for _ in range(8)]
    try:
        assert sum(at_once(*(candidate.held for candidate in candidates))) == 1
    finally:
        for candidate in candidates:
            candidate.give_up()


def test_a_leader_whose_connection_is_cut_loses_the_lock_and_knows_it(two: tuple[Leadership, Leadership]) -> None:
    first, second = two
    assert first.held()
    assert first.session is not None
    with another_session() as session:
        session.execute("SELECT pg_terminate_backend(%s)", [first.session.info.backend_pid])
    assert soon(second.held)
    assert not first.held()
    assert second.held()


def test_a_leader_that_is_frozen_loses_the_lock(
    two: tuple[Leadership, Leadership], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    monkeypatch.setattr(leadership, "SESSION_TIMEOUTS", "-c idle_session_timeout=300ms")
    assert first.held()
    monkeypatch.setattr(leadership, "SESSION_TIMEOUTS", "")
    # `first` does nothing from here on, as a stopped process would.
    assert soon(second.held)
    assert not first.held()


def test_the_leaders_session_ends_within_seconds_of_silence(two: tuple[Leadership, Leadership]) -> None:
    first, _ = two
    assert first.held()
    assert first.session is not None
    settings: dict[str, int] = dict(
        first.session.execute(
            "SELECT name, setting::int FROM pg_settings WHERE name IN "
            "('idle_session_timeout', 'idle_in_transaction_session_timeout')"
        ).fetchall()
    )
    assert settings == {"idle_session_timeout": 10_000, "idle_in_transaction_session_timeout": 10_000}


@races
def test_a_leader_is_woken_by_a_commit(two: tuple[Leadership, Leadership]) -> None:
    first, _ = two
    assert first.held()
    waker = threading.Timer(0.2, lambda: (wake_supervisor(), connection.close()))
    waker.start()
    started = time.monotonic()
    first.wait(15)
    assert time.monotonic() - started < 10
    waker.join()
    started = time.monotonic()
    first.wait(0.05)  # the wake-up was used up
    assert time.monotonic() - started < 10


def test_a_leader_that_is_cut_off_while_it_waits_gives_up(two: tuple[Leadership, Leadership]) -> None:
    first, _ = two
    assert first.held()
    assert first.session is not None
    with another_session() as session:
        session.execute("SELECT pg_terminate_backend(%s)", [first.session.info.backend_pid])
    started = time.monotonic()
    first.wait(15)
    assert time.monotonic() - started < 10
    assert first.session is None


# --- the loop ---------------------------------------------------------------------------------------------------------


@races
def test_the_loop_signs_finishes_a_cascade_and_signs_off(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    make_job(campaign)
    trip_and_die(monkeypatch)
    monkeypatch.setattr(supervisor, "steps", partial(steps, leave_out))
    stop = threading.Event()

    def loop() -> None:
        supervisor.supervise(stop.is_set)
        connection.close()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        assert soon(lambda: Job.objects.filter(status="PAUSED").exists())
        assert Campaign.objects.get().status == "PAUSED"
        process = Process.objects.get(role="supervisor")
        assert (process.name, process.leading) == (process_name(), True)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert not Process.objects.exists()


@races
def test_a_loop_that_does_not_lead_signs_and_touches_nothing(
    two: tuple[Leadership, Leadership], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert two[0].held()
    make_job(make_campaign("PAUSED"))
    rounds: list[float] = []
    monkeypatch.setattr(supervisor, "run_round", lambda todo, now: rounds.append(now))
    waits: list[float] = []
    monkeypatch.setattr(Leadership, "wait", lambda self, seconds: waits.append(seconds))
    supervisor.supervise(lambda: len(waits) >= 2)
    assert (rounds, waits) == ([], [2.0, 2.0])


@races
@pytest.mark.parametrize(
    ("status", "seconds"), [("CREATED", 2.0), ("COMPLETED", 2.0), ("RUNNING", 1.0), ("PAUSED", 1.0)]
)
def test_the_loop_looks_more_rarely_while_no_campaign_is_under_way(
    monkeypatch: pytest.MonkeyPatch, status: str, seconds: float
) -> None:
    make_campaign(status)
    monkeypatch.setattr(supervisor, "run_round", lambda todo, now, goes_on: 0)
    waits: list[float] = []
    monkeypatch.setattr(Leadership, "wait", lambda self, seconds: waits.append(seconds))
    supervisor.supervise(lambda: len(waits) >= 1)
    assert waits == [seconds]


# --- signs of life ----------------------------------------------------------------------------------------------------


def test_a_process_signs_and_signs_off() -> None:
    liveness.sign("worker", queues=list(SERVICES))
    process = Process.objects.get()
    assert (process.name, process.role, process.queues) == (process_name(), "worker", list(SERVICES))
    Process.objects.update(seen_at=ago(60), started_at=ago(600))
    liveness.sign("worker", queues=list(SERVICES))
    process.refresh_from_db()
    assert process.seen_at > ago(5)
    assert process.started_at < ago(500)  # the same process as before
    liveness.sign_off()
    assert not Process.objects.exists()


def test_a_process_that_begins_is_a_new_one_though_an_earlier_one_left_its_name() -> None:
    make_process(name=process_name(), started_at=ago(600))
    liveness.register("worker", queues=["apollo"])
    process = Process.objects.get()
    assert process.started_at > ago(5)
    assert process.queues == ["apollo"]


def test_processes_that_fell_silent_a_day_ago_are_forgotten() -> None:
    make_process(seen_at=ago(25 * 3600), started_at=ago(26 * 3600))
    kept = make_process(seen_at=ago(23 * 3600), started_at=ago(26 * 3600))
    assert liveness.forget_dead() == 1
    assert Process.objects.get() == kept


@races
def test_a_worker_process_signs_from_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "INTERVAL", 0.05)
    middleware = Liveness()

    class Worker:
        consumer_whitelist = frozenset({"apollo", "openai"})

    middleware.after_worker_boot(None, Worker())  # type: ignore[arg-type]
    assert soon(lambda: Process.objects.filter(role="worker").exists())
    assert Process.objects.get().queues == ["apollo", "openai"]
    first = Process.objects.get().seen_at
    assert soon(lambda: Process.objects.get().seen_at > first)
    middleware.before_worker_shutdown(None, Worker())  # type: ignore[arg-type]
    assert not Process.objects.exists()


def test_the_lock_session_is_none_of_djangos() -> None:
    session = leadership.connect()
    try:
        assert isinstance(session, psycopg.Connection)
        assert session.autocommit
    finally:
        session.close()
