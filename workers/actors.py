"""Each service's queue has one Dramatiq actor. A message holds nothing but a job id: losing or doubling one is
harmless.

Names stay as they are: a rolling deploy dead-letters messages of an unknown actor at once.
"""

import dramatiq

from circuitbreakers.services import SERVICES
from workers.run import run


def make_actor(service: str) -> dramatiq.Actor:
    """Make the actor `run_{service}` on the queue `{service}`."""

    # Retries belong to PostgreSQL (run_at): Dramatiq's middleware would spend attempts on a pause.
    @dramatiq.actor(actor_name=f"run_{service}", queue_name=service)
    def actor(job: int) -> None:
        run(job, service)

    return actor


ACTORS = {service: make_actor(service) for service in SERVICES}
