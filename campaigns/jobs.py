"""A job lives in PostgreSQL by these verbs: claim, hand back, book, reclaim. Workers call these; nobody else moves
theirs.

Every verb is conditional on the fencing number of the claim: a worker that was thought dead and wakes up changes
nothing but the books.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.models import Campaign, JobRow, Lead, VendorCall
from campaigns.pipeline import MAX_CRASHES, SERVICE_OF, after_failure
from campaigns.wake import wake_supervisor
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

# The lease outlives the call's total deadline by this much (seconds).
LEASE_MARGIN = 40
# Where a job's payload keeps an answer that could not be saved.
ANSWER = "answer"

# All of the row comes out of the statement that took it: read in a second one, it may by then be another's claim.
CLAIM = """
UPDATE job_rows SET status = 'PROCESSING', fence = fence + 1, worker = %s, claimed_at = statement_timestamp(),
    lease_until = statement_timestamp() + %s
FROM campaigns c
WHERE job_rows.id = %s AND job_rows.status = 'PENDING' AND job_rows.run_at <= statement_timestamp()
    AND c.id = job_rows.campaign_id AND c.status = 'RUNNING'
RETURNING job_rows.*
"""

# A reclaimer's `unknown` is upgraded by the worker that knows; nothing else is ever overwritten.
BOOK = """
INSERT INTO vendor_calls (job_id, fence, campaign_id, service, kind, admitted_at, duration_ms, http_status, outcome,
    error, request_id, credits, tokens_in, tokens_out, cost_usd, may_be_charged, may_cost_usd, worker)
VALUES (%(job)s, %(fence)s, %(campaign)s, %(service)s, %(kind)s, %(admitted_at)s, %(duration_ms)s, %(http_status)s,
    %(outcome)s, %(error)s, %(request_id)s, %(credits)s, %(tokens_in)s, %(tokens_out)s, %(cost_usd)s,
    %(may_be_charged)s, %(may_cost_usd)s, %(worker)s)
ON CONFLICT (job_id, fence) DO UPDATE SET admitted_at = excluded.admitted_at, duration_ms = excluded.duration_ms,
    http_status = excluded.http_status, outcome = excluded.outcome, error = left('late: ' || excluded.error, 500),
    request_id = excluded.request_id, credits = excluded.credits, tokens_in = excluded.tokens_in,
    tokens_out = excluded.tokens_out, cost_usd = excluded.cost_usd, may_be_charged = excluded.may_be_charged,
    may_cost_usd = excluded.may_cost_usd
