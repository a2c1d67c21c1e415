"""The cascade turns an opening into an incident, a system pause, and every RUNNING campaign PAUSED, in one transaction.

Their waiting jobs are PAUSED with them, and by nothing else: no row of a job is written.
"""

import logging
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaigns import paused_jobs, ramp_report
from campaigns.models import Campaign
from campaigns.wake import wake_supervisor
from circuitbreakers import events, incidents, pauses, ramps
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Incident, QueuePause
from circuitbreakers.states import Opening
from telemetry import ids

logger = logging.getLogger(__name__)


def handle_circuit_breaker_opened(opening: Opening, **kwargs: Any) -> bool:
    """Pause ALL running campaigns for ANY opening, no threshold, no dependency check: the receiver of `breaker_opened`.

    False, and nothing done, when the incident exists: somebody finished this already, and an operator may have resumed
    since.
    """
    with switch_lock():
        incident = incidents.open_incident(opening)
        if incident is None:
            return False
        with ids.named(incident=incident.pk):
            if ramp := ramps.stopped_by(opening, incident):
                ramp_report.tell_stopped(ramp, incident)
            paused = pause_running(opening.service, incident)
        seconds = max(0.0, (timezone.now() - opening.opened_at).total_seconds())
        Incident.objects.filter(pk=incident.pk).update(campaigns_paused=len(paused), cascade_seconds=seconds)
        wake_supervisor()
    return True


def pause_running(service: str, incident: Incident | None) -> list[int]:
    """Pause every RUNNING campaign for an opening of `service`; returns the ids. Call it under the switch lock."""
    running = Campaign.objects.filter(status=Campaign.Status.RUNNING)
    ids = {"service": service, "incident": incident.pk if incident else None}
    logger.info(
        "Evaluating campaigns for service %s failure - %d campaigns affected", service, running.count(), extra=ids
    )
    message = f"System pause: {service} circuit breaker opened"
    try:
        with transaction.atomic():
            paused = _pause(running, message)
    except DatabaseError:
        # A row is stuck: pause the others; the supervisor repeats until it gets that one, and names it.
        free = list(running.select_for_update(skip_locked=True).values_list("pk", flat=True))
        paused = _pause(running.filter(pk__in=free), message) if free else []
    details: Any = {"actor": events.BREAKER, "reason": message, "incident": incident}
    details |= {"before": {"status": "RUNNING"}, "after": {"status": "PAUSED"}}
    events.record_each("campaign", paused, "paused", **details)
    paused_jobs.record(paused, actor=events.BREAKER, incident=incident)
    for pk in paused:
        logger.warning(
            "Campaign %s paused due to %s circuit breaker opened", pk, service, extra={**ids, "campaign": pk}
        )
    return paused


def _pause(campaigns: QuerySet[Campaign], message: str) -> list[int]:
    """Write the pause of them all in one UPDATE; returns their ids. Under the switch lock nobody else moves a campaign
    in between."""
    ids = list(campaigns.order_by("pk").values_list("pk", flat=True))
    Campaign.objects.filter(pk__in=ids, status=Campaign.Status.RUNNING).update(
        status=Campaign.Status.PAUSED, status_message=message, system_paused_at=timezone.now()
    )
    return ids


def pause_stragglers() -> int:
    """Pause what still runs under a standing system pause: a row that was stuck. Returns how many it paused."""
    standing = QueuePause.objects.filter(key=QueuePause.SYSTEM, ended_at=None).first()
    if standing is None:
        return 0
    paused_jobs.count_late(standing)
    if not Campaign.objects.filter(status=Campaign.Status.RUNNING).exists():
        return 0
    with switch_lock():
        if pauses.standing(QueuePause.SYSTEM) is None:
            return 0
        incident = incidents.current()
        stuck = list(Campaign.objects.filter(status=Campaign.Status.RUNNING).values_list("pk", flat=True))
        if not stuck:
            return 0
        logger.warning("Campaigns still running under the system pause: %s", stuck[:20])
        return len(pause_running(incident.service if incident else "unknown", incident))
