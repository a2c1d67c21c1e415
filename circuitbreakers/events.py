"""This is the append-only record of everything that changed, by whom or what, through which door."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from circuitbreakers.models import Event, Incident
from circuitbreakers.signals import event_recorded
from circuitbreakers.storable import fit

NAME_LENGTH = 150  # of every column that holds a name, and of Django's user names
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Actor:
    """An actor is the person or process that acts, and the door that it came through: one of models.DOORS.

    Redis keeps any name and PostgreSQL does not, and a change may be in one of them already. So a name is made to fit
    here: cut to NAME_LENGTH, with a mark for what cannot be printed. Commands refuse such a name before they begin.
    `user`: the primary key of the user who is signed in; None for processes, and for commands, which believe any name.
    """

    name: str
    door: str
    user: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        fit = "".join(char if char.isprintable() else UNPRINTABLE for char in self.name)[:NAME_LENGTH]
        object.__setattr__(self, "name", fit)


BREAKER = Actor("circuit breaker", "breaker")
SUPERVISOR = Actor("supervisor", "supervisor")
WORKER = Actor("worker", "worker")
BOUNCE_GUARD = Actor("bounce guard", "supervisor")


def build(
    subject_type: str,
    subject_id: object,
    verb: str,
    *,
    actor: Actor,
    reason: str = "",
    before: Any = None,
    after: Any = None,
    incident: Incident | int | None = None,
) -> Event:
    """Build an unsaved event, for bulk_create where many things change at once."""
    return Event(
        subject_type=subject_type,
        subject_id=str(subject_id),
        verb=verb,
        actor=actor.name,
        door=actor.door,
        reason=fit(reason, Event, "reason"),
        before=before,
        after=after,
        incident_id=incident.pk if isinstance(incident, Incident) else incident,
    )


def record(subject_type: str, subject_id: object, verb: str, *, actor: Actor, **details: Any) -> Event:
    """Append one event, in the caller's transaction; `details` as for `build`. What hears of it belongs to the same
    transaction."""
    event = build(subject_type, subject_id, verb, actor=actor, **details)
    with transaction.atomic(savepoint=False):
        event.save()
        event_recorded.send_robust(sender=None, event=event)
    return event


def record_each(subject_type: str, subject_ids: Iterable[object], verb: str, *, actor: Actor, **details: Any) -> None:
    """Append the same event for each of many subjects, by one statement; `details` as for `build`.

    Nobody hears of these by `event_recorded`: what people are told has one subject."""
    event = build(subject_type, "", verb, actor=actor, **details)
    values = {
        str(field.column): field.get_db_prep_save(getattr(event, field.attname), connection)
        for field in Event._meta.concrete_fields
        if field.name not in ("id", "subject_id")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO events ({', '.join(values)}, subject_id)"  # noqa: S608 (names of columns only)
            f" SELECT {'%s, ' * len(values)} subject FROM unnest(%s::text[]) AS subject",
            [*values.values(), list(map(str, subject_ids))],
        )
