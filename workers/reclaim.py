"""A lease is dead when its worker died, froze, or could not reach PostgreSQL; the job goes back, and what it may have
bought is booked as `unknown`."""

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from campaigns import jobs
from campaigns.models import JobRow, Process
from circuitbreakers import gate, switch
from circuitbreakers.models import Incident
from telemetry import counters
from workers.kinds import most_usd

logger = logging.getLogger(__name__)

# Redis forgets settled calls after 15 minutes (record.lua); with a minute to spare.
MEMORY = timedelta(minutes=14)
# The claim's instant is PostgreSQL's, the seal's is Redis's.
CLOCK_SKEW = timedelta(seconds=30)


def reclaim(limit: int = 200) -> int:
    """Hand back the jobs of dead leases; how many. Raises RedisUnavailable: only Redis knows what was admitted."""
    dead = JobRow.objects.filter(status=JobRow.Status.PROCESSING, lease_until__lt=Now()).order_by("lease_until")
    return sum(_reclaim(job) for job in dead[:limit])


def _reclaim(job: JobRow) -> bool:
    alive = _outlived(job)
    if alive is None:
        return False
    crashed = not alive
    call = None
    if admitted_at := admission_of(job):
        call = jobs.Call(admitted_at, "unknown", error="The answer was lost", may_cost_usd=most_usd(job))
        gate.record(job.service, "unknown", call=job.call)
    message = f"Worker {job.worker} {'died' if crashed else 'lost the answer'}"
    # Never admitted means that it never began: that counts against nobody.
    changed = jobs.claim_lost(job, call=call, crashed=crashed and call is not None, message=message)
    if changed:
        counters.RECLAIMED.labels("died" if crashed else "answer_lost").inc()
        if call:
            counters.CALLS.labels(job.service, call.outcome).inc()
        logger.warning("Job %s reclaimed: %s", job.pk, message, extra={"job": job.pk, "campaign": job.campaign_id})
    return changed


def admission_of(job: JobRow) -> datetime | None:
    """Find when the call was admitted, by Redis's clock, or can have been at the latest; None if it was not.

    That it was not can be said only if Redis remembers that far back and knows nothing of the call.
    """
    trace = gate.trace(job.service, job.call)
    if trace.admitted_at:
        return trace.admitted_at
    claimed, sealed = job.claimed_at or timezone.now(), switch.sealed_at()
    since = max(filter(None, (sealed, trace.since)), default=None)
    if sealed and since and timezone.now() - claimed <= MEMORY and claimed >= since + CLOCK_SKEW:
        return None
    # After an opening nothing is admitted until its pause ends.
    shut = Incident.objects.filter(Q(pause__ended_at=None) | Q(pause__ended_at__gt=claimed), opened_at__lt=claimed)
    opening = shut.order_by("opened_at").values_list("opened_at", flat=True).first()
    return opening or claimed


def _outlived(job: JobRow) -> bool | None:
    """Say whether the process that held the job was still alive after the lease: then it did not crash. None while that
    cannot be told: it signs every two seconds only, and a lease may have ended just now."""
    # By the database's clock, which wrote all three.
    holder = Process.objects.filter(name=job.worker, started_at__lte=job.claimed_at)
    process = holder.first()
    if process is None:
        return False  # signed off, or another one by that name since
    if job.lease_until and process.seen_at >= job.lease_until:
        return True
    return None if holder.alive().exists() else False
