"""Celery on Redis makes the calls of a lead, one task a call, behind pybreaker, with a lead's row and a ledger row.

As fast as it can be set up: no results, no events, no gossip, later steps first, plain psycopg instead of an ORM.
"""

import os
import sys

from celery import Celery

from bench.peers import ledger, vendors

app = Celery("peer", broker=os.environ["BENCH_REDIS_URL"] + "/7")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # as Dramatiq does: a task that dies with its worker is done again
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_transport_options={"queue_order_strategy": "priority"},
    task_default_queue="verify",
)


@app.task(name="step")
def run(step: str, lead: int) -> None:
    """Make one call, write it down, send the next. Three systems, no transaction over them."""
    ledger.write(ledger.call(step, lead))
    if following := vendors.FOLLOWS.get(step):
        run.apply_async((following, lead), queue=following)


if __name__ == "__main__":
    ledger.prepare(int(sys.argv[1]))
    app.control.purge()
    with app.producer_or_acquire() as producer:
        for number in range(int(sys.argv[1])):
            run.apply_async(("verify", number), queue="verify", producer=producer)
