"""A job lives in PostgreSQL by these verbs: claim, hand back, book, complete, fail, lose. Workers call them, and the
supervisor for what a dead worker held (`claim_lost`).

Every verb is conditional on the fencing number of the claim: a worker that was thought dead and wakes up changes
nothing but the books.
"""

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from campaigns import statements
from campaigns.facts import Fact
from campaigns.models import JobRow, Lead, VendorCall
from campaigns.pipeline import MAX_CRASHES, SERVICE_OF, after_failure
from campaigns.wake import Woken, wake_supervisor
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

# The lease outlives the call's total deadline by this much (seconds).
LEASE_MARGIN = 40
# Where a job's payload keeps an answer that could not be saved.
ANSWER = "answer"


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
    """A job's good answer leaves this behind: changes to its lead, and the jobs that follow."""

    lead: dict[str, Any] = field(default_factory=dict)
    next_kind: str = ""
    end: str = ""
    end_reason: str = ""
    effects: Callable[[], object] | None = None
    without_call: bool = False
    # What the answer says, for all who need it; what an answer that was known has saved.
    fact: Fact | None = None
    avoided_usd: Decimal = Decimal(0)
    # A payload: the job is not over after all, its next claim makes another call with it. Nothing else here is saved.
    again: dict[str, Any] | None = None


def lease_seconds(service: str) -> float:
    """Return the length of a lease: longer than the call can take by more than 30 s (docs/contract.md#timings)."""
    return deadline(service) + LEASE_MARGIN


def deadline(service: str) -> float:
    """Return the seconds after which a call of `service` is cut off."""
    return float(settings.VENDORS[service]["deadline"])


def claim(pk: int, service: str, worker: str, *, once: bool = False) -> JobRow | None:
    """PENDING -> PROCESSING under the next fencing number; None when there is nothing to do (a stale message).

    `once`: the one job that is tried while the system's pause stands (try_one.py).
    """
    return statements.claim(pk, worker=worker, lease=timedelta(seconds=lease_seconds(service)), once=once)


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
    """One row in the ledger for this claim; see statements.BOOK."""
    with statements.prepared() as cursor:
        cursor.execute(statements.book_sql(), {"call": _entry(job, call)})


def _entry(job: JobRow, call: Call) -> str:
    """The call's row in the ledger as JSON."""
    row = {
        **{name: getattr(call, name) for name in ("duration_ms", "http_status", "outcome", "tokens_in", "tokens_out")},
        "admitted_at": call.admitted_at.isoformat(),
        "error": fit(call.error, VendorCall, "error"),
        "request_id": fit(call.request_id, VendorCall, "request_id"),
        "credits": str(call.credits),
        "cost_usd": str(call.cost_usd),
        "may_be_charged": call.may_cost_usd is not None,
        "may_cost_usd": str(call.may_cost_usd or 0),
        **{name: getattr(job, name) for name in ("fence", "campaign_id", "service", "kind", "worker")},
        "job_id": job.pk,
    }
    return json.dumps(row)


def complete(job: JobRow, done: Done, call: Call | None) -> bool:
    """Save a result: lead, next job and ledger in one transaction. False when the job was no longer ours.

    The call is booked in any case: what was billed stays on the books even when its result came too late.
    """
    if done.again is not None:
        with transaction.atomic():
            if call:
                book(job, call)
            return _once_more(job, done.again)
    # The statement is a transaction; only what comes with effects needs one around both.
    with transaction.atomic() if done.effects else contextlib.nullcontext():
        completed = statements.complete(
            job,
            call=_entry(job, call) if call else None,
            answer=ANSWER,
            without_call=done.without_call,
            lead=done.lead,
            next_kind=done.next_kind,
            next_service=SERVICE_OF.get(done.next_kind, ""),
            end=done.end,
            end_reason=fit(done.end_reason, Lead, "end_reason"),
            fact={**asdict(done.fact), "cost_usd": call.cost_usd if call else 0} if done.fact else None,
            avoided_usd=done.avoided_usd,
            wake=Woken.due(),
        )
        if completed and done.effects:
            done.effects()
    if not completed:
        logger.warning("Result of job %s came too late: booked only", job.pk, extra={"job": job.pk})
    return completed


def _once_more(job: JobRow, payload: dict[str, Any]) -> bool:
    """Move a job from PROCESSING to PENDING at once; False when the job was no longer ours."""
    changed = _ours(job).update(
        status=JobRow.Status.PENDING, lease_until=None, sent_at=None, error=None, failure_type="", payload=payload
    )
    wake_supervisor()
    return bool(changed)


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
    """End a job whose answer was paid for and has met an error of our own, PROCESSING -> FAILED at once: the same again
    would be paid again. The answer is kept, and used when the job is put back. False when it was no longer ours."""
    payload = job.payload if answer is None else {**job.payload, ANSWER: answer}
    with transaction.atomic():
        if call:
            book(job, call)
        return end_failed(job, "unknown", message, payload=payload)


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


def claim_lost(job: JobRow, *, call: Call | None, crashed: bool, message: str) -> bool:
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
