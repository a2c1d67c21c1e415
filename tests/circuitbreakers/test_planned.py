"""A planned pause begins by itself, reminds at its planned end, and never ends by itself; a hold reminds too."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from campaigns import reminders
from circuitbreakers import breaker, events, pauses, planned
from circuitbreakers.models import Breaker, Event, PlannedPause
from circuitbreakers.services import SERVICES
from tests.breakers import ANN, at_once, queue

pytestmark = pytest.mark.django_db
WHY = "Apollo moves its data centre"
HOUR = timedelta(hours=1)


def in_(*hours: float) -> list[datetime]:
    return [timezone.now() + number * HOUR for number in hours]


def plan(service: str = "apollo", ends: bool = True) -> PlannedPause:
    start, end = in_(1, 2)
    return planned.plan(service, actor=ANN, reason=WHY, starts_at=start, ends_at=end if ends else None)


def let_it_pass(row: PlannedPause, hours: float) -> None:
    """As if so many hours had passed since it was planned."""
    ends = {"ends_at": row.ends_at - hours * HOUR} if row.ends_at else {}
    PlannedPause.objects.filter(pk=row.pk).update(starts_at=row.starts_at - hours * HOUR, **ends)


def verbs() -> list[str]:
    return list(Event.objects.order_by("id").values_list("verb", flat=True))


def test_it_pauses_nothing_before_its_start_and_its_service_alone_from_then_on() -> None:
    row = plan()
    assert planned.begin_due() == 0
    assert set(queue().values()) == {"ACTIVE"}
    let_it_pass(row, 1.5)
    assert planned.begin_due() == 1
    assert queue() == {name: "PAUSED" if name == "apollo" else "ACTIVE" for name in SERVICES}
    standing = pauses.standing("operator:apollo")
    assert standing is not None
    assert (standing.actor, standing.reason) == (ANN.name, WHY)
    assert verbs() == ["pause_planned", "paused"]
    assert planned.begin_due() == 0


def test_everything_may_be_paused_by_plan() -> None:
    let_it_pass(plan("all"), 1.5)
    planned.begin_due()
    assert set(queue().values()) == {"PAUSED"}


def test_its_end_reminds_once_on_record_and_resumes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    row = plan()
    let_it_pass(row, 1.5)
    planned.begin_due()
    assert planned.due() == []
    let_it_pass(row, 2.5)
    (reminder,) = planned.due()
    assert f"The pause of apollo by {ANN.name} was planned to end at" in reminder.text
    assert "It stands until somebody lifts it: manage.py queue resume apollo" in reminder.text
    assert (reminders.remind(), reminders.remind()) == (1, 0)
    assert caplog.text.count("Reminder: The pause of apollo") == 1
    assert verbs().count("reminded") == 1
    assert queue()["apollo"] == "PAUSED"
    assert pauses.lift("apollo", actor=ANN)
    assert planned.due() == []


def test_two_that_end_while_no_supervisor_runs_are_both_said() -> None:
    rows = [plan(), plan()]
    for row in rows:
        let_it_pass(row, 1.5)
    planned.begin_due()
    let_it_pass(rows[0], 4)
    let_it_pass(rows[1], 3)
    assert (reminders.remind(), reminders.remind()) == (2, 0)


def test_the_record_says_what_a_resume_would_have_brought_back() -> None:
    row = plan()
    let_it_pass(row, 1.5)
    planned.begin_due()
    let_it_pass(row, 2.5)
    reminders.remind()
    event = Event.objects.get(verb="reminded")
    assert (event.subject_type, event.subject_id, event.actor) == ("queue", "apollo", events.SUPERVISOR.name)
    assert event.after is not None
    assert event.after["resume_plan"] == reminders.in_one_line()


def test_what_is_due_is_one_statement_where_the_breakers_are_at_hand(django_assert_num_queries: Any) -> None:
    (past,) = in_(-0.1)
    breaker.hold("openai", actor=ANN, reason="a bill is disputed", remind_at=past)
    breaker.hold("apollo", actor=ANN, reason="not yet to be asked about", remind_at=in_(1)[0])
    rows = list(Breaker.objects.all())
    with django_assert_num_queries(1):
        at_hand = planned.due(rows)
    assert [reminder.service for reminder in at_hand] == ["openai"]
    with django_assert_num_queries(2):
        assert planned.due() == at_hand


def test_one_without_an_end_never_reminds() -> None:
    let_it_pass(plan(ends=False), 99)
    planned.begin_due()
    assert planned.due() == []


def test_one_that_nobody_began_before_its_end_is_missed_and_says_so() -> None:
    let_it_pass(plan(), 3)
    assert planned.begin_due() == 1
    assert set(queue().values()) == {"ACTIVE"}
    assert verbs() == ["pause_planned", "planned_pause_missed"]


def test_one_that_is_taken_back_does_not_begin() -> None:
    row = plan()
    assert planned.cancel(row.pk, actor=ANN, reason="they have put it off")
    assert not planned.cancel(row.pk, actor=ANN)
    let_it_pass(row, 1.5)
    assert planned.begin_due() == 0
    assert verbs() == ["pause_planned", "planned_pause_cancelled"]


def test_one_that_has_begun_cannot_be_taken_back() -> None:
    row = plan()
    let_it_pass(row, 1.5)
    planned.begin_due()
    assert not planned.cancel(row.pk, actor=ANN)
    assert queue()["apollo"] == "PAUSED"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"starts_at": -1.0}, "starts_at"),
        ({"ends_at": 0.5}, "ends_at"),
        ({"ends_at": 1.0}, "ends_at"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field_and_leaves_nothing(change: dict[str, Any], field: str) -> None:
    hours = {"starts_at": 1.0, "ends_at": 2.0, **{name: value for name, value in change.items() if name != "reason"}}
    now = timezone.now()
    instants = {name: now + value * HOUR for name, value in hours.items()}
    with pytest.raises(ValidationError) as refused:
        planned.plan("apollo", actor=ANN, reason=change.get("reason", WHY), **instants)
    assert list(refused.value.message_dict) == [field]
    assert not PlannedPause.objects.exists()


def test_a_hold_reminds_until_it_is_released() -> None:
    (past,) = in_(-0.1)
    breaker.hold("openai", actor=ANN, reason="a bill is disputed", remind_at=past)
    (reminder,) = planned.due()
    assert "The openai breaker is held by" in reminder.text
    assert "manage.py breaker release openai" in reminder.text
    assert (reminders.remind(), reminders.remind()) == (1, 0)
    breaker.release("openai", actor=ANN)
    assert planned.due() == []


def test_a_later_hold_reminds_anew() -> None:
    (past,) = in_(-0.1)
    for _ in range(2):
        breaker.hold("openai", actor=ANN, reason="again", remind_at=past)
        assert reminders.remind() == 1
        breaker.release("openai", actor=ANN)
        (past,) = in_(0)


@pytest.mark.django_db(transaction=True)
def test_two_supervisors_begin_it_once() -> None:
    let_it_pass(plan(), 1.5)
    at_once(planned.begin_due, planned.begin_due)
    assert verbs().count("paused") == 1
    assert PlannedPause.objects.get().pause_id == pauses.all_standing()[0].pk


def test_a_process_that_died_after_the_pause_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    row = plan()
    let_it_pass(row, 1.5)
    with monkeypatch.context() as died:
        died.setattr(pauses, "standing", lambda key: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            planned.begin_due()
    assert planned.begin_due() == 1
    row.refresh_from_db()
    assert row.pause is not None
    assert events.SUPERVISOR.name not in row.pause.actor
