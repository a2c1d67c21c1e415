"""A person cancels a single job; one that a worker has claimed meanwhile is left alone."""

from django.utils import timezone

from campaigns.models import Job, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.locks import switch_lock
from circuitbreakers.storable import fit


def cancel(pk: int, *, actor: events.Actor, reason: str = "") -> None:
    """PENDING or PAUSED -> CANCELLED, its lead dropped. Raises DoesNotExist, MoveRefused (a worker has it)."""
    with switch_lock():
        job = Job.objects.get(pk=pk)
        if job.kind == "prepare":
            raise MoveRefused(
                f"Job {pk} makes the campaign at Instantly, which every push waits for. Cancel the campaign."
            )
        now = timezone.now()
        if job.lead_id:
            # Before its job, as a suppression ends them: the other way round the two could deadlock.
            Lead.objects.select_for_update().filter(pk=job.lead_id).first()
        changed = JobRow.objects.filter(pk=pk, status=JobRow.Status.PENDING).update(
            status=JobRow.Status.CANCELLED, completed_at=now, error=f"Cancelled by {actor.name}"
        )
        if not changed:
            raise MoveRefused(f"Job {pk} is {job.status}: only a pending or paused one can be cancelled.")
        if job.lead_id:
            Lead.objects.filter(pk=job.lead_id, state=Lead.State.OPEN).update(
                state=Lead.State.DROPPED,
                ended_at=now,
                end_reason=fit(f"{job.kind} cancelled by {actor.name}", Lead, "end_reason"),
            )
        events.record(
            "job",
            pk,
            "cancelled",
            actor=actor,
            reason=reason,
            before={"status": job.status},
            after={"status": JobRow.Status.CANCELLED},
        )
        wake_supervisor()
