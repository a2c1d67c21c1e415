"""What each kind of job asks its vendor, and what that can cost. Campaigns and vendors meet here.

`prepare` reads rows and builds the call; nothing is sent. The answer becomes a `Done`, which jobs.complete saves.
"""

from collections.abc import Callable
from decimal import Decimal

from campaigns.jobs import Done
from campaigns.models import JobRow
from workers import finding, pushing, writing
from workers.calls import NotYet, Ready, Stopped

PREPARE: dict[str, Callable[[JobRow], Ready | Done | NotYet | Stopped]] = {
    "find": finding.find,
    "reveal": finding.reveal,
    "prepare": pushing.make_target,
    "verify": writing.verify,
    "research": writing.research,
    "write": writing.write,
    "push": pushing.push,
}
# Those that are not here are free.
MOST: dict[str, Callable[[JobRow], Decimal]] = {
    "reveal": finding.most_of_reveal,
    "verify": writing.most_of_verify,
    "research": writing.most_of_research,
    "write": writing.most_of_write,
    "push": pushing.most_of_push,
}


def prepare(job: JobRow) -> Ready | Done | NotYet | Stopped:
    """The call of `job`, or what it comes to without one."""
    return PREPARE[job.kind](job)


def most_usd(job: JobRow) -> Decimal | None:
    """What one call of `job` can cost at most (USD, by the price table); None for a kind that is free."""
    most = MOST.get(job.kind)
    return most(job) if most else None
