"""Each way in which a call can end does something to its job and its campaign: here it is decided, then saved."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from campaigns import jobs, lifecycle, moves, refusals
from campaigns.models import JobRow
from campaigns.pipeline import MAX_REJECTED_MAILS
from circuitbreakers import events, postgresql
from integrations import kept
from integrations.errors import FailureType, VendorError
from integrations.redaction import redact
from integrations.results import Result
from workers.attempt import EndedCall, internal
from workers.steps.calls import Ready, Rejected

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Consequence:
    """A consequence is what a call's end does: `save` writes all of it, safe to repeat, and says what happened.

    `otherwise` is what follows in its place when saving it met a bug of ours; None: then the error is raised.
    """

    save: Callable[[], str]
    otherwise: Callable[[Exception], "Consequence"] | None = None


def decide(job: JobRow, ready: Ready, ended: EndedCall, call: jobs.Call) -> Consequence:
    """Decide what follows from a call; nothing is saved yet. `call` is its entry in the ledger."""
    if ended.failure:
        return of_failure(job, ready, ended.failure, call)
    if ended.outcome == "success":
        return of_answer(job, ready, ended.answer, call)
    return of_bug(job, call, None, call.error)


def of_failure(job: JobRow, ready: Ready, failure: VendorError, call: jobs.Call) -> Consequence:
    """Let the campaign wait for a person, the lead fails, or the job is tried again: docs/contract.md#outcomes."""
    if why := ready.stops(failure):
        return Consequence(lambda: _stopped(job, call, why))
    if failure.failure_type == FailureType.INVALID_REQUEST:
        return Consequence(lambda: _refused(job, call))

    def save() -> str:
        jobs.failed(job, failure.failure_type, failure.message, call, retry_after=failure.retry_after)
        return f"failed: {failure.failure_type}"

    return Consequence(save)


def of_answer(job: JobRow, ready: Ready, answer: Any, call: jobs.Call | None) -> Consequence:
    """Save an answer that was paid for, or keep it if a bug of ours is in the way; a mail may be rejected.

    `call` is None if the answer's call is in the ledger already. Raises when PostgreSQL is away.
    """

    def bug(error: Exception) -> Consequence:
        logger.error("Result of job %s could not be saved", job.pk, exc_info=error, extra={"job": job.pk})
        return of_bug(job, call, answer, internal(error))

    try:
        done = ready.done(answer)
    except Rejected as rejected:
        # A mail is rejected for a link that it quotes, which may be an address.
        why = redact(str(rejected))
        return Consequence(lambda: reject(job, call, why))
    except Exception as error:
        if postgresql.away(error):
            raise
        return bug(error)

    def save() -> str:
        jobs.complete(job, done, call)
        return "once more" if done.again is not None else "completed"

    return Consequence(save, bug)


def of_bug(job: JobRow, call: jobs.Call | None, answer: Any, message: str) -> Consequence:
    """Fail the job at once, by an error of our own; an answer that was paid for is kept with it."""
    keep = kept.as_json(answer) if isinstance(answer, Result) else None

    def save() -> str:
        jobs.spoiled(job, call=call, answer=keep, message=message)
        return "crashed"

    return Consequence(save)


def of_lateness(job: JobRow) -> Consequence:
    """Hand the job back: nothing was sent, so nothing is booked, spent or counted."""

    def save() -> str:
        jobs.hand_back(job)
        return "refused: late"

    return Consequence(save)


def _stopped(job: JobRow, call: jobs.Call, why: str) -> str:
    stop_campaign(job, call, why)
    return "campaign paused"


def _refused(job: JobRow, call: jobs.Call) -> str:
    """The lead fails; but if one after the other is refused in the same words, it is not the leads that are wrong."""
    alike = refusals.alike(job, call.error)
    if alike is None:
        jobs.failed(job, call.outcome, call.error, call)
        return f"failed: {call.outcome}"
    stop_campaign(job, call, refusals.why(job.service, call.error))
    refusals.mark(alike)
    return "campaign paused"


def reject(job: JobRow, call: jobs.Call | None, why: str) -> str:
    """A mail that must not be pushed gets one more try, then the lead fails and a person looks at the prompt."""
    message = f"Mail rejected: {why}"
    if job.attempts + 1 < MAX_REJECTED_MAILS:
        jobs.failed(job, "malformed", message, call)
        return "rejected"
    with transaction.atomic():
        if call:
            jobs.book(job, call)
        jobs.end_failed(job, "malformed", message, attempts=job.attempts + 1)
    return "rejected"


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
