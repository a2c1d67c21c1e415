"""The queue resume: every prerequisite, the order, and what interrupts it."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
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
from tests.stores import another_session, away, locked, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
MANY = 300  # campaigns whose resumption one by one takes some ten times as long as an opening


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


def test_a_resume_writes_the_same_few_statements_however_many_campaigns_it_brings_back() -> None:
    written = []
    for campaigns in (2, 40):
        after_a_reset(campaigns)
        with CaptureQueriesContext(connection) as captured:
            assert resume(actor=ANN).campaigns_resumed >= campaigns
        statements = [query["sql"] for query in captured.captured_queries]
        written.append(sum(sql.startswith(("UPDATE", "INSERT")) for sql in statements))
    assert written[0] == written[1]


@pytest.mark.django_db(transaction=True)
def test_the_supervisor_is_woken_in_the_transaction_that_resumes_all_campaigns() -> None:
    after_a_reset(3)
    with CaptureQueriesContext(connection) as captured:
        resume(actor=ANN)
    statements = [query["sql"] for query in captured.captured_queries]
    moved = next(place for place, sql in enumerate(statements) if sql.startswith('UPDATE "campaigns"'))
    woken = next(place for place, sql in enumerate(statements) if sql.startswith("NOTIFY"))
    assert moved < woken < statements.index("COMMIT")


@pytest.mark.django_db(transaction=True)
def test_the_queue_is_active_before_anybody_sees_a_campaign_run(monkeypatch: pytest.MonkeyPatch) -> None:
    campaigns = after_a_reset()
    seen: list[tuple[set[str], int]] = []
    really = pauses.activate

    def look(*args: Any) -> list[str]:
        services = really(*args)
        with another_session() as session:
            running = session.execute("SELECT count(*) FROM campaigns WHERE status = 'RUNNING'").fetchone()
        assert running
        seen.append((set(queue().values()), running[0]))
        return services

    monkeypatch.setattr(pauses, "activate", look)
    resume(actor=ANN)
    assert seen == [({"ACTIVE"}, 0)]
    assert statuses() == {campaign.pk: "RUNNING" for campaign in campaigns}


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


def test_a_resume_that_dies_before_its_end_has_changed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    after_a_reset(4)
    before = everything()

    def die(*args: Any) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(pauses, "activate", die)
        with pytest.raises(KeyboardInterrupt):
            resume(actor=ANN)
    assert everything() == before
    assert resume(actor=ANN).campaigns_resumed == 4


@pytest.mark.django_db(transaction=True)
def test_a_resume_that_was_interrupted_is_taken_up_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, as they come back beside a row that refuses."""
    campaigns = after_a_reset(4)
    really, alone = recovery._lift, itertools.count(1)

    def die_at_the_third(pks: Sequence[int], *args: Any) -> recovery.Lifted:
        if len(pks) == 1 and next(alone) == 3:
            raise KeyboardInterrupt
        return really(pks, *args)

    with monkeypatch.context() as dying, refusing("campaigns", campaigns[-1].pk):
        dying.setattr(recovery, "_lift", die_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            resume(actor=ANN)
    assert sorted(statuses().values()) == ["PAUSED"] * 2 + ["RUNNING"] * 2
    result = resume(actor=ANN)
    assert (result.campaigns_resumed, result.jobs_resumed) == (2, 2)
    assert statuses() == {campaign.pk: "RUNNING" for campaign in campaigns}
    ended = Incident.objects.get().pk
    assert set(Event.objects.filter(verb="resumed").values_list("incident_id", flat=True)) == {ended}


def test_a_resume_that_finds_nothing_paused_belongs_to_no_incident() -> None:
    after_a_reset()
    resume(actor=ANN)
    resume(actor=ANN)
    told = Event.objects.filter(subject_type="queue", verb="resumed").order_by("pk")
    assert list(told.values_list("incident_id", flat=True)) == [Incident.objects.get().pk, None]


@pytest.mark.django_db(transaction=True)
def test_a_pause_without_an_incident_interrupts_campaigns_that_come_back_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaigns = after_a_reset(3)
    really = recovery._lift

    def paused_after_the_first(pks: Sequence[int], *args: Any) -> recovery.Lifted:
        lifted = really(pks, *args)
        if len(pks) == 1:
            QueuePause.objects.create(key=QueuePause.SYSTEM, reason="found in the switch", actor="system")
        return lifted

    monkeypatch.setattr(recovery, "_lift", paused_after_the_first)
    with refusing("campaigns", campaigns[-1].pk):
        result = resume(actor=ANN)
    assert (result.interrupted_by, result.campaigns_resumed, result.campaigns_eligible) == ("the system", 1, 3)
    assert sorted(statuses().values()) == ["PAUSED", "PAUSED", "RUNNING"]


@pytest.mark.django_db(transaction=True)
def test_a_session_that_breaks_between_two_campaigns_costs_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, refused = after_a_reset(4)
    really = recovery._lift

    def broken_at_the_second(pks: Sequence[int], *args: Any) -> recovery.Lifted:
        if list(pks) == [second.pk]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return really(pks, *args)

    with monkeypatch.context() as breaking, refusing("campaigns", refused.pk):
        breaking.setattr(recovery, "_lift", broken_at_the_second)
        result = resume(actor=ANN)
    assert [error.partition(":")[0] for error in result.errors] == [f"Campaign {second.pk}", f"Campaign {refused.pk}"]
    assert (statuses()[first.pk], statuses()[third.pk]) == ("RUNNING", "RUNNING")
    assert resume(actor=ANN).campaigns_resumed == 2


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_keeps_locked_keeps_only_its_own_campaign_paused() -> None:
    first, stuck, third = after_a_reset(3)
    with locked("campaigns", stuck.pk):
        result = resume(actor=ANN)
    assert statuses() == {first.pk: "RUNNING", stuck.pk: "PAUSED", third.pk: "RUNNING"}
    assert result.errors == [f"Campaign {stuck.pk}: OperationalError"]
    assert set(queue().values()) == {"ACTIVE"}
    assert resume(actor=ANN).campaigns_resumed == 1


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


def test_a_campaign_that_an_operator_paused_too_says_so_again_in_their_words() -> None:
    first, second = after_a_reset()
    lifecycle.pause(first.pk, actor=ANN, reason="wrong list")
    Campaign.objects.filter(pk=second.pk).update(
        operator_paused_at=timezone.now(), operator_paused_by="b" * 150, operator_pause_reason="r" * 500
    )
    result = resume(actor=ANN)
    assert (result.campaigns_eligible, result.campaigns_resumed, result.jobs_resumed) == (0, 0, 0)
    assert result.campaigns_still_paused == 2
    rows = Campaign.objects.order_by("pk").values_list("status", "status_message", "system_paused_at")
    assert list(rows) == [
        ("PAUSED", "Paused by ann: wrong list", None),
        ("PAUSED", f"Paused by {'b' * 150}: {'r' * 338}", None),
    ]
    lifted = Event.objects.filter(subject_type="campaign", verb="system_pause_lifted")
    assert {event.subject_id for event in lifted} == {str(first.pk), str(second.pk)}
    assert [event.actor for event in lifted] == ["ann"] * 2
    assert all(event.before == event.after == {"status": "PAUSED"} for event in lifted)


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
    """One by one, as they come back beside a row that refuses: all together, nothing comes in between."""
    lift, alone, some_run = recovery._lift, itertools.count(1), threading.Event()

    def lift_under_no_incident(pks: Sequence[int], *args: Any) -> recovery.Lifted:
        if len(pks) > 1:
            return lift(pks, *args)
        assert incidents.current() is None, "a campaign was resumed after the opening"
        lifted = lift(pks, *args)
        if next(alone) == 50:
            some_run.set()
        return lifted

    monkeypatch.setattr(recovery, "_lift", lift_under_no_incident)
    make_fleet()
    Campaign.objects.bulk_create(
        Campaign(name=f"Many {n}", status="RUNNING", started_at=timezone.now()) for n in range(MANY)
    )
    trip()
    reset()

    last = Campaign.objects.order_by("-pk")[0]
    with refusing("campaigns", last.pk), tripping_at(some_run, "openai"):
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
