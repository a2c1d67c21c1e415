"""What each kind of job asks its vendor. Campaigns and vendors meet here.

`prepare` reads rows and builds the call; nothing is sent. The answer becomes a `Done`, which jobs.complete saves.
"""

from collections.abc import Callable

from campaigns.jobs import Done
from campaigns.models import Job
from workers import finding, pushing, writing
from workers.calls import NotYet, Ready, Stopped

PREPARE: dict[str, Callable[[Job], Ready | Done | NotYet | Stopped]] = {
    "find": finding.find,
    "reveal": finding.reveal,
    "prepare": pushing.make_target,
    "verify": writing.verify,
    "research": writing.research,
    "write": writing.write,
    "push": pushing.push,
}


def prepare(job: Job) -> Ready | Done | NotYet | Stopped:
    """The call of `job`, or what it comes to without one."""
    return PREPARE[job.kind](job)
