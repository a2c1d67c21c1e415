"""The end of a campaign, and the counters on the way there. Set-based and safe to repeat."""

import logging
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now

from campaigns.lifecycle import move
from campaigns.models import Campaign, Job, Lead
from circuitbreakers import events
from circuitbreakers.locks import switch_lock

logger = logging.getLogger(__name__)

# Counters of so many campaigns are refreshed per round, the stalest first.
REFRESHED = 20

_jobs = Job.objects.filter(campaign=OuterRef("pk"), lead=None)
_leads = Lead.objects.filter(campaign=OuterRef("pk"))


def finish_campaigns() -> int:
    """RUNNING campaigns in which nothing is left to do become COMPLETED, or FAILED when finding failed for good and
    there is no lead; how many."""
    over = (
        Campaign.objects.filter(status=Campaign.Status.RUNNING)
        .exclude(Exists(_leads.filter(state=Lead.State.OPEN)))
        .exclude(Exists(_jobs.filter(kind__in=("find", "reveal"), status__in=Job.UNFINISHED)))
        .filter(Q(search__isnull=True) | Exists(_jobs.filter(kind="find")))
    )
    finished = 0
    for pk in over.values_list("pk", flat=True)[:100]:
        with switch_lock():
            # An import holds the row FOR KEY SHARE for each batch: wait for its leads before looking for open ones.
            Campaign.objects.select_for_update().filter(pk=pk).first()
            campaign = over.filter(pk=pk).first()
            ended = campaign is not None and _finish(campaign)
        if campaign and ended:
            refresh(campaign)  # counts rows by the thousand, which a pause need not wait for
            finished += 1
    return finished


def _finish(campaign: Campaign) -> bool:
    """End it; False while a worker holds the job of its target, who might hand it back to nobody."""
    # Its target at Instantly is not needed any more if no lead got that far.
    target = campaign.jobs.filter(lead=None, kind="prepare")
    target.filter(status__in=(Job.Status.PENDING, Job.Status.PAUSED)).update(
        status=Job.Status.CANCELLED, completed_at=Now(), error="Campaign ended"
    )
    if target.filter(status=Job.Status.PROCESSING).exists():
        return False
    failed = campaign.jobs.filter(lead=None, kind__in=("find", "reveal"), status=Job.Status.FAILED).first()
    status, message = Campaign.Status.COMPLETED, ""
    if failed and not campaign.leads.exists():
        status, message = Campaign.Status.FAILED, f"Finding people failed: {failed.error}"
    elif not campaign.leads.exists():
        message = "The search found nobody"
    move(campaign, status, message, verb=status.lower(), actor=events.SUPERVISOR, reason=message, finished_at=Now())
    return True


def refresh_progress() -> int:
    """Renew the counters of the campaigns that may have moved, the stalest first; how many."""
    moving = Campaign.objects.filter(status__in=(Campaign.Status.RUNNING, Campaign.Status.PAUSED))
    stale = moving.order_by(F("progress_at").asc(nulls_first=True))[:REFRESHED]
    for campaign in stale:
        refresh(campaign)
    return 0  # always something to look at, never something left behind


def refresh(campaign: Campaign) -> None:
    """Count leads by state and stage, and jobs by status."""
    Campaign.objects.filter(pk=campaign.pk).update(progress=count(campaign), progress_at=Now())


def count(campaign: Campaign) -> dict[str, Any]:
    """`leads` by state, `stages` of OPEN leads, `jobs` by status; only what is not zero."""
    leads: dict[str, int] = {}
    stages: dict[str, int] = {}
    rows = Lead.objects.filter(campaign=campaign).order_by().values_list("state", "stage").annotate(n=Count("pk"))
    for state, stage, number in rows:
        leads[state] = leads.get(state, 0) + number
        if state == Lead.State.OPEN:
            stages[stage or "waiting"] = number
    jobs = Job.objects.filter(campaign=campaign).order_by().values_list("status").annotate(n=Count("pk"))
    return {"leads": leads, "stages": stages, "jobs": dict(jobs)}
