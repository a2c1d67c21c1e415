"""What is told because it lasts, and what the sweep finds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import JobRow, Process
from campaigns.recovery import ResumeRefused, resume
from circuitbreakers import events, notes
from circuitbreakers.models import Event, Incident, QueuePause
from notifications import outbox, watching
from notifications.models import Condition, Message, Swept
from tests.breakers import ANN, trip
from tests.builders import ago, make_job, make_process
from tests.integrations.wire import Server
from tests.notifications.receivers import make_channel, verified
from workers import telling

pytestmark = pytest.mark.django_db


def told(kind: str) -> int:
    return Message.objects.filter(kind=kind).count()


def pause_stands_for(**time: int) -> None:
    QueuePause.objects.update(started_at=timezone.now() - timedelta(**time))


# --- a pause ----------------------------------------------------------------------------------------------------------


def test_a_pause_that_nobody_is_at_is_told_after_half_an_hour_four_hours_and_a_day() -> None:
    trip()
    for time, number in (
        ({"minutes": 29}, 0),
        ({"minutes": 31}, 1),
        ({"hours": 3}, 1),
        ({"hours": 5}, 2),
        ({"days": 2}, 3),
    ):
        pause_stands_for(**time)
        watching.remind_of_pause()
        watching.remind_of_pause()
        assert told("standing") == number
    subjects = Message.objects.filter(kind="standing").order_by("at").values_list("subject", flat=True)
    assert list(subjects) == [f"Paused for {age}, and nobody is at it" for age in ("30 minutes", "4 hours", "24 hours")]


@pytest.mark.parametrize("verb", ["acknowledge", "assign"])
def test_an_incident_that_somebody_is_at_is_not_told_again(verb: str, django_user_model: Any) -> None:
    django_user_model.objects.create_user("ida")
    trip()
    pk = Incident.objects.get().pk
    if verb == "assign":
        assert notes.assign(pk, "ida", actor=ANN) is True
        assert notes.assign(pk, "ida", actor=ANN) is False
    else:
        assert notes.acknowledge(pk, actor=ANN) is True
    pause_stands_for(days=2)
    assert watching.remind_of_pause() == 0
    row = Incident.objects.get()
    assert (row.acknowledged_by, notes.at_it(row)) == ("ann", "ida" if verb == "assign" else "ann")


def test_a_pause_that_nobody_saw_for_days_is_told_once() -> None:
    trip()
    pause_stands_for(days=3)
    assert watching.remind_of_pause() == 1
    assert watching.remind_of_pause() == 0


# --- processes --------------------------------------------------------------------------------------------------------


def pass_a_minute() -> None:
    Condition.objects.update(since=timezone.now() - watching.MISSED)


def test_missing_workers_are_told_after_a_minute_and_their_return_once() -> None:
    make_process("supervisor")
    assert watching.look_for_processes() == 0
    pass_a_minute()
    assert watching.look_for_processes() == 1
    assert watching.look_for_processes() == 0
    assert (told("no_worker"), told("no_supervisor")) == (1, 0)
    make_process("worker")
    assert watching.look_for_processes() == 1
    assert Message.objects.get(kind="well_again").subject == "Well again: a worker is alive"
    assert watching.look_for_processes() == 0


def test_a_restart_is_not_told() -> None:
    make_process("supervisor")
    watching.look_for_processes()
    make_process("worker")
    assert watching.look_for_processes() == 0
    assert Message.objects.count() == 0


def at_once(task: Callable[[], object], what: str = "") -> None:
    task()


def test_without_a_supervisor_a_worker_tells_that_and_everything_else_that_waits(receiver: Server) -> None:
    make_channel(receiver.url)
    trip()
    stand_in = telling.StandIn()

    def look() -> int:
        stand_in.looked = -1e9
        return stand_in.look(at_once)

    assert look() == 0  # not for a minute
    pass_a_minute()
    while look():
        pass
    assert {hook["type"] for hook in verified(receiver)} == {"holdfast.opened", "holdfast.no_supervisor"}
    make_process("supervisor")
    assert look() == 0
    assert stand_in.look(at_once) == 0  # it looks every ten seconds


def test_the_dead_count_as_missing() -> None:
    make_process("worker", seen_at=ago(30))
    make_process("supervisor")
    watching.look_for_processes()
    assert list(Condition.objects.values_list("name", flat=True)) == ["no_worker"]
    assert Process.objects.count() == 2


# --- books ------------------------------------------------------------------------------------------------------------


def test_books_that_do_not_balance_are_told_once_and_so_is_their_balance() -> None:
    assert watching.look_at_books() == 0
    job = make_job(status="PROCESSING", lease_until=ago(600))
    assert watching.look_at_books() == 0  # a supervisor that has just begun may yet mend it
    assert watching.books_are_suspected()
    Condition.objects.update(since=timezone.now() - watching.UNBALANCED)
    assert watching.look_at_books() == 1
    assert watching.look_at_books() == 0
    assert not watching.books_are_suspected()
    assert "jobs are PROCESSING under a lease that ended" in Message.objects.get(kind="books").facts
    JobRow.objects.filter(pk=job.pk).update(lease_until=ago(-60))
    assert watching.look_at_books() == 1
    assert told("well_again") == 1


# --- events -----------------------------------------------------------------------------------------------------------


def test_a_refused_resume_is_on_record_and_told() -> None:
    trip("openai")
    with pytest.raises(ResumeRefused):
        resume(actor=ANN)
    event = Event.objects.get(verb="resume_refused")
    assert "Circuit breakers still open for: openai" in event.reason
    assert Message.objects.get(kind="resume_refused").facts == event.reason


@pytest.mark.parametrize(
    ("subject", "verb", "kind", "severity"),
    [
        ("breaker", "stopped_at_canary", "stopped_at_canary", "critical"),
        ("breaker", "stopped_at_ramp", "stopped_at_ramp", "critical"),
        ("queue", "resume_done", "resume_done", "info"),
        ("queue", "planned_pause_missed", "planned_pause_missed", "warning"),
        ("breaker", "reminded", "reminded", "warning"),
        ("queue", "reminded", "reminded", "warning"),
        ("budget", "used_up", "budget_used_up", "warning"),
        ("breaker", "foretold", "foretold", "warning"),
        ("queue", "paused", "paused", "info"),
        ("queue", "resumed", "resumed", "info"),
    ],
)
def test_an_event_is_told_as_its_kind(subject: str, verb: str, kind: str, severity: str) -> None:
    events.record(subject, "apollo", verb, actor=ANN, reason="because")
    row = Message.objects.get()
    assert (row.kind, row.severity, row.facts) == (kind, severity, "because")


def test_what_happens_to_campaigns_and_jobs_is_not_told() -> None:
    events.record("campaign", 7, "paused", actor=ANN)
    events.record("job", 7, "retried", actor=ANN)
    assert Message.objects.count() == 0


def test_the_sweep_writes_what_an_event_lacks_and_nothing_twice() -> None:
    trip()
    events.record("budget", "system", "used_up", actor=ANN, reason="used up")
    Message.objects.all().delete()
    assert outbox.sweep() == 2
    assert outbox.sweep() == 0
    assert Message.objects.get(kind="opened").key == f"opened:{Incident.objects.get().pk}"


def test_the_sweep_passes_only_what_nobody_can_still_commit_before_and_no_old_history() -> None:
    old = Event(subject_type="budget", subject_id="x", verb="used_up", actor="a", door="command")
    old.at = timezone.now() - timedelta(hours=2)
    old.save()
    late = Event(subject_type="budget", subject_id="x", verb="used_up", actor="a", door="command")
    late.at = timezone.now() - timedelta(minutes=5)
    late.save()
    young = events.record("job", 1, "retried", actor=ANN)
    assert outbox.sweep() == 1
    assert Swept.objects.get().event == late.pk < young.pk
    assert list(Message.objects.values_list("key", flat=True)) == [f"event:{late.pk}"]
