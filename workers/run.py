"""One job, from its message to its result: claim, gate, call, settle, book, save. Safe to run twice."""

import contextlib
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import Error, connection, transaction

from campaigns import jobs, lifecycle, moves, refusals
from campaigns.models import JobRow
from campaigns.pipeline import MAX_REJECTED_MAILS
from circuitbreakers import events, gate, postgresql, switch
from circuitbreakers.rates import RateLimit
from integrations import deadline, kept
from integrations.errors import FailureType, VendorError
from integrations.redaction import redact
from integrations.results import RateLimits, Result, Usage
from workers.kinds import call_for, most_usd
from workers.steps import calls

logger = logging.getLogger(__name__)

# A call must end this long before its lease does (seconds): see jobs.LEASE_MARGIN.
LEASE_GUARD = 30
# What the ledger's columns hold.
MOST_TOKENS, MOST_CREDITS, MOST_USD = 2**31 - 1, Decimal(10**8 - 1), Decimal(10**6 - 1)
# Headers are a hint: on their word alone nothing is held up longer than this, per call (seconds).
LONGEST_HINT = 120.0


def run(pk: int, service: str) -> str:
    """Run job `pk` if it may run now. Returns what happened, for tests: `nothing` when there was nothing to do.

    While PostgreSQL is away it is left where it is: not claimed, or under a lease that ends.
    """
    try:
        happened = _run(pk, service)
    except Error as error:
        if not postgresql.away(error):
            raise
        connection.close()
        postgresql.Availability.failed(error)
        return "postgresql is away"
    postgresql.Availability.answered(wrote=True)
    return happened


