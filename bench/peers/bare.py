"""Bare Dramatiq makes the same HTTP calls from an actor, and nothing else: no row, no breaker, no ledger. The limit."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers import vendors

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS_URL"] + "/6", middleware=[]))


def make_actor(step: str) -> dramatiq.Actor:
    """Make the actor of one step, on a queue of its own; later steps come first."""

    @dramatiq.actor(actor_name=step, queue_name=step, priority=-vendors.STEPS.index(step))
    def actor(lead: int) -> None:
        vendors.ask(step, lead)
        if following := vendors.FOLLOWS.get(step):
            ACTORS[following].send(lead)

    return actor


ACTORS = {step: make_actor(step) for step in vendors.STEPS}

if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        ACTORS["verify"].send(number)
