"""Planned pauses from the shell: planned, shown with the queue's status, taken back."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from circuitbreakers import planned
from circuitbreakers.models import PlannedPause

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def plan(manage: Any, *more: str, start: str = "", service: str = "apollo") -> Any:
    start = start or (timezone.now() + timedelta(hours=1)).isoformat()
    return manage("queue", "plan-pause", service, "--start", start, "--reason", "their maintenance", *more)


def test_a_pause_is_planned_shown_and_taken_back(manage: Any) -> None:
    ran = plan(manage)
    assert ran.status == 0
    assert "It never resumes by itself." in ran.out
    pk = PlannedPause.objects.get().pk
    assert f"Planned pause {pk} of apollo by" in manage("queue", "status").out
    assert "is taken back" in manage("queue", "cancel-planned", pk).out
    assert "Planned pause" not in manage("queue", "status").out


def test_all_services_are_paused_by_plan(manage: Any) -> None:
    start = (timezone.now() + timedelta(hours=1)).isoformat()
    assert manage("queue", "plan-pause", "--all", "--start", start, "--reason", "a move").status == 0
    assert PlannedPause.objects.get().key == "operator:all"


def test_an_instant_with_an_offset_is_said_in_utc(manage: Any) -> None:
    day = timezone.now().year + 1
    assert f"from {day}-06-01 20:30 UTC" in plan(manage, start=f"{day}-06-01T22:30:00+02:00").out
    assert "2020-06-01 20:30 UTC has passed" in plan(manage, start="2020-06-01T22:30:00+02:00").err


def test_the_status_shows_the_next_ones_and_no_thousands(manage: Any) -> None:
    start = timezone.now() + timedelta(hours=1)
    rows = [
        PlannedPause(key="operator:apollo", reason="r", actor="ann", starts_at=start + timedelta(minutes=number))
        for number in range(planned.SHOWN + 5)
    ]
    PlannedPause.objects.bulk_create(reversed(rows))
    shown = manage("queue", "status", "--json").data["planned_pauses"]
    assert [one["id"] for one in shown] == [row.pk for row in rows[: planned.SHOWN]]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"start": "tomorrow"}, "tomorrow"),
        ({"start": "2020-01-01T00:00:00Z"}, "has passed: give a later start"),
        ({"start": "9999-12-31T23:59:00-14:00"}, "an instant of the years 1 to 9999"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "an instant of the years 1 to 9999"),
        ({"service": "foo"}, "Invalid service name: foo"),
    ],
)
def test_what_makes_no_sense_is_refused(manage: Any, more: dict[str, str], words: str) -> None:
    ran = plan(manage, **more)
    assert ran.status != 0
    assert words in ran.err
    assert not PlannedPause.objects.exists()


def test_the_status_reminds_of_what_stands_beyond_its_time(manage: Any) -> None:
    plan(manage)
    past = timezone.now() - timedelta(hours=2)
    PlannedPause.objects.update(starts_at=past, ends_at=None)
    planned.begin_due()
    PlannedPause.objects.update(ends_at=past + timedelta(hours=1))
    out = manage("queue", "status").out
    assert "REMINDER: The pause of apollo by" in out
    assert "A queue resume" in out
