"""One job, from its message to its result: claim, gate, call, record, complete. Safe to run twice."""

import contextlib
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from campaigns import jobs, lifecycle
from campaigns.models import Job
from campaigns.pipeline import MAX_REJECTED_MAILS
from circuitbreakers import events, gate, switch
from circuitbreakers.rates import RateLimit
from integrations import deadline
from integrations.errors import VendorError
from integrations.redaction import redact
from integrations.results import RateLimits, Usage
from workers import calls
from workers.preparing import prepare

logger = logging.getLogger(__name__)

# A call must end this long before its lease does (seconds): see jobs.LEASE_MARGIN.
LEASE_GUARD = 30
# What the ledger's columns hold.
MOST_TOKENS, MOST_CREDITS, MOST_USD = 2**31 - 1, Decimal(10**8 - 1), Decimal(10**6 - 1)
# Headers are a hint: on their word alone nothing is held up longer than this, per call (seconds).
LONGEST_HINT = 120.0


def run(pk: int, service: str) -> str:
    """Run job `pk` if it may run now. Returns what happened, for tests: `nothing` when there was nothing to do."""
    claimed_at = time.monotonic()
    job = jobs.claim(pk, service, gate.process_name())
    if job is None:
        return "nothing"
    try:
        ready = prepare(job)
        if isinstance(ready, calls.NotYet):
            jobs.hand_back(job, wait=ready.seconds)
            return "not yet"
        if isinstance(ready, jobs.Done):
            jobs.complete(job, ready, None)
            return "completed"
        if isinstance(ready, calls.Stopped):
            stop_campaign(job, None, ready.why)
            return "campaign paused"
        return _admit_and_call(job, ready, claimed_at)
    except (OperationalError, InterfaceError):
        raise  # PostgreSQL went away before the call: the lease ends and the job is handed back
    except Exception as error:
        # Our own bug: this job must not take the others down, nor be retried for ever.
        logger.exception("Job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        jobs.lost(job, call=None, crashed=True, message=f"Internal error: {type(error).__name__}")
        return "crashed"


def _admit_and_call(job: Job, ready: calls.Ready, claimed_at: float) -> str:
    try:
        permit = gate.admit(job.service, job.call, tokens=ready.tokens)
    except gate.Refused as refused:
        jobs.hand_back(job, until=refused.until)
        return f"refused: {refused.reason}"
    try:
        # Nothing that can block stands between the permit and the call; a thread that was not scheduled asks again.
        lease_end = claimed_at + jobs.lease_seconds(job.service)
        lease_left = lease_end - time.monotonic()
        if permit.stale() or lease_left < jobs.deadline(job.service) + LEASE_GUARD:
            return _too_late(job, permit, lease_end)
        return _call(job, ready, permit, until=lease_end)
    finally:
        permit.settle("unknown")


def _too_late(job: Job, permit: gate.Permit, until: float) -> str:
    """Nothing was sent, so nothing is booked, spent or counted."""
    permit.settle("unknown", "not sent: the worker was held up")
    persist(lambda: jobs.hand_back(job), until)
    return "refused: late"


def _call(job: Job, ready: calls.Ready, permit: gate.Permit, *, until: float) -> str:
    started = time.monotonic()
    try:
        with deadline.sent_by(permit.asked_at + gate.PERMIT_SECONDS):
            answer = ready.send()
    except deadline.PermitEnded:
        return _too_late(job, permit, until)
    except VendorError as caught:
        failure = caught
        permit.settle(
            failure.failure_type, failure.message, retry_after=failure.retry_after, tokens=_tokens(failure.usage)
        )
        call = _entry(
            permit,
            failure.failure_type,
            started,
            usage=failure.usage,
            http_status=failure.http_status,
            request_id=failure.request_id,
            error=failure.message,
        )
        why = ready.stops(failure)
        if why:
            persist(lambda: stop_campaign(job, call, why), until)
            return "campaign paused"
        persist(
            lambda: jobs.failed(job, failure.failure_type, failure.message, call, retry_after=failure.retry_after),
            until,
        )
        return f"failed: {failure.failure_type}"
    except Exception as error:
        # Our own bug, and the call may have been made: never counted against the vendor, booked as unknown.
        logger.exception("Call of job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        permit.settle("unknown")
        call = _entry(permit, "unknown", started, error=f"Internal error: {type(error).__name__}")
        persist(lambda: jobs.lost(job, call=call, crashed=True, message=call.error), until)
        return "crashed"
    usage: Usage | None = getattr(answer, "usage", None)
    permit.settle("success", tokens=_tokens(usage))
    call = _entry(
        permit,
        "success",
        started,
        usage=usage,
        http_status=getattr(answer, "http_status", 200),
        request_id=getattr(answer, "request_id", ""),
    )
    try:
        done = ready.done(answer)
        persist(lambda: jobs.complete(job, done, call), until)
    except calls.Rejected as rejected:
        # A mail is rejected for a link that it quotes, which may be an address.
        why = redact(str(rejected))
        persist(lambda: reject(job, call, why), until)
        return "rejected"
    except (OperationalError, InterfaceError):
        raise  # PostgreSQL was away until the lease ended: the call will be booked as unknown
    except Exception as error:
        # Our own bug with an answer that was paid for: it stays on the books.
        logger.exception("Result of job %s could not be saved", job.pk, extra={"job": job.pk})
        message = f"Internal error: {type(error).__name__}"
        persist(lambda: jobs.lost(job, call=call, crashed=True, message=message), until)
        return "crashed"
    follow_headers(job.service, getattr(answer, "limits", None), tokens=ready.tokens)
    return "once more" if done.again is not None else "completed"


def _tokens(usage: Usage | None) -> int:
    return usage.tokens_in + usage.tokens_out if usage else 0


def reject(job: Job, call: jobs.Call, why: str) -> bool:
    """A mail that must not be pushed: one more try, then the lead fails and a person looks at the prompt."""
    if job.attempts + 1 < MAX_REJECTED_MAILS:
        return jobs.failed(job, "malformed", f"Mail rejected: {why}", call)
    with transaction.atomic():
        jobs.book(job, call)
        return jobs.end_failed(job, "malformed", f"Mail rejected: {why}", attempts=job.attempts + 1)


def stop_campaign(job: Job, call: jobs.Call | None, why: str) -> bool:
    """Pause the job's campaign in the operators' name: what is wrong is the campaign's, every lead would fail by it,
    and none is lost while somebody mends it. False when the job was no longer ours."""
    if call:
        jobs.book(job, call)
    if not jobs.is_ours(job):
        return False
    # Before the job is handed back, so that it is not handed out again; one that is paused or has ended stays so.
    with contextlib.suppress(lifecycle.MoveRefused):
        lifecycle.pause(job.campaign_id, actor=events.WORKER, reason=why)
    return jobs.hand_back(job)


def _entry(
    permit: gate.Permit,
    outcome: str,
    started: float,
    *,
    usage: Usage | None = None,
    http_status: int | None = None,
    request_id: str = "",
    error: str = "",
) -> jobs.Call:
    usage = usage or Usage()
    return jobs.Call(
        permit.admitted_at,
        str(outcome),
        round((time.monotonic() - started) * 1000),
        http_status,
        error,
        request_id,
        # A vendor's nonsense must not keep its call from being booked.
        min(usage.credits, MOST_CREDITS),
        min(usage.tokens_in, MOST_TOKENS),
        min(usage.tokens_out, MOST_TOKENS),
        min(usage.cost_usd, MOST_USD),
    )


def persist(save: Callable[[], Any], until: float) -> None:
    """Save a paid answer; while PostgreSQL is away, try again until the lease ends (then it is `unknown`)."""
    while True:
        try:
            save()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if time.monotonic() > until:
                raise
            logger.warning("Result not saved yet: %s", type(error).__name__)
            time.sleep(0.5)
        else:
            return


def follow_headers(service: str, limits: RateLimits | None, *, tokens: int = 0) -> None:
    """Go slower when the vendor's own headers say so, and as fast as our own settings once they no longer do.

    `tokens` is what such a call reserves. A hint, so nothing depends on it, and nothing waits long for it.
    """
    if limits is None:
        return
    ours = {limit.name: limit for limit in gate.limits_of(service)}
    paces = {}
    for window in limits.windows:
        name = "tokens" if window.counts == "tokens" else f"per_{window.per:.0f}s" if window.per else ""
        if name not in ours or not window.limit:
            continue
        slower = window.limit < ours[name].count
        slowest = LONGEST_HINT * 1_000_000 / max(1, tokens if name == "tokens" else 1)
        pace = RateLimit(name, window.limit, ours[name].period).interval_us
        paces[name] = int(min(pace, slowest)) if slower else 0
    if not paces and not limits.wait:
        return
    try:
        gate.slow_down(service, wait=min(limits.wait, LONGEST_HINT), paces=paces)
    except switch.RedisUnavailable:
        return
