"""These are the verbs on a campaign: create, start, pause, resume, cancel, retry. Doors parse, call one of these,
report.

Every verb that changes who may run holds the switch lock for its status flip only. A pause and a resume take
the jobs along; what is cancelled or retried by the thousand follows afterwards.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from campaigns import feed, first_leads, paused_jobs
from campaigns.models import Campaign, JobRow
from campaigns.moves import MoveRefused, move, require_active_queue, require_finishable
from campaigns.retry import AFRESH, FailedJobs, OfGroup
from campaigns.wake import wake_supervisor
from circuitbreakers import events, incidents
from circuitbreakers.locks import switch_lock
from circuitbreakers.storable import fit, storable

Status = Campaign.Status


def create(*, actor: events.Actor, reason: str = "", **fields: Any) -> Campaign:
    """Make a new campaign, CREATED. Raises ValidationError for fields that are not fit."""
    campaign = Campaign(created_by=actor.name, **fields)
    with transaction.atomic():
        campaign.full_clean(exclude=["idempotency_key"])
        campaign.save()
        events.record("campaign", campaign.pk, "created", actor=actor, reason=reason, after={"name": campaign.name})
    return campaign


def start(pk: int, *, actor: events.Actor, reason: str = "", first: int | None = None) -> Campaign:
    """Move a campaign from CREATED to RUNNING, and make its first jobs; with `first` it holds after so many leads.
    Raises DoesNotExist, MoveRefused, RedisUnavailable."""
    first_leads.require_valid(first)
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.status != Status.CREATED:
            raise MoveRefused(f"Campaign {pk} was started already: it is {campaign.status}.")
        if campaign.search is None and not campaign.leads.exists():
            raise MoveRefused(f"Campaign {pk} has no leads. Import a CSV or give it an Apollo search first.")
        require_active_queue()
        require_finishable(campaign, first)
        holds: dict[str, Any] = {} if first is None else {"first_leads": first, "first_left": first}
        details = None if first is None else {"first_leads": first}
        move(
            campaign,
            Status.RUNNING,
            "",
            verb="started",
            actor=actor,
            reason=reason,
            details=details,
            started_at=timezone.now(),
            **holds,
        )
    feed.feed()
    wake_supervisor()
    return campaign


def pause(pk: int, *, actor: events.Actor, reason: str) -> Campaign:
    """Pause one campaign for an operator; it survives a queue resume. Its waiting jobs are PAUSED with it."""
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.status not in (Status.RUNNING, Status.PAUSED):
            raise MoveRefused(f"Campaign {pk} is {campaign.status}: only a running one can be paused.")
        if campaign.operator_paused_at:
            raise MoveRefused(f"Campaign {pk} is paused already, by {campaign.operator_paused_by}.")
        text = storable(reason).strip() or "No reason given"
        stops = campaign.status == Status.RUNNING
        message = campaign.status_message if campaign.system_paused_at else f"Paused by {actor.name}: {text}"
        move(
            campaign,
            Status.PAUSED,
            message,
            verb="paused",
            actor=actor,
            reason=text,
            operator_paused_at=timezone.now(),
            operator_paused_by=actor.name,
            operator_pause_reason=fit(text, Campaign, "operator_pause_reason"),
        )
        if stops:
            paused_jobs.record([pk], actor=actor, incident=incidents.current())
    return campaign


def resume(pk: int, *, actor: events.Actor, reason: str = "") -> Campaign:
    """Lift an operator's pause of one campaign. What the system paused, only the queue resume brings back."""
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.status != Status.PAUSED:
            raise MoveRefused(f"Campaign {pk} is {campaign.status}: only a paused one can be resumed.")
        if campaign.system_paused_at:
            raise MoveRefused(
                f"Campaign {pk} was paused by the system: {campaign.status_message}. "
                "Reset the breaker, then resume the queue: that brings back all of them."
            )
        require_active_queue()
        move(
            campaign,
            Status.RUNNING,
            f"Campaign resumed by {actor.name}",
            verb="resumed",
            actor=actor,
            reason=reason,
            operator_paused_at=None,
            operator_paused_by="",
            operator_pause_reason="",
        )
        wake_supervisor()
    return campaign


