"""A campaign ends here, when nothing is left to do in it. Set-based and safe to repeat."""

import logging

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from campaigns.models import Campaign, JobRow, Lead
from campaigns.moves import move
from circuitbreakers import events
from circuitbreakers.locks import switch_lock

logger = logging.getLogger(__name__)

_jobs = JobRow.objects.filter(campaign=OuterRef("pk"), lead=None)
_leads = Lead.objects.filter(campaign=OuterRef("pk"))


def finish_campaigns() -> int:
    """Make RUNNING campaigns in which nothing is left to do COMPLETED, or FAILED when finding failed for good and there
    is no lead; how many."""
    if not Campaign.objects.filter(status=Campaign.Status.RUNNING).exists():
        return 0  # asked each half second, and cheaper than what follows
    over = (
        Campaign.objects.filter(status=Campaign.Status.RUNNING)
        .exclude(Exists(_leads.filter(state=Lead.State.OPEN)))
        .exclude(Exists(_jobs.filter(kind__in=("find", "reveal"), status__in=JobRow.UNFINISHED)))
        .filter(Q(search__isnull=True) | Exists(_jobs.filter(kind="find")))
    )
    finished = 0
    for pk in over.values_list("pk", flat=True)[:100]:
        with switch_lock():
            # An import holds the row FOR KEY SHARE for each batch. Its leads are not waited for under the lock that
            # every pause waits for: the next round looks again.
            held = Campaign.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
            campaign = over.filter(pk=pk).first() if held else None
            ended = campaign is not None and _finish(campaign)
        finished += bool(campaign and ended)
    return finished


def _finish(campaign: Campaign) -> bool:
    """End one campaign; False while a worker holds the job of its target, who might hand it back to nobody."""
    # Its target at Instantly is not needed any more if no lead got that far.
    target = campaign.job_rows.filter(lead=None, kind="prepare", status__in=JobRow.UNFINISHED)
    # Locked first: between two looks a worker could hand it back.
    if JobRow.Status.PROCESSING in target.select_for_update().values_list("status", flat=True):
        return False
    target.update(status=JobRow.Status.CANCELLED, completed_at=Now(), error="Campaign ended")
    failed = campaign.job_rows.filter(lead=None, kind__in=("find", "reveal"), status=JobRow.Status.FAILED).first()
    status, message = Campaign.Status.COMPLETED, ""
    if failed and not campaign.leads.exists():
        status, message = Campaign.Status.FAILED, f"Finding people failed: {failed.error}"
    elif not campaign.leads.exists():
        message = "The search found nobody"
    move(campaign, status, message, verb=status.lower(), actor=events.SUPERVISOR, reason=message, finished_at=Now())
    return True
