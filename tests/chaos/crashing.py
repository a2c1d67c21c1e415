"""Named points at which a process dies: those of a job's life, the cascade, the supervisor's steps, reset and resume.

CRASH_AT=<name of a point> has a process that calls `arm` die by SIGKILL there, or freeze with CRASH_BY=SIGSTOP.
CRASH_HIT says at which time (1: the first). The program itself knows nothing of it and pays nothing for it: a point is
the place before or after a function of its own, which is wrapped only here.
"""

import functools
import importlib
import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A point lies `before` or `after` a call of `function`, a name of `module` that is looked up at each call."""

    when: str
    module: str
    function: str


JOB = {
    "a job is claimed": Point("after", "campaigns.jobs", "claim"),
    "its call is built": Point("after", "workers.run", "call_for"),
    "its push is begun": Point("after", "campaigns.contacts.pushing", "begin"),
    "it is admitted": Point("after", "circuitbreakers.gate", "admit"),
    "the vendor is about to be asked": Point("before", "workers.run", "attempt"),
    "the vendor has answered": Point("after", "workers.run", "attempt"),
    "the breaker has heard of it": Point("after", "workers.run", "settle"),
    "what follows is decided": Point("after", "workers.run", "decide"),
    "it is about to be completed": Point("before", "campaigns.statements", "complete"),
    "it is completed": Point("after", "campaigns.statements", "complete"),
    "it is saved": Point("after", "workers.run", "persist"),
}
CASCADE = {
    "the switch is thrown": Point("before", "circuitbreakers.gate", "announce"),
    "the switch lock is taken": Point("before", "circuitbreakers.incidents", "open_incident"),
    "the incident is written": Point("after", "circuitbreakers.incidents", "open_incident"),
    "the campaigns are paused, not committed": Point("after", "campaigns.cascade", "pause_running"),
    "the cascade is committed": Point("after", "circuitbreakers.gate", "announce"),
}
SUPERVISOR = {
    "the stores are compared": Point("after", "circuitbreakers.rebuild", "compare"),
    "a lost claim is settled": Point("before", "campaigns.jobs", "claim_lost"),
    "a claim is handed back": Point("after", "campaigns.jobs", "claim_lost"),
    "leads are taken in, not committed": Point("after", "campaigns.feed", "take_in"),
    "leads are fed": Point("after", "campaigns.feed", "_take_in"),
    "messages are about to be sent": Point("before", "workers.dispatch", "_send"),
    "messages are sent": Point("after", "workers.dispatch", "_send"),
    "a campaign is about to end": Point("before", "campaigns.finish", "_finish"),
    "a campaign's end is not committed": Point("after", "campaigns.finish", "_finish"),
}
RESET = {
    "the probe found it well": Point("before", "circuitbreakers.breaker", "finish_announcement"),
    "the breaker is closed, the incident is not": Point("before", "circuitbreakers.incidents", "mark_reset"),
    "the reset is not committed": Point("after", "circuitbreakers.incidents", "mark_reset"),
}
RESUME = {
    "the pause is ended, the switch is not": Point("before", "circuitbreakers.pauses", "activate"),
    "the switch is active, the rows are not committed": Point("after", "circuitbreakers.pauses", "activate"),
    "the campaigns are resumed, not committed": Point("after", "campaigns.recovery", "_lift_all"),
    "all is resumed": Point("after", "campaigns.recovery", "_reopen"),
    "all is resumed and counted": Point("before", "campaigns.recovery", "_finish"),
}
POINTS = JOB | CASCADE | SUPERVISOR | RESET | RESUME


def arm() -> None:
    """Wrap the function of the point that the environment names, if it names one."""
    name = os.environ.get("CRASH_AT")
    if not name:
        return
    point = POINTS[name]
    module = importlib.import_module(point.module)
    setattr(module, point.function, crashing(getattr(module, point.function), point.when))


def crashing(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    left = [int(os.environ.get("CRASH_HIT", "1"))]

    def here() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), getattr(signal, os.environ.get("CRASH_BY", "SIGKILL")))

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        if when == "before":
            here()
        result = function(*args, **options)
        if when == "after":
            here()
        return result

    return wrapped
