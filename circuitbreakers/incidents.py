"""An incident is one row per opening, written by whoever finishes its announcement first."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from circuitbreakers import events, pauses, ramps
from circuitbreakers.models import Event, Incident, QueuePause
from circuitbreakers.states import BreakerState, Opening
from circuitbreakers.storable import fit, storable

# What the column holds.
FAILURES = 2**31 - 1
# Failures that an incident keeps over all its openings.
EVIDENCE = 60


def open_incident(opening: Opening, *, actor: events.Actor = events.BREAKER) -> Incident | None:
    """Write the incident of `opening` and the system pause it joins; None when somebody has written it already.

    Call it under the switch lock, in the transaction that also pauses the campaigns. Whatever an opening holds (a
    vendor's words, an operator's, what somebody typed into Redis), its row is not refused: everything waits for it.
    """
    if _of(opening.service, opening.epoch):
        return None
    pause = pauses.standing(QueuePause.SYSTEM) or QueuePause.objects.create(
        key=QueuePause.SYSTEM,
        reason=f"System pause: {opening.service} circuit breaker opened",
        actor=events.BREAKER.name,
        started_at=timezone.now(),
    )
    failure_type = fit(opening.failure_type, Incident, "failure_type")
    failures = min(max(opening.failures, 0), FAILURES)
    values = {
        "epoch": opening.epoch,
        "opened_at": opening.opened_at,
        "reason": fit(opening.reason, Incident, "reason"),
        "failure_type": failure_type,
        "failures": failures,
        "pause": pause,
    }
    # The switch lock makes the check above safe; the unique constraint catches whoever comes without it.
    if goes_on := ramps.stop(opening):
        incident = _continue(goes_on, values, _evidence(opening))
    else:
        incident = Incident.objects.create(service=opening.service, evidence=_evidence(opening), **values)
    events.record(
        "breaker",
        opening.service,
        "opened",
        actor=actor,
        reason=opening.reason,
        before={"state": "closed"},
        after={"state": "open", "failures": failures, "failure_type": failure_type},
        incident=incident,
    )
    return incident


def _continue(incident: Incident, values: dict[str, Any], evidence: list[dict[str, str]]) -> Incident:
    """Open an incident again whose resume this opening has stopped: it has not been reset, and its pause stands."""
    values |= {
        "first_epoch": incident.first_epoch or incident.epoch,
        "evidence": [*evidence, *incident.evidence][:EVIDENCE],
    }
    values |= {"reset_at": None, "reset_by": "", "reset_reason": "", "campaigns_paused": 0, "jobs_paused": 0}
    for name, value in values.items():
        setattr(incident, name, value)
    incident.save(update_fields=list(values))
    return incident


def _evidence(opening: Opening) -> list[dict[str, str]]:
    return [{storable(name): storable(value) for name, value in row.items()} for row in opening.evidence]


def of_opening(state: BreakerState) -> Incident | None:
    """Find the incident of the opening that `state` is in, if it has been written."""
    return _of(state.service, state.opening_epoch)


def _of(service: str, opening_epoch: int) -> Incident | None:
    among = Q(epoch=opening_epoch) | Q(first_epoch__lte=opening_epoch, epoch__gte=opening_epoch)
    return Incident.objects.filter(among, service=service).first()


def unreset() -> dict[str, Incident]:
    """Return the latest incident not yet reset, by service."""
    rows = Incident.objects.filter(reset_at=None).select_related("pause").order_by("id")
    return {incident.service: incident for incident in rows}


def mark_reset(service: str, epoch: int, *, actor: events.Actor, reason: str) -> int:
    """Note that the opening `epoch`, and any older one of that service, has been reset. Returns how many it marked."""
    marked = Incident.objects.filter(service=service, epoch__lte=epoch, reset_at=None)
    latest = marked.order_by("-id").first()
    count = marked.update(
        reset_at=timezone.now(), reset_by=actor.name, reset_reason=fit(reason, Incident, "reset_reason")
    )
    if count:
        events.record(
            "breaker",
            service,
            "reset",
            actor=actor,
            reason=reason,
            before={"state": "open"},
            after={"state": "closed"},
            incident=latest,
        )
    return count


def current() -> Incident | None:
    """Return the incident that an event of now belongs to: the latest one under the standing system pause."""
    return Incident.objects.filter(pause__ended_at=None).order_by("-id").first()


def timeline(incident: Incident) -> QuerySet[Event]:
    """Return everything that happened from its opening on, oldest first."""
    return Event.objects.filter(incident=incident).order_by("id")
