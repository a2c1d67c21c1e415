"""Each kind of job has its step, which says what it asks its vendor and what that can cost: these are the tables.

A step reads rows and builds the call; nothing is sent. The answer becomes a `Done`, which jobs.complete saves.
"""

from collections.abc import Callable
from decimal import Decimal

from campaigns.jobs import Done
from campaigns.models import JobRow, Lead
from campaigns.pipeline import SERVICE_OF
from workers.steps import find, prepare, push, research, reveal, verify, write
from workers.steps.calls import NotYet, Ready, Stopped

STEPS: dict[str, Callable[[JobRow], Ready | Done | NotYet | Stopped]] = {
    "find": find.find,
    "reveal": reveal.reveal,
    "prepare": prepare.prepare,
    "verify": verify.verify,
    "research": research.research,
    "write": write.write,
    "push": push.push,
}
# A kind that is not here is free.
MOST: dict[str, Callable[[JobRow], Decimal]] = {
    "reveal": reveal.most_usd,
    "verify": verify.most_usd,
    "research": research.most_usd,
    "write": write.most_usd,
    "push": push.most_usd,
}


def most_for_one(kind: str) -> Decimal:
    """Return what a call of that kind can cost at most for one person (USD, by the price table)."""
    most = MOST.get(kind)
    return most(JobRow(kind=kind, service=SERVICE_OF[kind], payload={"people": [""]})) if most else Decimal(0)


def call_for(job: JobRow) -> Ready | Done | NotYet | Stopped:
    """Build the call of `job`, or say what it comes to without one: nothing is bought for a lead that has ended."""
    if job.lead is not None and job.lead.state != Lead.State.OPEN:
        return Done(without_call=True)
    return STEPS[job.kind](job)


def most_usd(job: JobRow) -> Decimal | None:
    """Return what one call of `job` can cost at most (USD, by the price table); None for a kind that is free."""
    most = MOST.get(job.kind)
    return most(job) if most else None