def _run(pk: int, service: str) -> str:
    claimed_at = time.monotonic()
    job = jobs.claim(pk, service, gate.process_name())
    if job is None:
        return "nothing"
    try:
        ready = call_for(job)
        if isinstance(ready, calls.NotYet):
            jobs.hand_back(job, wait=ready.seconds)
            return "not yet"
        if isinstance(ready, jobs.Done):
            jobs.complete(job, ready, None)
            return "completed"
        if isinstance(ready, calls.Stopped):
            stop_campaign(job, None, ready.why)
            return "campaign paused"
        if ready.answer and jobs.ANSWER in job.payload:
            answer = kept.from_json(ready.answer, job.payload[jobs.ANSWER])
            return _save(job, ready, answer, None, claimed_at + jobs.lease_seconds(service))
        return _admit_and_call(job, ready, claimed_at)
    except Exception as error:
        if postgresql.away(error):
            raise
        # Our own bug: this job must not take the others down, nor be retried for ever.
        logger.exception("Job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        jobs.lost(job, call=None, crashed=True, message=internal(error))
        return "crashed"


def _admit_and_call(job: JobRow, ready: calls.Ready, claimed_at: float) -> str:
    try:
        permit = gate.admit(job.service, job.call, tokens=ready.tokens)
    except gate.Seen as seen:
        return _seen_before(job, ready, seen)
    except gate.NotAdmitted as refused:
        jobs.hand_back(job, wait=refused.wait)
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


def _seen_before(job: JobRow, ready: calls.Ready, seen: gate.Seen) -> str:
    """PostgreSQL has lost a claim of this number, and what came of it: booked as `unknown`. The next has another."""
    message = "PostgreSQL has lost an earlier claim of this number"
    call = jobs.Call(seen.admitted_at, "unknown", error=message, may_cost_usd=_most(job, ready))
    logger.error("Job %s: %s", job.pk, message, extra={"job": job.pk, "campaign": job.campaign_id})
    jobs.lost(job, call=call, crashed=False, message=message)
    return "refused: seen"


def _too_late(job: JobRow, permit: gate.Permit, until: float) -> str:
    """Nothing was sent, so nothing is booked, spent or counted."""
    permit.settle("unknown", "not sent: the worker was held up")
    persist(lambda: jobs.hand_back(job), until)
    return "refused: late"


def _call(job: JobRow, ready: calls.Ready, permit: gate.Permit, *, until: float) -> str:
    started = time.monotonic()
    try:
        with deadline.sent_by(permit.asked_at + gate.PERMIT_SECONDS):
            answer = ready.send()
    except deadline.PermitEnded:
        return _too_late(job, permit, until)
    except VendorError as failure:
        tokens = _tokens(failure.usage)
        permit.settle(failure.failure_type, failure.message, retry_after=failure.retry_after, tokens=tokens)
        call = _entry(
            permit,
            failure.failure_type,
            started,
            usage=failure.usage,
            http_status=failure.http_status,
            request_id=failure.request_id,
            error=failure.message,
            may_cost_usd=_most(job, ready) if failure.may_be_charged else None,
        )
        return _failed(job, ready, failure, call, until)
    except Exception as error:
        # Our own bug, and the call may have been made: never counted against the vendor, booked as unknown, and not
        # made again.
        logger.exception("Call of job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        permit.settle("unknown")
        lost = _most(job, ready) if deadline.exchange.sent else None
        call = _entry(permit, "unknown", started, error=internal(error), may_cost_usd=lost)
        persist(lambda: jobs.spoiled(job, call=call, answer=None, message=call.error), until)
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
    happened = _save(job, ready, answer, call, until)
    follow_headers(job.service, getattr(answer, "limits", None), tokens=ready.tokens)
    return happened


def _failed(job: JobRow, ready: calls.Ready, failure: VendorError, call: jobs.Call, until: float) -> str:
    if why := ready.stops(failure):
        persist(lambda: stop_campaign(job, call, why), until)
        return "campaign paused"
    if failure.failure_type == FailureType.INVALID_REQUEST:
        return _refused(job, call, until)
    persist(
        lambda: jobs.failed(job, failure.failure_type, failure.message, call, retry_after=failure.retry_after), until
    )
    return f"failed: {failure.failure_type}"


def _refused(job: JobRow, call: jobs.Call, until: float) -> str:
    """The lead fails; but if one after the other is refused in the same words, it is not the leads that are wrong."""
    alike: list[int] | None = None

    def save() -> None:
        nonlocal alike
        alike = refusals.alike(job, call.error)
        if alike is None:
            jobs.failed(job, call.outcome, call.error, call)
        else:
            stop_campaign(job, call, refusals.why(job.service, call.error))
            refusals.mark(alike)

    persist(save, until)
    return f"failed: {call.outcome}" if alike is None else "campaign paused"


def _save(job: JobRow, ready: calls.Ready, answer: Any, call: jobs.Call | None, until: float) -> str:
    """Save an answer that was paid for; `call` is its entry in the ledger, None if that has been made."""
    try:
        done = ready.done(answer)
        persist(lambda: jobs.complete(job, done, call), until)
    except calls.Rejected as rejected:
        # A mail is rejected for a link that it quotes, which may be an address.
        why = redact(str(rejected))
        persist(lambda: reject(job, call, why), until)
        return "rejected"
    except Exception as error:
        if postgresql.away(error):
            raise  # until the lease ended: the call will be booked as unknown
        logger.exception("Result of job %s could not be saved", job.pk, extra={"job": job.pk})
        keep = kept.as_json(answer) if isinstance(answer, Result) else None
        message = internal(error)
        persist(lambda: jobs.spoiled(job, call=call, answer=keep, message=message), until)
        return "crashed"
    return "once more" if done.again is not None else "completed"


def internal(error: Exception) -> str:
    """An error of our own for people: its text may hold anything."""
    return f"Internal error: {type(error).__name__}"


def _most(job: JobRow, ready: calls.Ready) -> Decimal | None:
    """What the call can have cost at most; None for one that is free."""
    return most_usd(job) if ready.answer else None


def _tokens(usage: Usage | None) -> int:
    return usage.tokens_in + usage.tokens_out if usage else 0


def reject(job: JobRow, call: jobs.Call | None, why: str) -> bool:
    """A mail that must not be pushed: one more try, then the lead fails and a person looks at the prompt."""
    if job.attempts + 1 < MAX_REJECTED_MAILS:
        return jobs.failed(job, "malformed", f"Mail rejected: {why}", call)
    with transaction.atomic():
        if call:
            jobs.book(job, call)
        return jobs.end_failed(job, "malformed", f"Mail rejected: {why}", attempts=job.attempts + 1)


def stop_campaign(job: JobRow, call: jobs.Call | None, why: str) -> bool:
    """Pause the job's campaign in the operators' name: what is wrong is the campaign's, every lead would fail by it,
    and none is lost while somebody mends it. False when the job was no longer ours."""
    if call:
        jobs.book(job, call)
    if not jobs.is_ours(job):
        return False
    # Before the job is handed back, so that it is not handed out again; one that is paused or has ended stays so.
    with contextlib.suppress(moves.MoveRefused):
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
    may_cost_usd: Decimal | None = None,
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
        may_cost_usd,
    )


def persist(save: Callable[[], Any], until: float) -> None:
    """Save a paid answer; while PostgreSQL is away, try again until the lease ends (then it is `unknown`)."""
    while True:
        try:
            save()
        except Error as error:
            if not postgresql.away(error):
                raise
            connection.close()
            postgresql.Availability.failed(error)
            if time.monotonic() > until:
                raise
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
