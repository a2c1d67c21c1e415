"""A pause may be planned: it begins by itself, and at its planned end it reminds. It never resumes; nor does a hold."""

import logging
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
            if PlannedPause.objects.filter(pk=row.pk, settled_at=None).update(settled_at=now):
                logger.warning("Planned pause %d missed: no supervisor ran between its start and its end", row.pk)
                events.record("queue", row.service, "planned_pause_missed", actor=events.SUPERVISOR, reason=row.reason)
            continue
        # First the pause, which may be repeated: should this process die in between, the next one finishes it.
        pauses.pause(row.service, actor=events.Actor(row.actor, "supervisor"), reason=row.reason)
        standing = pauses.standing(row.key)
        PlannedPause.objects.filter(pk=row.pk, settled_at=None).update(settled_at=now, pause=standing)
    return len(due)


def due() -> list[Reminder]:
    """Return what stands beyond its time: pauses beyond their planned end, holds beyond their reminder."""
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
    held = Breaker.objects.exclude(held_at=None).filter(remind_at__lte=now).order_by("remind_at")
    return reminders + [
        Reminder(
            row.service,
            "breaker",
            row.remind_at,
            f"The {row.service} breaker is held by {row.held_by}, to be asked about at "
            f"{row.remind_at:%Y-%m-%d %H:%M} UTC ({row.hold_reason}). "
            f"If it is no longer needed: manage.py breaker release {row.service}",
        )
        for row in held
        if row.remind_at
    ]


def reminded(reminder: Reminder) -> bool:
    """Note that somebody was reminded; False when that is on record already."""
    known = Event.objects.filter(
        subject_type=reminder.subject_type, subject_id=reminder.service, verb="reminded", at__gte=reminder.due_at
    )
    if known.exists():
        return False
    events.record(reminder.subject_type, reminder.service, "reminded", actor=events.SUPERVISOR, reason=reminder.text)
    return True


def _option(service: str) -> str:
    return "--all" if service == "all" else service
