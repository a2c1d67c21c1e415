"""An operator lets one real job of a service through while the system's pause stands: a probe proves the key, this the
work. Nothing else moves: the lead's next job waits with its campaign."""

import logging

from django.db.models import Min, Q, QuerySet
from django.db.models.functions import Now

from campaigns import fences
from campaigns.models import Campaign, JobRow
from circuitbreakers import events, gate, incidents, pauses
from circuitbreakers.breaker import require_reason
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Incident, QueuePause
from circuitbreakers.services import validate
from circuitbreakers.signals import one_let_through

logger = logging.getLogger(__name__)

# Seconds in which a worker must have begun; after that nothing is let through, whatever is still in its queue.
WITHIN = 60.0
# Campaigns that the system alone keeps paused.
ALONE = Q(status=Campaign.Status.PAUSED, system_paused_at__isnull=False, operator_paused_at=None)

REFUSED = {
    "not_closed": "The breaker of {service} is not closed: reset it first.",
    "not_alone": "Lift the operators' pauses of {service} first.",
    "lost": "The state of {service} is being rebuilt. Try again in a few seconds.",
}


class TryRefused(Exception):
    """No job was let through; the text says why."""


def try_one(service: str, *, actor: events.Actor, reason: str) -> JobRow:
    """Let the job through that failed first, else the oldest; the job. What it finds is an event of the incident.

    Raises TryRefused, BreakerRefused without a reason, UnknownService, RedisUnavailable.
    """
    why = require_reason(reason)
    with switch_lock():
        pause = pauses.standing(QueuePause.SYSTEM)
        if pause is None:
            raise TryRefused("The system is not paused: jobs run by themselves.")
        job = _first(validate(service))
        if job is None:
            raise TryRefused(f"No job of {service} waits in a campaign that the system alone has paused.")
        call = f"{job.pk}:{fences.following(job.fence, job.created_at)}"
        answer = gate.let_one_through(service, call, WITHIN)
        if answer != "granted":
            raise TryRefused(REFUSED[answer].format(service=service))
        after = {"job": job.pk, "kind": job.kind, "call": call}
        incident = incident_of(service)
        events.record("breaker", service, "try_one", actor=actor, reason=why, after=after, incident=incident)
    for _, result in one_let_through.send_robust(sender=None, service=service, job=job.pk):
        if isinstance(result, Exception):
            logger.error("Job %s was let through and could not be sent: %r", job.pk, result, extra={"job": job.pk})
    logger.info("One job of %s let through by %s: %s", service, actor.name, job.pk, extra={"service": service})
    return job


def incident_of(service: str) -> Incident | None:
    """Return the incident that is being recovered from: the service's own under the standing pause, else the latest."""
    own = Incident.objects.filter(service=service, pause__ended_at=None).order_by("-id").first()
    return own or incidents.current()


def _first(service: str) -> JobRow | None:
    campaigns = Campaign.objects.filter(ALONE, target_halt="", budget_halt="")
    due: QuerySet[JobRow] = JobRow.objects.filter(
        service=service, status=JobRow.Status.PENDING, run_at__lte=Now(), campaign_id__in=campaigns.values("pk")
    )
    first = due.exclude(failure_type="").aggregate(pk=Min("pk"))["pk"] or due.aggregate(pk=Min("pk"))["pk"]
    return JobRow.objects.filter(pk=first).first() if first else None
