"""A pause may be planned: it begins by itself, and at its planned end it reminds. It never resumes; nor does a hold."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from circuitbreakers import events, pauses
from circuitbreakers.models import Breaker, Event, PlannedPause
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)
SHOWN = 20  # planned pauses that a status or a page shows; the list has them all


@dataclass(frozen=True)
class Reminder:
    """A Reminder is due: a pause or a hold stands although it was to be asked about at `due_at`. `service` may be
    `all`."""

    service: str
    subject_type: str
    due_at: datetime
    text: str


def plan(
    service: str, *, actor: events.Actor, reason: str, starts_at: datetime, ends_at: datetime | None = None
) -> PlannedPause:
    """Plan an operator's pause of one service's queue, or of `all`. Raises UnknownService, ValidationError by field."""
    key, now = pauses.operator_key(service), timezone.now()
    errors = {}
    if not reason.strip():
        errors["reason"] = "A reason is needed: it becomes part of the record."
    if starts_at <= now:
        errors["starts_at"] = f"{starts_at:%Y-%m-%d %H:%M} UTC has passed: give a later start, or pause it now."
    if ends_at and ends_at <= starts_at:
        errors["ends_at"] = "The planned end must be later than the start."
    if errors:
        raise ValidationError(errors)
    with transaction.atomic():
        row = PlannedPause.objects.create(
            key=key,
            reason=fit(reason.strip(), PlannedPause, "reason"),
            actor=actor.name,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        after = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat() if ends_at else None}
        events.record("queue", service, "pause_planned", actor=actor, reason=reason, after=after)
    return row


def cancel(pk: int, *, actor: events.Actor, reason: str = "") -> bool:
    """Take back a planned pause that has not begun; False when it has, or was taken back already. Raises
    PlannedPause.DoesNotExist."""
    row = PlannedPause.objects.get(pk=pk)
    with transaction.atomic():
        if not PlannedPause.objects.filter(pk=pk, settled_at=None).update(settled_at=timezone.now()):
            return False
        before = {"starts_at": row.starts_at.isoformat()}
        events.record("queue", row.service, "planned_pause_cancelled", actor=actor, reason=reason, before=before)
    return True


def ahead() -> QuerySet[PlannedPause]:
    """Return the planned pauses that have not begun, the next one first."""
    return PlannedPause.objects.filter(settled_at=None).order_by("starts_at", "pk")


def begin_due() -> int:
    """Set the pauses whose planned start has come, as the supervisor's step; how many rows were settled.

    One whose planned end has passed, too, was missed while no supervisor ran: it pauses nothing, and says so.
    """
    now = timezone.now()
    due = PlannedPause.objects.filter(settled_at=None, starts_at__lte=now).order_by("starts_at")
    for row in due:
        if row.ends_at and row.ends_at <= now:
            _miss(row, now)
            continue
        # First the pause, which may be repeated: should this process die in between, the next one finishes it.
        pauses.pause(row.service, actor=events.Actor(row.actor, "supervisor"), reason=row.reason)
        standing = pauses.standing(row.key)
        PlannedPause.objects.filter(pk=row.pk, settled_at=None).update(settled_at=now, pause=standing)
    return len(due)


def _miss(row: PlannedPause, now: datetime) -> None:
    with transaction.atomic():
        if not PlannedPause.objects.filter(pk=row.pk, settled_at=None).update(settled_at=now):
            return
        events.record("queue", row.service, "planned_pause_missed", actor=events.SUPERVISOR, reason=row.reason)
    logger.warning("Planned pause %d missed: no supervisor ran between its start and its end", row.pk)


def due(breakers: Iterable[Breaker] | None = None) -> list[Reminder]:
    """Return what stands beyond its time: pauses beyond their planned end, holds beyond their reminder.

    `breakers` are the rows at hand; without them those that are held are read.
    """
    now = timezone.now()
    rows = (
        PlannedPause.objects.filter(ends_at__lte=now, pause__ended_at=None).exclude(pause=None).select_related("pause")
    )
    reminders = [
        Reminder(
            row.service,
            "queue",
            row.ends_at,
            f"The pause of {row.service} by {row.actor} was planned to end at {row.ends_at:%Y-%m-%d %H:%M} UTC "
            f"({row.reason}). It stands until somebody lifts it: manage.py queue resume {_option(row.service)}",
        )
        for row in rows.order_by("ends_at")
        if row.ends_at
    ]
    if breakers is None:
        breakers = Breaker.objects.exclude(held_at=None).filter(remind_at__lte=now)
    held = [(row.remind_at, row) for row in breakers if row.held_at and row.remind_at and row.remind_at <= now]
    return reminders + [
        Reminder(
            row.service,
            "breaker",
            remind_at,
            f"The {row.service} breaker is held by {row.held_by}, to be asked about at "
            f"{remind_at:%Y-%m-%d %H:%M} UTC ({row.hold_reason}). "
            f"If it is no longer needed: manage.py breaker release {row.service}",
        )
        for remind_at, row in sorted(held, key=lambda one: one[0])
    ]


def unsaid(reminders: Iterable[Reminder]) -> list[Reminder]:
    """Return those that nobody was reminded of yet, by the record."""
    return [
        one
        for one in reminders
        # By its instant: two pauses of one service may be due together, and each is said.
        if not Event.objects.filter(
            subject_type=one.subject_type,
            subject_id=one.service,
            verb="reminded",
            after__due_at=one.due_at.isoformat(),
        ).exists()
    ]


def put_on_record(reminder: Reminder, resume_plan: str) -> None:
    """Append the event that somebody was reminded, with what a resume would have brought back then."""
    after = {"due_at": reminder.due_at.isoformat(), "resume_plan": resume_plan}
    events.record(
        reminder.subject_type, reminder.service, "reminded", actor=events.SUPERVISOR, reason=reminder.text, after=after
    )


def _option(service: str) -> str:
    return "--all" if service == "all" else service
