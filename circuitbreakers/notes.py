"""People add to an incident that somebody is at it, who that is, and notes."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from circuitbreakers import events
from circuitbreakers.breaker import BreakerRefused, require_reason
from circuitbreakers.models import Incident


def acknowledge(pk: int, *, actor: events.Actor, reason: str = "") -> bool:
    """Note that somebody looks after the incident; False when somebody did already. Raises Incident.DoesNotExist."""
    with transaction.atomic():
        free = Incident.objects.filter(pk=pk, acknowledged_at=None)
        if not free.update(acknowledged_at=timezone.now(), acknowledged_by=actor.name):
            Incident.objects.get(pk=pk)
            return False
        events.record("incident", pk, "acknowledged", actor=actor, reason=reason, incident=pk)
    return True


def assign(pk: int, to: str, *, actor: events.Actor, reason: str = "") -> bool:
    """Note whose the incident is now, which acknowledges it too; False when it was theirs already.

    Raises BreakerRefused when there is no such user, Incident.DoesNotExist.
    """
    if not User.objects.filter(username=to, is_active=True).exists():
        raise BreakerRefused(f"There is no active user {to}.")
    with transaction.atomic():
        before = Incident.objects.select_for_update().get(pk=pk)  # the event names whose it was
        if before.assigned_to == to:
            return False
        Incident.objects.filter(pk=pk, acknowledged_at=None).update(
            acknowledged_at=timezone.now(), acknowledged_by=actor.name
        )
        Incident.objects.filter(pk=pk).update(assigned_to=to)
        events.record(
            "incident",
            pk,
            "assigned",
            actor=actor,
            reason=reason,
            before={"assigned_to": before.assigned_to},
            after={"assigned_to": to},
            incident=pk,
        )
    return True


def note(pk: int, *, actor: events.Actor, text: str) -> None:
    """Append a note to the incident's timeline. Raises BreakerRefused when it is empty, Incident.DoesNotExist."""
    Incident.objects.only("pk").get(pk=pk)
    events.record("incident", pk, "noted", actor=actor, reason=require_reason(text), incident=pk)


def at_it(incident: Incident) -> str:
    """Return who is at an incident; '' for nobody."""
    return incident.assigned_to or incident.acknowledged_by