def cancel(pk: int, *, actor: events.Actor, reason: str = "") -> Campaign:
    """End a campaign for good; a call in flight finishes and is booked, nothing new starts."""
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.finished:
            raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
        move(
            campaign,
            Status.CANCELLED,
            f"Cancelled by {actor.name}" + (f": {reason}" if reason else ""),
            verb="cancelled",
            actor=actor,
            reason=reason,
            finished_at=timezone.now(),
            system_paused_at=None,
            operator_paused_at=None,
            operator_paused_by="",
            operator_pause_reason="",
        )
        wake_supervisor()
    return campaign


def retarget(pk: int, *, target: str, actor: events.Actor, reason: str = "") -> Campaign:
    """Push into another campaign at Instantly from now on; what has been pushed stays where it is. '' has one made."""
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.finished:
            raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
        before, campaign.instantly_campaign_id = campaign.instantly_campaign_id, target.strip()
        campaign.clean_fields(exclude=[f.name for f in Campaign._meta.fields if f.name != "instantly_campaign_id"])
        campaign.target_halt, campaign.target_checked_at = "", None  # the new one is asked soon
        campaign.save(update_fields=["instantly_campaign_id", "target_halt", "target_checked_at"])
        events.record(
            "campaign",
            pk,
            "retargeted",
            actor=actor,
            reason=reason,
            before={"instantly_campaign_id": before},
            after={"instantly_campaign_id": campaign.instantly_campaign_id},
        )
        if not campaign.instantly_campaign_id:
            # One that was made before, or could not be made, is made anew.
            ended = campaign.job_rows.filter(
                lead=None, kind="prepare", status__in=[JobRow.Status.FAILED, JobRow.Status.COMPLETED]
            )
            for job in ended:
                if before:  # by another name and without looking for the one that is left behind
                    job.payload = {"made": job.payload.get("made", 0) + 1, "looked": job.fence}
                ended.update(**AFRESH, payload=job.payload)
        wake_supervisor()
    return campaign


def retry_failed(
    pk: int, *, actor: events.Actor, reason: str = "", refused: bool = False, of: OfGroup | None = None
) -> int:
    """Put back what FAILED through a vendor's fault, paying only for what was not paid; how many jobs.

    A campaign that had ended runs again. What the vendor called invalid stays failed, for it would fail again, unless
    it said so of all others too; with `refused` it is put back as well, when its cause is mended. `of` picks one group
    of failures. Repeating it puts back what an interrupted one left.
    """
    failed, count = FailedJobs(pk, refused=refused, of=of), 0
    while True:
        with switch_lock():
            campaign = Campaign.objects.get(pk=pk)
            if campaign.status in (Status.CREATED, Status.CANCELLED) and not count:
                raise MoveRefused(f"Campaign {pk} is {campaign.status}: there is nothing to retry.")
            if campaign.jobs_pruned_at:
                raise MoveRefused(
                    f"Campaign {pk}: its jobs were pruned on {campaign.jobs_pruned_at:%Y-%m-%d}. Nothing of it can be "
                    "tried again; duplicate it."
                )
            if campaign.status == Status.CANCELLED or not failed.left():
                return count
            if campaign.finished:
                require_active_queue()
                move(campaign, Status.RUNNING, "", verb="reopened", actor=actor, reason=reason, finished_at=None)
                # Its target at Instantly was not needed when it ended; now its leads would wait for it for ever.
                campaign.job_rows.filter(lead=None, kind="prepare", status=JobRow.Status.CANCELLED).update(**AFRESH)
            # The first of them here, lest it end again for want of work; a pause need not wait for the others.
            count += failed.put_back(actor=actor, reason=reason)
        while moved := failed.put_back(actor=actor, reason=reason):
            count += moved
