"""What each kind of job asks its vendor, and what that can cost. Campaigns and vendors meet here.

`prepare` reads rows and builds the call; nothing is sent. The answer becomes a `Done`, which jobs.complete saves.
"""

from collections.abc import Callable
from decimal import Decimal

from campaigns.jobs import Done
from campaigns.models import JobRow
from workers.steps import find, push, verify
from workers.steps.calls import NotYet, Ready, Stopped

PREPARE: dict[str, Callable[[JobRow], Ready | Done | NotYet | Stopped]] = {
    "find": find.find,
    "reveal": find.reveal,
    "prepare": push.make_target,
    "verify": verify.verify,
    "research": verify.research,
    "write": verify.write,
    "push": push.push,
}
# Those that are not here are free.
MOST: dict[str, Callable[[JobRow], Decimal]] = {
    "reveal": find.most_of_reveal,
    "verify": verify.most_of_verify,
    "research": verify.most_of_research,
    "write": verify.most_of_write,
    "push": push.most_of_push,
}


def prepare(job: JobRow) -> Ready | Done | NotYet | Stopped:
    """The call of `job`, or what it comes to without one."""
    return PREPARE[job.kind](job)


def most_usd(job: JobRow) -> Decimal | None:
    """What one call of `job` can cost at most (USD, by the price table); None for a kind that is free."""
    most = MOST.get(job.kind)
    return most(job) if most else None
