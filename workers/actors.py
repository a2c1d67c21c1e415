"""Each service's queue has one Dramatiq actor. A message holds nothing but a job id: losing or doubling one is
harmless.

Names stay as they are: a rolling deploy dead-letters messages of an unknown actor at once.
"""

import dramatiq

from circuitbreakers.services import SERVICES
from workers.run import run
from workers.tried import run_once


def make_actor(service: str) -> dramatiq.Actor:
    """Make the actor `run_{service}` on the queue `{service}`."""

    # Retries belong to PostgreSQL (run_at): Dramatiq's middleware would spend attempts on a pause.
    @dramatiq.actor(actor_name=f"run_{service}", queue_name=service)
    def actor(job: int, once: bool = False) -> None:
        if once:
            run_once(job, service)
        else:
            run(job, service)

    return actor


ACTORS = {service: make_actor(service) for service in SERVICES}


def send_once(service: str, job: int, **kwargs: object) -> None:
    """Send the message of the one job that is tried while the system is paused: the receiver of `one_let_through`."""
    ACTORS[service].send(job, once=True)
