"""People add two things to an incident: that they have seen it, and notes."""

from django.db import transaction
from django.utils import timezone

from circuitbreakers import events
from circuitbreakers.breaker import require_reason
from circuitbreakers.models import Incident


def acknowledge(pk: int, *, actor: events.Actor, reason: str = "") -> bool:
    """Note that somebody looks after the incident; False when somebody did already."""
    with transaction.atomic():
        free = Incident.objects.filter(pk=pk, acknowledged_at=None)
        if not free.update(acknowledged_at=timezone.now(), acknowledged_by=actor.name):
            return False
        events.record("incident", pk, "acknowledged", actor=actor, reason=reason, incident=pk)
    return True


def note(pk: int, *, actor: events.Actor, text: str) -> None:
    """Append a note to the incident's timeline. Raises BreakerRefused when it is empty."""
    events.record("incident", pk, "noted", actor=actor, reason=require_reason(text), incident=pk)
