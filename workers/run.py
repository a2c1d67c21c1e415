"""A job is run from its message to its result: claim, build the call, admit, attempt, settle, enter, decide, persist,
then follow the vendor's headers. It is safe to run twice."""

import logging
import time

from django.db import Error, connection

from campaigns import jobs
from campaigns.models import JobRow
from circuitbreakers import budget_halts, gate, postgresql
from integrations import deadline, kept
from telemetry import counters, ids
from workers.attempt import attempt, charge_of, entry, internal, most_of, settle
from workers.consequences import Consequence, decide, of_answer, of_lateness, stop_campaign
from workers.kinds import call_for
from workers.pace import follow_headers
from workers.steps import calls

logger = logging.getLogger(__name__)

# A lead on the suppression list ends by this, without a call, whatever its next one would be.
SUPPRESSED = jobs.Done(end="DROPPED", end_reason="suppressed", without_call=True)
# A call must end this long before its lease does (seconds): see jobs.LEASE_MARGIN.
LEASE_GUARD = 30


def run(pk: int, service: str, *, once: bool = False) -> str:
    """Run job `pk` if it may run now. Returns what happened, for tests: `nothing` when there was nothing to do.

    `once`: as the one job that is tried while the system is paused. While PostgreSQL is away it is left where it is:
    not claimed, or under a lease that ends.
    """
    try:
        with ids.named(job=pk):
            happened = _run(pk, service, once)
    except Error as error:
        if not postgresql.away(error):
            raise
        connection.close()
        postgresql.Availability.failed(error)
        return "postgresql is away"
    postgresql.Availability.answered(wrote=True)
    return happened


def _run(pk: int, service: str, once: bool) -> str:
    claimed_at = time.monotonic()
    job = jobs.claim(pk, service, gate.process_name(), once=once)
    if job is None:
        return "nothing"
    with ids.named(campaign=job.campaign_id, call=job.call):
        return _run_claimed(job, claimed_at)


def _run_claimed(job: JobRow, claimed_at: float) -> str:
    try:
        ready = SUPPRESSED if job.suppressed else call_for(job)
        if isinstance(ready, calls.NotYet):
            jobs.hand_back(job, wait=ready.seconds)
            return "not yet"
        if isinstance(ready, jobs.Done):
            jobs.complete(job, ready, None)
            return "completed"
        if isinstance(ready, calls.Stopped):
            stop_campaign(job, None, ready.why)
            return "campaign paused"
        lease_end = claimed_at + jobs.lease_seconds(job.service)
        if ready.answer and jobs.ANSWER in job.payload:
            answer = kept.from_json(ready.answer, job.payload[jobs.ANSWER])
            return persist(of_answer(job, ready, answer, None), lease_end)
        return _admit_and_call(job, ready, lease_end)
    except Exception as error:
        if postgresql.away(error):
            raise
        # Our own bug: this job must not take the others down, nor be retried for ever.
        logger.exception("Job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        jobs.claim_lost(job, call=None, crashed=True, message=internal(error))
        return "crashed"


def _admit_and_call(job: JobRow, ready: calls.Ready, lease_end: float) -> str:
    try:
        permit = _admit(job, ready)
    except gate.Seen as seen:
        return _seen_before(job, ready, seen)
    except gate.NoRoom as refused:
        # Before the job is handed back, so that it is not handed out again.
        budget_halts.hold(refused.budget, at=refused.at, needs=refused.needs)
        jobs.hand_back(job)
        return "refused: budget"
    except gate.NotAdmitted as refused:
        jobs.hand_back(job, wait=refused.wait)
        return f"refused: {refused.reason}"
    try:
        # Nothing that can block stands between the permit and the call; a thread that was not scheduled asks again.
        lease_left = lease_end - time.monotonic()
        if permit.stale() or lease_left < jobs.deadline(job.service) + LEASE_GUARD:
            return _too_late(job, permit, lease_end)
        return _call(job, ready, permit, lease_end)
    finally:
        permit.settle("unknown")


def _admit(job: JobRow, ready: calls.Ready) -> gate.Permit:
    try:
        permit = gate.admit(job.service, job.call, tokens=ready.tokens, charge=charge_of(job, ready))
    except gate.NotAdmitted as refused:
        counters.REFUSALS.labels(job.service, refused.reason).inc()
        raise
    counters.ADMISSIONS.labels(job.service).inc()
    return permit


def _seen_before(job: JobRow, ready: calls.Ready, seen: gate.Seen) -> str:
    """Book as `unknown` a claim of this number that PostgreSQL has lost, with what came of it. The next has another."""
    message = "PostgreSQL has lost an earlier claim of this number"
    call = jobs.Call(seen.admitted_at, "unknown", error=message, may_cost_usd=most_of(job, ready))
    logger.error("Job %s: %s", job.pk, message, extra={"job": job.pk, "campaign": job.campaign_id})
    jobs.claim_lost(job, call=call, crashed=False, message=message)
    counters.CALLS.labels(job.service, call.outcome).inc()
    return "refused: seen"


def _too_late(job: JobRow, permit: gate.Permit, lease_end: float) -> str:
    permit.settle("unknown", "not sent: the worker was held up", sent=False)
    counters.REFUSALS.labels(job.service, "late").inc()
    return persist(of_lateness(job), lease_end)


def _call(job: JobRow, ready: calls.Ready, permit: gate.Permit, lease_end: float) -> str:
    """Attempt, settle, enter, decide, save, in this order: the breaker hears of the call before PostgreSQL, which may
    be away until the lease ends, and what follows is decided with the entry that is booked with it."""
    try:
        ended = attempt(job, ready.send, permit)
    except deadline.PermitEnded:
        return _too_late(job, permit, lease_end)
    settle(permit, ended)
    call = entry(job, ready, permit, ended)
    happened = persist(decide(job, ready, ended, call), lease_end)
    # Once it is booked: what cannot be is counted by whoever reclaims the job.
    counters.CALLS.labels(job.service, call.outcome).inc()
    counters.CALL_SECONDS.labels(job.service).observe((call.duration_ms or 0) / 1000)
    follow_headers(job.service, getattr(ended.answer, "limits", None), tokens=ready.tokens)
    return happened


def persist(consequence: Consequence, lease_end: float) -> str:
    """Save what came of a job, and say what happened.

    While PostgreSQL is away, try again until the lease ends; then its error is raised (the call will be `unknown`).
    """
    while True:
        try:
            return consequence.save()
        except Exception as error:
            if postgresql.away(error):
                connection.close()
                postgresql.Availability.failed(error)
                if time.monotonic() > lease_end:
                    raise
                time.sleep(0.5)
            elif consequence.otherwise:
                consequence = consequence.otherwise(error)
            else:
                raise
