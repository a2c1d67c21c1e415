"""The append-only record of everything that changed, by whom or what, through which door."""

from dataclasses import dataclass
from typing import Any

from circuitbreakers.models import Event, Incident


@dataclass(frozen=True)
class Actor:
    """Who or what acts, and the door: admin | api | command | worker | supervisor | breaker."""

    name: str
    door: str


BREAKER = Actor("circuit breaker", "breaker")
SUPERVISOR = Actor("supervisor", "supervisor")
WORKER = Actor("worker", "worker")


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
    """An unsaved event, for bulk_create where many things change at once."""
    return Event(
        subject_type=subject_type,
        subject_id=str(subject_id),
        verb=verb,
        actor=actor.name,
        door=actor.door,
        reason=reason[:500],
        before=before,
        after=after,
        incident_id=incident.pk if isinstance(incident, Incident) else incident,
    )


def record(subject_type: str, subject_id: object, verb: str, *, actor: Actor, **details: Any) -> Event:
    """Append one event, in the caller's transaction; `details` as for `build`."""
    event = build(subject_type, subject_id, verb, actor=actor, **details)
    event.save()
    return event
