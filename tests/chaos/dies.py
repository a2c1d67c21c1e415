"""What a process does that dies at a point: each is done in a fork of the test's own process."""

import os
import time
import warnings
from collections.abc import Callable

from django.db import connections

from campaigns import recovery
from campaigns.models import JobRow
from circuitbreakers import breaker, gate
from tests.chaos import crashing
from tests.chaos.wellness import ANN, fleet_signs
from tests.stores import forget_servers, leave_out
from workers import supervisor
from workers.run import run


def work() -> None:
    """Run every job as a worker does, when it is due, until none waits."""
    while waiting := JobRow.objects.filter(status=JobRow.Status.PENDING).order_by("id"):
        for job in waiting:
            run(job.pk, job.service)
        time.sleep(0.05)


def fail() -> None:
    """Have Apollo fail until its breaker opens."""
    for _ in range(5):
        gate.record_failure("apollo", "no answer", "timeout")


def supervise() -> None:
    """Do a supervisor's rounds for a while; nobody is asked beside them."""
    todo = supervisor.steps(leave_out)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        supervisor.run_round(todo, time.monotonic())


def reset() -> None:
    breaker.reset("apollo", actor=ANN, reason="mended")


def resume() -> None:
    fleet_signs()
    recovery.resume(actor=ANN, reason="mended", all_at_once=True)


def in_a_process(act: Callable[[], None], at: str, hit: int = 1) -> int:
    """Do it in a fork that is to die at a point, at the `hit`th time; returns the number of the signal that ended it,
    0 when nothing did."""
    # Neither process may speak on the other's connections.
    connections.close_all()
    forget_servers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the sandbox's thread stays with the parent
        child = os.fork()
    if not child:
        try:
            os.environ.update(CRASH_AT=at, CRASH_HIT=str(hit))
            crashing.arm()
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
