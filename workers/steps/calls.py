"""The values that a step returns: a call to be made, or what happens without one. run.py acts on them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from campaigns import fences
from campaigns.jobs import Done
from campaigns.models import JobRow, Lead
from integrations import prices
from integrations.errors import VendorError
from integrations.results import Result

# More tokens than any prompt of ours has.
MOST_PROMPT = 20_000
# How long a job waits for the fact that another one is asking for (seconds).
ASKED_WAIT = 2
# After these the vendor may have done what it was asked; a success is one that could not be saved.
UNCERTAIN = ("success", "unknown", "timeout", "connection", "server_error", "malformed")


@dataclass(frozen=True)
class Ready:
    """A call is ready to be made: `send` makes it, `done` turns its answer into what the job leaves behind."""

    send: Callable[[], Any]
    done: Callable[[Any], Done]
    tokens: int = 0  # what it may use at most, for the budget per minute
    answer: type[Result] | None = None  # what it buys, so that an answer in hand can be kept; None: a look that is free
    stops: Callable[[VendorError], str] = lambda error: ""  # why the whole campaign must wait for a person, if it must


@dataclass(frozen=True)
class NotYet:
    """Something must come first; try again in `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Stopped:
    """Nothing of this campaign can go on until a person has mended it."""

    why: str


class Rejected(Exception):
    """The vendor answered, and was paid, but the answer is no use; the text says why."""


def credits_usd(job: JobRow, credits: int) -> Decimal:
    """Return what so many of the service's credits cost (USD)."""
    return prices.cost(job.service, credits=Decimal(credits))


def tokens_usd(job: JobRow, model: str, tokens_in: int, tokens_out: int) -> Decimal:
    """Return what so many tokens of the service's model cost (USD)."""
    return prices.cost(job.service, model=model, tokens_in=tokens_in, tokens_out=tokens_out)


def lead_of(job: JobRow) -> Lead:
    """Return the lead of a job that has one; a database constraint says which do."""
    assert job.lead is not None  # noqa: S101 (job_belongs_to_campaign_or_lead)
    return job.lead


def address_of(lead: Lead) -> str:
    """Return the address of a lead that is worked on; lead_worked_has_address says it has one."""
    assert lead.email is not None  # noqa: S101
    return lead.email


def unsettled(job: JobRow) -> bool:
    """Say whether an earlier claim's call may have been made and nobody has looked since.

    The payload's `looked` is the claim of the last look.
    """
    # The first claim needs no query.
    if fences.is_first(job.fence, job.created_at):
        return False
    return job.calls.filter(fence__gt=job.payload.get("looked", 0), outcome__in=UNCERTAIN).exists()
