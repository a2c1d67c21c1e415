"""The queue resume: every prerequisite, the order, and what interrupts it."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import lifecycle, recovery, resume_plan
from campaigns.models import Campaign, Job, JobRow, Process
from campaigns.recovery import ResumeRefused, resume
from circuitbreakers import breaker, gate, incidents, pauses, rebuild, switch
from circuitbreakers.models import Breaker, Event, Incident, QueuePause
from circuitbreakers.services import SERVICES
from tests.breakers import (
    ANN,
    Beside,
    at_once,
    is_admitted,
    let_the_wait_pass,
    old_copy,
    queue,
    redis_cli,
    reset,
    stored,
    trip,
    trip_and_die,
)
from tests.builders import ago, make_campaign, make_fleet, make_job
from tests.stores import away, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
MANY = 300  # campaigns whose resumption takes some ten times as long as an opening


def after_a_reset(campaigns: int = 2) -> list[Campaign]:
    """Campaigns, each with a paused job, after trip, cascade and reset; the fleet is alive: ready to be resumed."""
    made = [make_campaign() for _ in range(campaigns)]
    for campaign in made:
        make_job(campaign, attempts=2)
    make_fleet()
    trip()
    reset()
    return made


def statuses() -> dict[int, str]:
    return dict(Campaign.objects.values_list("pk", "status"))


def job_statuses() -> set[str]:
    return set(Job.objects.values_list("status", flat=True))


def everything() -> tuple[Any, ...]:
    """All that a refused resume must leave alone; that it was refused is on record."""
    rows = [list(model.objects.order_by("pk").values()) for model in (Campaign, JobRow, QueuePause, Incident)]
    changes = list(Event.objects.exclude(verb="resume_refused").order_by("pk").values())
    return (*rows, changes, queue(), switch.client().hgetall("queue_pauses"))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"[{record.levelname}] {record.getMessage()}" for record in caplog.records]


# --- prerequisites ----------------------------------------------------------------------------------------------------


def half_opened() -> None:
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")


def opened_twice() -> None:
    trip()
    trip("perplexity")
    let_the_wait_pass("perplexity")


def one_still_runs() -> None:
    Campaign.objects.filter(pk=Campaign.objects.order_by("pk").values("pk")[:1]).update(
        status="RUNNING", system_paused_at=None
    )


def closed_again(service: str) -> dict[str, str]:
    """What a copy from before says of a breaker that opens now."""
    before = stored(service)
    trip(service)
    return {name: before.get(name, "") for name in redis_cli().hkeys(f"circuit_breaker:{service}")}


MISSING: dict[str, tuple[Callable[[], Any], str]] = {
    "an open breaker": (lambda: trip("openai"), "Circuit breakers still open for: openai (open)"),
    "a half-open breaker": (half_opened, "Circuit breakers still open for: apollo (half_open)"),
    "two breakers": (opened_twice, "Circuit breakers still open for: apollo (open), perplexity (half_open)"),
    "a held breaker": (
        lambda: breaker.hold("instantly", actor=ANN, reason="audit"),
        "Circuit breakers still open for: instantly (held)",
    ),
    "a lost breaker": (
        lambda: switch.client().delete("circuit_breaker:openai"),
        "Circuit breakers still open for: openai (lost)",
    ),
    "an opening that an old copy does not know": (
        lambda: redis_cli().hset("circuit_breaker:openai", mapping=closed_again("openai")),
        "Closed in Redis, but their incidents are not reset: openai",
    ),
    "a hold that has not reached the switch": (
        lambda: Breaker.objects.filter(service="openai").update(held_at=timezone.now(), hold_reason="audit"),
        "Held, but closed in Redis: openai",
    ),
    "the comparison after a start of Redis": (
        lambda: switch.client().delete("switch_seal"),
        "Redis has started anew and has not been compared with PostgreSQL yet",
    ),
    "a campaign that still runs": (one_still_runs, "Some campaigns are still being paused"),
    "no worker": (
        lambda: Process.objects.filter(role="worker").delete(),
        f"No live worker for: {', '.join(SERVICES)}",
    ),
    "no worker for one queue": (
        lambda: Process.objects.filter(role="worker").update(queues=[s for s in SERVICES if s != "perplexity"]),
        "No live worker for: perplexity",
    ),
    "a worker that fell silent": (
        lambda: Process.objects.filter(role="worker").update(seen_at=ago(11)),
        f"No live worker for: {', '.join(SERVICES)}",
    ),
    "no supervisor": (lambda: Process.objects.filter(role="supervisor").delete(), "No live supervisor"),
    "a supervisor that fell silent": (
        lambda: Process.objects.filter(role="supervisor").update(seen_at=ago(11)),
        "No live supervisor",
    ),
}


@pytest.mark.parametrize("missing", MISSING)
def test_a_resume_is_refused_for_the_one_thing_that_is_missing_and_nothing_changes(missing: str) -> None:
    after_a_reset()
    bring_about, text = MISSING[missing]
    bring_about()
    before = everything()
    with pytest.raises(ResumeRefused) as refused:
        resume(actor=ANN)
    assert str(refused.value) == f"Cannot resume queue: {text}"
    assert everything() == before
    assert Event.objects.get(verb="resume_refused").reason == str(refused.value)
    plan = refused.value.plan
    assert plan is not None
    assert [item.detail for item in plan.prerequisites if not item.ok] == [text]
    assert all(item.mend for item in plan.prerequisites if not item.ok)
    assert not is_admitted("millionverifier")


@pytest.mark.parametrize(
    ("setting", "text"),
    [("REDIS_SWITCH_URL", "Redis does not answer"), ("REDIS_BROKER_URL", "The message broker does not answer")],
)
def test_while_redis_is_away_a_resume_says_so_and_the_plan_too(setting: str, text: str) -> None:
    after_a_reset()
    before = everything()
    with away(setting):
        assert resume_plan.plan().missing == text
        with pytest.raises(switch.RedisUnavailable):
            resume(actor=ANN)
    assert everything() == before


def test_a_resume_right_after_a_failover_to_an_old_copy_is_refused_until_everything_is_paused_again() -> None:
    campaign = make_campaign()
    make_fleet()
    put_back = old_copy()
    trip()
    put_back()
    with pytest.raises(ResumeRefused, match=r"Redis has started anew and has not been compared with PostgreSQL yet$"):
        resume(actor=ANN)
    rebuild.compare()
    with pytest.raises(ResumeRefused, match="Circuit breakers still open for: apollo"):
        resume(actor=ANN)
    assert statuses() == {campaign.pk: "PAUSED"}


def test_a_resume_is_refused_while_an_opening_is_not_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    after_a_reset()
    trip_and_die(monkeypatch, "openai")
    with pytest.raises(ResumeRefused) as refused:
        resume(actor=ANN)
    assert str(refused.value) == (
        "Cannot resume queue: Circuit breakers still open for: openai (open); "
        "The opening of openai is still being recorded"
    )


def test_calls_in_flight_do_not_count() -> None:
    campaigns = after_a_reset()
    make_job(campaigns[0], kind="find", status="PROCESSING")
    assert resume_plan.plan().ready


def test_the_plan_says_what_a_resume_would_bring_back_and_changes_nothing() -> None:
    first, second, third = after_a_reset(3)
    make_job(first, kind="find")
    lifecycle.pause(third.pk, actor=ANN, reason="wrong list")
    pauses.pause("openai", actor=ANN, reason="new prompt")
    before = everything()
    plan = resume_plan.plan()
    assert everything() == before
    assert plan.ready
    assert [item.name for item in plan.prerequisites] == [
        *("circuit_breakers", "redis", "broker", "postgresql", "stores_agree", "pause_spread", "workers", "supervisor")
    ]
    assert (plan.campaigns, plan.jobs) == (2, {"apollo": 1, "millionverifier": 2})
    assert (plan.services_still_paused, plan.campaigns_still_paused) == (["openai"], 1)
    assert second.pk in statuses()


# --- the resume itself ------------------------------------------------------------------------------------------------


def test_everything_the_system_paused_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first, second = after_a_reset()
    make_job(first, kind="find")
    caplog.clear()
    result = resume(actor=ANN, reason="all well")
    assert lines(caplog) == [
        "[INFO] Manual queue resume requested - validating prerequisites",
        "[INFO] Prerequisites met: All circuit breakers are closed - proceeding with queue resume",
        f"[INFO] Campaign {first.pk} resumed by ann",
        f"[INFO] Queue resume: Campaign {first.pk} resumed",
        f"[INFO] Campaign {second.pk} resumed by ann",
        f"[INFO] Queue resume: Campaign {second.pk} resumed",
        "[INFO] Queue resume: 1 jobs resumed for apollo",
        "[INFO] Queue resume: 2 jobs resumed for millionverifier",
        "[INFO] Manual queue resume completed: 3 jobs, 2 campaigns resumed",
    ]
    assert result.as_dict() == {
        "queue_resumed": True,
        "jobs_resumed": 3,
        "campaigns_eligible": 2,
        "campaigns_resumed": 2,
        "services_resumed": list(SERVICES),
        "services_still_paused": [],
        "campaigns_still_paused": 0,
        "prerequisites_met": "All circuit breakers closed",
        "stages": {"apollo": "canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %"},
        "message": "Queue resumed successfully: 3 jobs and 2 campaigns resumed",
    }
    assert set(queue().values()) == {"ACTIVE"}
    for campaign in Campaign.objects.all():
        assert (campaign.status, campaign.system_paused_at) == ("RUNNING", None)
        assert campaign.status_message == "Campaign resumed - services are available"
    pause = QueuePause.objects.get()
    assert (pause.ended_by, pause.end_reason) == ("ann", "all well")


def test_queue_then_campaigns_then_jobs_which_cost_nothing() -> None:
    campaign = after_a_reset()[0]
    assert job_statuses() == {"PAUSED"}
    resume(actor=ANN)
    assert (set(queue().values()), statuses()[campaign.pk], job_statuses()) == ({"ACTIVE"}, "RUNNING", {"PENDING"})
    assert list(JobRow.objects.values_list("status", "error", "attempts")) == [("PENDING", None, 2)] * 2


def test_work_begins_before_the_last_campaign_is_resumed() -> None:
    after_a_reset(3)
    with CaptureQueriesContext(connection) as captured:
        resume(actor=ANN)
    statements = [query["sql"] for query in captured.captured_queries]
    moved = [place for place, sql in enumerate(statements) if sql.startswith('UPDATE "campaigns"')]
    woken = [place for place, sql in enumerate(statements) if sql.startswith("NOTIFY")]
    assert moved[0] < woken[0] < moved[1]


def test_the_queue_is_active_before_the_first_campaign_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    after_a_reset()
    seen: list[tuple[set[str], int, bool]] = []
    really = recovery._resume_campaign

    def look(*args: Any) -> bool | None:
        running = Campaign.objects.filter(status="RUNNING").count()
        seen.append((set(queue().values()), running, pauses.standing(QueuePause.SYSTEM) is not None))
        return really(*args)

    monkeypatch.setattr(recovery, "_resume_campaign", look)
    resume(actor=ANN)
    assert seen == [({"ACTIVE"}, 0, False), ({"ACTIVE"}, 1, False)]


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_cannot_be_resumed_is_reported_and_does_not_stop_the_others() -> None:
    first, stubborn, third = after_a_reset(3)
    with refusing("campaigns", stubborn.pk):
        result = resume(actor=ANN)
    assert statuses() == {first.pk: "RUNNING", stubborn.pk: "PAUSED", third.pk: "RUNNING"}
    assert result.errors == [f"Campaign {stubborn.pk}: ProgrammingError"]
    assert (result.campaigns_eligible, result.campaigns_resumed, result.jobs_resumed) == (3, 2, 2)
    assert result.message == "Queue resumed successfully: 2 jobs and 2 campaigns resumed (with 1 campaign errors)"
    assert result.as_dict()["campaign_resume_errors"] == result.errors
    again = resume(actor=ANN)
    assert (again.campaigns_resumed, again.jobs_resumed, again.errors) == (1, 1, [])
    assert set(statuses().values()) == {"RUNNING"}


def test_with_nothing_to_resume_it_succeeds_with_zeros() -> None:
    make_fleet()
    for _ in range(2):
        result = resume(actor=ANN)
        assert (result.jobs_resumed, result.campaigns_eligible, result.campaigns_resumed) == (0, 0, 0)
        assert result.message == "Queue resumed successfully: 0 jobs and 0 campaigns resumed"
    assert set(queue().values()) == {"ACTIVE"}


def test_a_resume_that_was_interrupted_is_taken_up_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    campaigns = after_a_reset(4)
    really, calls = recovery._resume_campaign, 0

    def die_at_the_third(*args: Any) -> bool | None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return really(*args)

    with monkeypatch.context() as dying:
        dying.setattr(recovery, "_resume_campaign", die_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            resume(actor=ANN)
    assert sorted(statuses().values()) == ["PAUSED"] * 2 + ["RUNNING"] * 2
    result = resume(actor=ANN)
    assert (result.campaigns_resumed, result.jobs_resumed) == (2, 2)
    assert statuses() == {campaign.pk: "RUNNING" for campaign in campaigns}


def test_an_operators_pauses_stack_and_survive() -> None:
    before = make_campaign("PAUSED", operator_paused_at=timezone.now(), operator_paused_by="bob")
    pauses.pause("openai", actor=ANN, reason="new prompt")
    campaign = after_a_reset(1)[0]
    result = resume(actor=ANN)
    assert statuses() == {before.pk: "PAUSED", campaign.pk: "RUNNING"}
    assert (result.services_still_paused, result.campaigns_still_paused) == (["openai"], 1)
    assert result.services == [name for name in SERVICES if name != "openai"]
    assert {name for name, state in queue().items() if state == "PAUSED"} == {"openai"}
    assert pauses.lift("openai", actor=ANN)
    assert set(queue().values()) == {"ACTIVE"}


def test_an_operators_pause_of_everything_outlives_the_systems() -> None:
    campaign = after_a_reset(1)[0]
    pauses.pause("all", actor=ANN, reason="audit")
    result = resume(actor=ANN)
    assert (result.services, result.services_still_paused) == ([], list(SERVICES))
    assert set(queue().values()) == {"PAUSED"}
    assert not is_admitted()
    assert statuses() == {campaign.pk: "RUNNING"}


def test_a_resume_is_on_record() -> None:
    campaign = after_a_reset(1)[0]
    resume(actor=ANN, reason="all well")
    incident = Incident.objects.get()
    whole = Event.objects.get(subject_type="queue", subject_id="all", verb="resumed")
    assert (whole.actor, whole.reason, whole.incident_id) == ("ann", "all well", incident.pk)
    assert whole.after == {"jobs": 1, "campaigns": 1}
    one = Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb="resumed")
    assert (one.actor, one.incident_id) == ("ann", incident.pk)


# --- somebody comes in between ----------------------------------------------------------------------------------------


def moved_and_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trip_and_die(monkeypatch, "openai")
    switch.run("reset", "openai", ["bob"])


@pytest.mark.parametrize("meanwhile", ["opened", "opened and reset"])
def test_the_queue_is_not_made_active_when_a_breaker_moved_after_the_check(
    meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_a_reset()
    check = resume_plan.plan

    def check_and_look_away() -> resume_plan.ResumePlan:
        seen = check()
        moved_and_closed_again(monkeypatch) if meanwhile == "opened and reset" else trip_and_die(monkeypatch, "openai")
        return seen

    monkeypatch.setattr(resume_plan, "plan", check_and_look_away)
    with pytest.raises(ResumeRefused, match="The openai circuit breaker has changed since the check"):
        resume(actor=ANN)
    assert set(queue().values()) == {"PAUSED"}
    assert pauses.standing(QueuePause.SYSTEM) is not None
    assert set(statuses().values()) == {"PAUSED"}


def test_a_resume_whose_own_transaction_fails_after_the_switch_is_undone_by_the_comparison() -> None:
    """Redis says ACTIVE, PostgreSQL rolled back: pause wins."""
    after_a_reset()
    row = pauses.standing(QueuePause.SYSTEM)
    assert row is not None
    epochs = {name: state.epoch for name, state in switch.read_all().breakers.items()}
    assert set(pauses.activate(QueuePause.SYSTEM, epochs)) == set(SERVICES)
    rebuild.compare()
    assert set(queue().values()) == {"PAUSED"}
    assert resume(actor=ANN).campaigns_resumed == 2


@contextmanager
def tripping_at(reached: threading.Event, service: str) -> Iterator[None]:
    """Open the breaker of `service` from a thread of its own as soon as that point is reached."""

    def watch() -> None:
        assert reached.wait(30)
        gate.record_failure(service, "HTTP 401", "auth")

    thread = Beside(watch)
    yield
    assert thread.result() is None


@pytest.mark.django_db(transaction=True)
def test_a_breaker_that_opens_in_the_middle_of_many_pauses_all_again_and_the_caller_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resume_one, resumed, some_run = recovery._resume_campaign, itertools.count(1), threading.Event()

    def resume_one_under_no_incident(*args: Any) -> bool | None:
        assert incidents.current() is None, "a campaign was resumed after the opening"
        running = resume_one(*args)
        if next(resumed) == 50:
            some_run.set()
        return running

    monkeypatch.setattr(recovery, "_resume_campaign", resume_one_under_no_incident)
    make_fleet()
    Campaign.objects.bulk_create(
        Campaign(name=f"Many {n}", status="RUNNING", started_at=timezone.now()) for n in range(MANY)
    )
    trip()
    reset()

    with tripping_at(some_run, "openai"):
        result = resume(actor=ANN)
    assert set(statuses().values()) == {"PAUSED"}
    assert set(queue().values()) == {"PAUSED"}
    assert result.interrupted_by == "openai"
    assert 50 <= result.campaigns_resumed < MANY
    assert result.message == (
        f"Paused again by openai while resuming: {result.campaigns_resumed} of {MANY} campaigns had been resumed "
        "and are paused again. Reset openai, then resume again."
    )
    assert result.as_dict()["queue_resumed"] is False
    again = Campaign.objects.filter(status_message="System pause: openai circuit breaker opened").count()
    assert again == result.campaigns_resumed
    reset("openai")
    second = resume(actor=ANN)
    assert (second.interrupted_by, second.campaigns_resumed) == ("", MANY)
    assert set(statuses().values()) == {"RUNNING"}
    assert set(queue().values()) == {"ACTIVE"}


@pytest.mark.django_db(transaction=True)
def test_two_resumes_at_once_resume_each_campaign_once() -> None:
    campaigns = after_a_reset(20)
    results = at_once(*([lambda: resume(actor=ANN)] * 2))
    assert sum(result.campaigns_resumed for result in results) == 20
    assert sum(result.jobs_resumed for result in results) == 20
    assert statuses() == {campaign.pk: "RUNNING" for campaign in campaigns}


@pytest.mark.django_db(transaction=True)
def test_a_resume_and_an_opening_at_once_end_either_way_but_never_in_between() -> None:
    for _ in range(5):
        make_campaign()
    make_fleet()
    trip()
    for _ in range(4):
        reset()
        result, _ = at_once(lambda: resume(actor=ANN), trip)
        assert isinstance(result, recovery.Resumed | ResumeRefused), result
        assert set(statuses().values()) == {"PAUSED"}
        assert set(queue().values()) == {"PAUSED"}


def test_a_pause_that_ended_is_never_before_it_began() -> None:
    after_a_reset()
    resume(actor=ANN)
    pause = QueuePause.objects.get()
    assert pause.ended_at is not None
    assert timedelta() <= pause.ended_at - pause.started_at < timedelta(minutes=1)
