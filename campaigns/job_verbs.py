"""Retry and cancel of single jobs. Conditional UPDATEs: a job that a worker has claimed meanwhile is left alone."""

from django.db.models.functions import Now
from django.utils import timezone

from campaigns.lifecycle import MoveRefused
from campaigns.models import Campaign, Job, Lead
from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.locks import switch_lock

ALIVE = (Campaign.Status.RUNNING, Campaign.Status.PAUSED)


def retry(pk: int, *, actor: events.Actor, reason: str = "") -> None:
    """FAILED -> PENDING with fresh attempts, its lead put back. Raises DoesNotExist, MoveRefused.

    In a paused campaign `align` makes it PAUSED. Under the switch lock, so that the campaign does not end meanwhile.
    """
    with switch_lock():
        job = Job.objects.select_related("campaign").get(pk=pk)
        if job.campaign.status not in ALIVE:
            raise MoveRefused(
                f"Job {pk}: its campaign is {job.campaign.status}. Retry the campaign's failed jobs to reopen it."
            )
        if job.lead_id and not _put_back(job.lead_id, job.kind):
            raise MoveRefused(f"Job {pk}: its lead has ended otherwise meanwhile.")
        changed = Job.objects.filter(pk=pk, status=Job.Status.FAILED).update(
            status=Job.Status.PENDING, completed_at=None, attempts=0, crashes=0, error=None, failure_type="",
            sent_at=None, run_at=Now(),
        )  # fmt: skip
        if not changed:
            raise MoveRefused(f"Job {pk} is {job.status}: only a failed one can be retried.")
        _record(job, "retried", before="FAILED", after="PENDING", actor=actor, reason=reason)
        wake_supervisor()


def _put_back(lead: int, kind: str) -> bool:
    """FAILED -> OPEN if it failed at this very step; an OPEN one stays as it is."""
    rows = Lead.objects.filter(pk=lead, stage=kind)
    changed = rows.filter(state=Lead.State.FAILED).update(state=Lead.State.OPEN, ended_at=None, end_reason="")
    return bool(changed) or rows.filter(state=Lead.State.OPEN).exists()


def cancel(pk: int, *, actor: events.Actor, reason: str = "") -> None:
    """PENDING or PAUSED -> CANCELLED, its lead dropped. Raises DoesNotExist, MoveRefused (a worker has it)."""
    with switch_lock():
        job = Job.objects.get(pk=pk)
        if job.kind == "prepare":
            raise MoveRefused(
                f"Job {pk} makes the campaign at Instantly, which every push waits for. Cancel the campaign."
            )
        now = timezone.now()
        changed = Job.objects.filter(pk=pk, status__in=(Job.Status.PENDING, Job.Status.PAUSED)).update(
            status=Job.Status.CANCELLED, completed_at=now, error=f"Cancelled by {actor.name}"
        )
        if not changed:
            raise MoveRefused(f"Job {pk} is {job.status}: only a pending or paused one can be cancelled.")
        if job.lead_id:
            Lead.objects.filter(pk=job.lead_id, state=Lead.State.OPEN).update(
                state=Lead.State.DROPPED, ended_at=now, end_reason=f"{job.kind} cancelled by {actor.name}"[:300]
            )
        _record(job, "cancelled", before=job.status, after="CANCELLED", actor=actor, reason=reason)
        wake_supervisor()


def _record(job: Job, verb: str, *, before: str, after: str, actor: events.Actor, reason: str) -> None:
    events.record("job", job.pk, verb, actor=actor, reason=reason, before={"status": before}, after={"status": after})