WHERE vendor_calls.outcome = 'unknown' AND excluded.outcome <> 'unknown'
"""


@dataclass(frozen=True)
class Call:
    """A call says how one admitted call ended, for the ledger. `outcome`: success, a failure type, or unknown.

    `may_cost_usd`: its answer was lost after it had been sent, and can have cost so much at most; None for all others.
    """

    admitted_at: datetime
    outcome: str
    duration_ms: int | None = None
    http_status: int | None = None
    error: str = ""
    request_id: str = ""
    credits: Decimal = Decimal(0)
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    may_cost_usd: Decimal | None = None


@dataclass
class Done:
    """A finished job leaves this behind: changes to its lead, and the jobs that follow."""

    lead: dict[str, Any] = field(default_factory=dict)
    next_kind: str = ""
    end: str = ""
    end_reason: str = ""
    effects: Callable[[], object] | None = None
    without_call: bool = False
    # The job is not done: its next claim makes another call, with this payload. Nothing else of this is saved.
    again: dict[str, Any] | None = None


def lease_seconds(service: str) -> float:
    """Return the length of a lease: longer than the call can take by more than 30 s (docs/contract.md#timings)."""
    return deadline(service) + LEASE_MARGIN


def deadline(service: str) -> float:
    """Return the seconds after which a call of `service` is cut off."""
    return float(settings.VENDORS[service]["deadline"])


def claim(pk: int, service: str, worker: str) -> JobRow | None:
    """Move a job from PENDING to PROCESSING under the next fencing number; None when there is nothing to do (a stale
    message)."""
    parameters: list[Any] = [worker, timedelta(seconds=lease_seconds(service)), pk]
    job = next(iter(JobRow.objects.raw(CLAIM, parameters)), None)
    if job is None:
        return None
    if job.lead_id:
        job.lead = Lead.objects.select_related("campaign").get(pk=job.lead_id)
        job.campaign = job.lead.campaign
    else:
        job.campaign = Campaign.objects.get(pk=job.campaign_id)
    return job


def _ours(job: JobRow) -> QuerySet[JobRow]:
    return JobRow.objects.filter(pk=job.pk, fence=job.fence, status=JobRow.Status.PROCESSING)


def is_ours(job: JobRow) -> bool:
    """Say whether this claim still holds: nobody has taken the job for a dead worker's."""
    return _ours(job).exists()


def hand_back(job: JobRow, *, wait: float | None = None) -> bool:
    """Move a job from PROCESSING to PENDING, nothing spent; it must `wait` so many seconds, by the clock that claims go
    by. False when the job is no longer ours."""
    changes: dict[str, Any] = {"status": JobRow.Status.PENDING, "lease_until": None, "sent_at": None}
    if wait is not None:
        changes["run_at"] = Now() + timedelta(seconds=wait)
    return bool(_ours(job).update(**changes))


def book(job: JobRow, call: Call) -> None:
    """Write one row in the ledger for this claim; see BOOK."""
    claim = {"job": job.pk, "campaign": job.campaign_id}
    claim |= {name: getattr(job, name) for name in ("fence", "service", "kind", "worker")}
    texts = {name: fit(getattr(call, name), VendorCall, name) for name in ("error", "request_id")}
    charge = {"may_be_charged": call.may_cost_usd is not None, "may_cost_usd": call.may_cost_usd or 0}
    with connection.cursor() as cursor:
        cursor.execute(BOOK, {**vars(call), **claim, **texts, **charge})


def complete(job: JobRow, done: Done, call: Call | None) -> bool:
    """Save a result: lead, next job and ledger in one transaction. False when the job was no longer ours.

    The call is booked in any case: what was billed stays on the books even when its result came too late.
    """
    with transaction.atomic():
        if call:
            book(job, call)
        if done.again is not None:
            return _once_more(job, done.again)
        changes: dict[str, Any] = {"payload": without_answer(job)} if ANSWER in job.payload else {}
        if not _ours(job).update(
            status=JobRow.Status.COMPLETED,
            completed_at=Now(),
            lease_until=None,
            error=None,
            failure_type="",
            without_call=done.without_call,
            **changes,
        ):
            logger.warning("Result of job %s came too late: booked only", job.pk, extra={"job": job.pk})
            return False
        if done.effects:
            done.effects()
        if job.lead_id:
            _move_lead(job, job.lead_id, done)
        wake_supervisor()
    return True


def _once_more(job: JobRow, payload: dict[str, Any]) -> bool:
    """Move a job from PROCESSING to PENDING at once; False when the job was no longer ours."""
    changed = _ours(job).update(
        status=JobRow.Status.PENDING, lease_until=None, sent_at=None, error=None, failure_type="", payload=payload
    )
    wake_supervisor()
    return bool(changed)


def _move_lead(job: JobRow, lead: int, done: Done) -> None:
    changes = dict(done.lead)
    if done.end:
        changes.update(state=done.end, ended_at=timezone.now(), end_reason=fit(done.end_reason, Lead, "end_reason"))
    if done.next_kind:
        changes["stage"] = done.next_kind
    # A campaign that was cancelled meanwhile has ended its leads; what was paid for is kept, a push is a push.
    leads = Lead.objects.filter(pk=lead)
    if not changes:
        return
    if done.end == Lead.State.PUSHED:
        leads.update(**changes)
    elif leads.filter(state=Lead.State.OPEN).update(**changes):
        if done.next_kind:
            add([JobRow(campaign_id=job.campaign_id, lead_id=job.lead_id, kind=done.next_kind)])
    elif done.lead:
        leads.update(**done.lead)


def add(jobs: list[JobRow]) -> int:
    """Insert jobs that do not exist yet; their service follows from their kind."""
    for job in jobs:
        job.service = SERVICE_OF[job.kind]
        job.run_at = Now()  # due at once by the clock that claims go by; a host's may be ahead
    return len(JobRow.objects.bulk_create(jobs, ignore_conflicts=True))


def failed(
    job: JobRow, failure_type: str, message: str, call: Call | None, *, retry_after: float | None = None
) -> bool:
    """Book a failed call and do to the job what docs/contract.md#outcomes says. False when it was no longer ours."""
    verdict = after_failure(failure_type, job.attempts, retry_after)
    with transaction.atomic():
        if call:
            book(job, call)
        if verdict.ends:
            return end_failed(job, failure_type, message, attempts=verdict.attempts)
        return bool(
            _ours(job).update(
                status=JobRow.Status.PENDING,
                lease_until=None,
                sent_at=None,
                attempts=verdict.attempts,
                error=message,
                failure_type=failure_type,
                run_at=Now() + timedelta(seconds=verdict.wait),
            )
        )


def spoiled(job: JobRow, *, call: Call | None, answer: Any, message: str) -> bool:
    """End a job for whose paid answer an error of our own was met. PROCESSING -> FAILED at once: the same again would
    be paid again. The answer is kept, and used when the job is put back. False when the job was no longer ours."""
    payload = job.payload if answer is None else {**job.payload, ANSWER: answer}
    with transaction.atomic():
        if call:
            book(job, call)
        return end_failed(job, "unknown", message, payload=payload)


def without_answer(job: JobRow) -> dict[str, Any]:
    """Return the payload without an answer that was kept."""
    return {name: value for name, value in job.payload.items() if name != ANSWER}


def end_failed(job: JobRow, failure_type: str, message: str, **changes: Any) -> bool:
    """Move a job from PROCESSING to FAILED, the lead too; others go on. Call it in a transaction. False when it was not
    ours."""
    changed = _ours(job).update(
        status=JobRow.Status.FAILED,
        completed_at=Now(),
        lease_until=None,
        error=message,
        failure_type=failure_type,
        **changes,
    )
    if changed and job.lead_id:
        Lead.objects.filter(pk=job.lead_id, state=Lead.State.OPEN).update(
            state=Lead.State.FAILED,
            ended_at=Now(),
            end_reason=fit(f"{job.kind} failed: {failure_type}", Lead, "end_reason"),
        )
    if changed:
        logger.warning(
            "Job %s failed for good: %s", job.pk, message, extra={"job": job.pk, "campaign": job.campaign_id}
        )
        wake_supervisor()
    return bool(changed)


def lost(job: JobRow, *, call: Call | None, crashed: bool, message: str) -> bool:
    """Hand back a job whose worker died or whose answer was lost; poison after three crashes. False if not ours."""
    with transaction.atomic():
        if call:
            book(job, call)
        crashes = job.crashes + crashed
        if crashed and crashes >= MAX_CRASHES:
            return end_failed(job, "unknown", f"Poison: {message}", crashes=crashes)
        return bool(
            _ours(job).update(
                status=JobRow.Status.PENDING,
                lease_until=None,
                sent_at=None,
                error=message,
                failure_type="unknown",
                crashes=F("crashes") + int(crashed),
                # One crash may be bad luck: at once. A second one waits, so that a bad deploy can be undone.
                run_at=Now() + timedelta(seconds=60 if crashes > 1 else 0),
            )
        )
