"""A vendor is called once under a permit; how that ended is told to the breaker and becomes an entry in the ledger."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from campaigns import jobs
from campaigns.models import JobRow
from circuitbreakers import gate
from circuitbreakers.budget import micro
from circuitbreakers.budgets import FREE, Charge, applying
from integrations import deadline
from integrations.errors import VendorError
from integrations.results import Usage
from workers.kinds import most_usd
from workers.steps.calls import Ready

logger = logging.getLogger(__name__)

# What the ledger's columns hold.
MOST_TOKENS, MOST_CREDITS, MOST_USD = 2**31 - 1, Decimal(10**8 - 1), Decimal(10**6 - 1)


@dataclass(frozen=True, kw_only=True)
class EndedCall:
    """An ended call is one that was made: `outcome` is success, a failure type, or unknown after an error of our own.

    `started` is an instant of time.monotonic. `answer` is there after a success, `failure` after a failure; `error`
    says for people what went wrong, "" if nothing did. `may_be_charged`: it was sent, and its answer was lost.
    """

    outcome: str
    started: float
    answer: Any = None
    failure: VendorError | None = None
    error: str = ""
    usage: Usage | None = None
    http_status: int | None = None
    request_id: str = ""
    may_be_charged: bool = False


def attempt(job: JobRow, send: Callable[[], Any], permit: gate.Permit) -> EndedCall:
    """Make the call; whatever comes of it is the value returned. Raises PermitEnded when nothing was sent."""
    started = time.monotonic()
    try:
        with deadline.sent_by(permit.asked_at + gate.PERMIT_SECONDS):
            answer = send()
    except deadline.PermitEnded:
        raise
    except VendorError as failure:
        return EndedCall(
            outcome=str(failure.failure_type),
            started=started,
            failure=failure,
            error=failure.message,
            usage=failure.usage,
            http_status=failure.http_status,
            request_id=failure.request_id,
            may_be_charged=failure.may_be_charged,
        )
    except Exception as error:
        # Our own bug, and the call may have been made: never counted against the vendor, booked as unknown, and not
        # made again.
        logger.exception("Call of job %s failed by an error of our own", job.pk, extra={"job": job.pk})
        return EndedCall(
            outcome="unknown", started=started, error=internal(error), may_be_charged=deadline.exchange.sent
        )
    # A look buys nothing: what it returns is no Result, and says nothing of itself.
    return EndedCall(
        outcome="success",
        started=started,
        answer=answer,
        usage=getattr(answer, "usage", None),
        http_status=getattr(answer, "http_status", 200),
        request_id=getattr(answer, "request_id", ""),
    )


def settle(permit: gate.Permit, ended: EndedCall) -> None:
    """Tell the breaker how the call ended. An error of our own is told without a word: it is nobody's failure."""
    # As the ledger will have it: what may have been charged is spent.
    cost = None if ended.may_be_charged else min(ended.usage.cost_usd, MOST_USD) if ended.usage else Decimal(0)
    tokens = ended.usage.tokens_in + ended.usage.tokens_out if ended.usage else 0
    message, retry_after = (ended.failure.message, ended.failure.retry_after) if ended.failure else ("", None)
    permit.settle(ended.outcome, message, retry_after=retry_after, tokens=tokens, cost_usd=cost)


def entry(job: JobRow, ready: Ready, permit: gate.Permit, ended: EndedCall) -> jobs.Call:
    """Make the call's entry in the ledger, in numbers that its columns hold; saving it is left to what follows."""
    usage = ended.usage or Usage()
    return jobs.Call(
        permit.admitted_at,
        ended.outcome,
        duration_ms=round((time.monotonic() - ended.started) * 1000),
        http_status=ended.http_status,
        error=ended.error,
        request_id=ended.request_id,
        # A vendor's nonsense must not keep its call from being booked.
        credits=min(usage.credits, MOST_CREDITS),
        tokens_in=min(usage.tokens_in, MOST_TOKENS),
        tokens_out=min(usage.tokens_out, MOST_TOKENS),
        cost_usd=min(usage.cost_usd, MOST_USD),
        may_cost_usd=most_of(job, ready) if ended.may_be_charged else None,
    )


def most_of(job: JobRow, ready: Ready) -> Decimal | None:
    """Return what the call can have cost at most (USD); None for one that is free."""
    return most_usd(job) if ready.answer else None


def charge_of(job: JobRow, ready: Ready) -> Charge:
    """Return what the call takes from the budgets that it comes under, until its cost is known."""
    budgets = applying(job.service, job.campaign_id)
    return Charge(budgets, micro(most_of(job, ready) or Decimal(0))) if budgets else FREE


def internal(error: Exception) -> str:
    """Name an error of our own for people: its text may hold anything."""
    return f"Internal error: {type(error).__name__}"
