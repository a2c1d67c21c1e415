"""Celery on Redis makes the calls of a lead, one task a call, behind pybreaker, with a lead's row and a ledger row.

As fast as it can be set up: no results, no events, no gossip, later steps first, plain psycopg instead of an ORM.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import redis
from celery import Celery, Task

from bench.peers import ledger, vendors

BROKER = os.environ["BENCH_REDIS_URL"] + "/7"
app = Celery("peer", broker=BROKER)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # as Dramatiq does: a task that dies with its worker is done again
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_transport_options={"queue_order_strategy": "priority"},
    task_default_queue="verify",
)


def make_task(name: str, write: Callable[[dict[str, Any]], None]) -> Task:
    """Make the task that makes one call, writes it down and sends the next: three systems, no transaction over them."""

    @app.task(name=name)
    def step_of_lead(step: str, lead: int) -> None:
        write(ledger.call(step, lead))
        if following := vendors.FOLLOWS.get(step):
            step_of_lead.apply_async((following, lead), queue=following)

    return step_of_lead


run = make_task("step", ledger.write)


def seed(task: Task, leads: int) -> None:
    """Make so many leads and their first tasks, and drop what another peer has left."""
    ledger.prepare(leads)
    for queue in vendors.STEPS:
        redis.Redis.from_url(BROKER).delete(queue)
    with app.producer_or_acquire() as producer:
        for number in range(leads):
            task.apply_async(("verify", number), queue="verify", producer=producer)


if __name__ == "__main__":
    seed(run, int(sys.argv[1]))
