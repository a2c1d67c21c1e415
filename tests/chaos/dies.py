"""`python -m tests.chaos.dies work` does one thing in a process of its own, which dies where the environment says.

It ends with 0 when it came to its end all the same: then the point was not on its way.
"""

import sys
import time

import django


def work() -> None:
    """Run every job as a worker does, when it is due, until none waits."""
    from campaigns.models import JobRow
    from workers.run import run

    while JobRow.objects.filter(status=JobRow.Status.PENDING).exists():
        for job in JobRow.objects.filter(status=JobRow.Status.PENDING).order_by("id"):
            run(job.pk, job.service)
        time.sleep(0.05)


def fail() -> None:
    """Have Apollo fail until its breaker opens."""
    from circuitbreakers import gate

    for _ in range(5):
        gate.record_failure("apollo", "no answer", "timeout")


def supervise() -> None:
    """Do a supervisor's rounds for a while; nobody is asked beside them."""
    from tests.stores import leave_out
    from workers import supervisor

    todo = supervisor.steps(leave_out)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        supervisor.run_round(todo, time.monotonic())


def reset() -> None:
    from circuitbreakers import breaker, events

    breaker.reset("apollo", actor=events.Actor("ann", "command"), reason="mended")


def resume() -> None:
    from campaigns import recovery
    from circuitbreakers import events

    recovery.resume(actor=events.Actor("ann", "command"), reason="mended", all_at_once=True)


if __name__ == "__main__":
    django.setup()
    from tests.chaos import crashing

    crashing.arm()
    {"work": work, "fail": fail, "supervise": supervise, "reset": reset, "resume": resume}[sys.argv[1]]()
