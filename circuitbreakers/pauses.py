"""Pauses of the queue stack, each with its reason and actor, and each is lifted on its own."""

import json
import logging
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from circuitbreakers import events, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import QueuePause
from circuitbreakers.services import SERVICES, validate
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)


class SwitchRefused(Exception):
    """The queue was not made ACTIVE; the text says why."""


def standing(key: str) -> QueuePause | None:
    """Find the pause of that key which stands now."""
    return QueuePause.objects.filter(key=key, ended_at=None).first()


def all_standing() -> list[QueuePause]:
    """Return every pause that stands, oldest first."""
    return list(QueuePause.objects.filter(ended_at=None).order_by("id"))


def operator_key(service: str) -> str:
    """Return the key of an operator's pause of `service`, or of everything for `all`. Raises UnknownService."""
    return QueuePause.ALL if service == "all" else f"operator:{validate(service)}"


def write_to_switch(pause: QueuePause) -> None:
    """Make the switch show a pause that stands in PostgreSQL."""
    value = {"at": pause.started_at.isoformat(), "cause": pause.reason, "actor": pause.actor}
    switch.run("pause", switch.EVERYBODY, [pause.key, json.dumps(value)])


def pause(service: str, *, actor: events.Actor, reason: str) -> bool:
    """Pause one service's queue, or `all`, for an operator. False when it stood already.

    Raises UnknownService, RedisUnavailable (then nothing is paused by this call).
    """
    key = operator_key(service)
    with switch_lock():
        if standing(key):
            return False
        row = QueuePause.objects.create(
            key=key,
            reason=fit(reason, QueuePause, "reason") or "No reason given",
            actor=actor.name,
            started_at=timezone.now(),
        )
        write_to_switch(row)
        events.record("queue", service, "paused", actor=actor, reason=reason, after={"pause": key})
    logger.info("Queue paused for %s by %s", service, actor.name, extra={"service": service})
    return True


def end(row: QueuePause, *, actor: events.Actor, reason: str, at: datetime | None = None) -> None:
    """Write the end of a pause to PostgreSQL: at `at`, else now, but never before it began by another host's clock."""
    row.ended_at = max(row.started_at, at or timezone.now())
    row.ended_by = actor.name
    row.end_reason = fit(reason, QueuePause, "end_reason")
    row.save(update_fields=["ended_at", "ended_by", "end_reason"])


def activate(lift: str, epochs: dict[str, int] | None = None, ramps: list[str] | None = None) -> list[str]:
    """Lift one pause in the switch ('' for none) and derive the queue status; the services ACTIVE now.

    With `ramps`, just these services begin a ramp in the same step; without, those under way go on. With `epochs`,
    refuses (SwitchRefused) when any breaker has moved since they were read.
    """
    checked_epochs = [str(epochs[name]) if epochs else "" for name in SERVICES]
    begins = ["keep"] if ramps is None else ["begin", settings.RESUME_CANARY_CALLS, *ramps]
    verdict, *names = switch.run("activate", switch.EVERYBODY, [lift, *checked_epochs, *begins])
    if verdict == "active":
        return names
    why = {
        "moved": f"The {names[0]} circuit breaker has changed since the check",
        "not_closed": f"Circuit breakers still open for: {names[0]}",
        "lost": f"The state of {names[0]} is being rebuilt",
    }
    raise SwitchRefused(why[verdict])


def lift(service: str, *, actor: events.Actor, reason: str = "") -> bool:
    """Lift an operator's own pause of one service, or of `all`. False when none stood; other pauses stay."""
    key = operator_key(service)
    with switch_lock():
        row = standing(key)
        if row is None:
            return False
        end(row, actor=actor, reason=reason)
        activate(key)
        events.record("queue", service, "resumed", actor=actor, reason=reason, before={"pause": key})
    logger.info("Queue pause of %s lifted by %s", service, actor.name, extra={"service": service})
    return True
