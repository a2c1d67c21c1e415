"""The jobs that a pause of campaigns stops are counted and told here. Nothing is written to them: `Job` shows them
PAUSED."""

import logging
from collections.abc import Sequence
from contextvars import copy_context
from functools import partial

from django.db import transaction
from django.db.models import F

from campaigns.models import Campaign, Job, JobRow
from campaigns.tallies import JobCount, summed
from circuitbreakers import events
from circuitbreakers.models import Incident, QueuePause

logger = logging.getLogger(__name__)

# Up to here each job gets its log line; the others get one with their number.
LINES = 1_000


def record(campaigns: Sequence[int], *, actor: events.Actor, incident: Incident | None) -> int:
    """Count the waiting jobs of campaigns that the same transaction has paused, for the incident and as an event; how
    many. Their log lines are written when it commits."""
    jobs = _paused(campaigns)
    if jobs:
        if incident:
            Incident.objects.filter(pk=incident.pk).update(jobs_paused=F("jobs_paused") + jobs)
        events.record("queue", "jobs", "jobs_paused", actor=actor, after={"jobs": jobs}, incident=incident)
        # With the ids of now: by then nobody is named any more.
        transaction.on_commit(partial(copy_context().run, _log, campaigns, jobs), robust=True)
    return jobs


def count_late(pause: QueuePause) -> None:
    """Raise the number of the incident that paused the campaigns by the jobs whose calls were in flight then: handed
    back, they are PAUSED as well."""
    paused = Campaign.objects.filter(status=Campaign.Status.PAUSED).exclude(system_paused_at=None)
    jobs = _paused(list(paused.order_by().values_list("pk", flat=True)))
    incident = Incident.objects.filter(pause=pause, campaigns_paused__gt=0).order_by("-id").values("pk")[:1]
    Incident.objects.filter(pk__in=incident, jobs_paused__lt=jobs).update(jobs_paused=jobs)


def _paused(campaigns: Sequence[int]) -> int:
    """Count the PAUSED jobs of these campaigns. By ids: a subquery would be joined by statistics from before the pause,
    and every tally read for each campaign."""
    counts = JobCount.objects.filter(campaign_id__in=campaigns, status=Job.Status.PAUSED)
    return summed(counts, "status").get(Job.Status.PAUSED, 0)


def _log(campaigns: Sequence[int], jobs: int) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    waiting = JobRow.objects.filter(campaign_id__in=campaigns, status=JobRow.Status.PENDING)
    # In the order of the index of waiting jobs: any other would sort all of them.
    named = waiting.order_by("campaign_id", "service", "pk").values_list("pk", "campaign_id")
    for job, campaign in named[:LINES]:
        logger.info("Job %s paused: Campaign %s is paused", job, campaign, extra={"job": job, "campaign": campaign})
    if jobs > LINES:
        logger.info("%d jobs paused: their campaigns are paused", jobs - LINES, extra={"jobs": jobs - LINES})
