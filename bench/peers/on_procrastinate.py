"""Procrastinate on PostgreSQL makes the calls of a lead, one job a call, behind pybreaker, with a ledger row.

As fast as it can be set up: the lead, the ledger row and the next job are one transaction, plain psycopg instead of an
ORM, finished jobs are deleted, a thread and a connection for each job that runs.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import procrastinate

from bench.peers import ledger, vendors

URL = os.environ["BENCH_DATABASE_URL"]
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL, min_size=2, max_size=6))
# In a thread of the worker's, `app` would defer by way of the loop; a sync connector uses the thread's own connection.
sender = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=URL))


@app.task(name="step")
def run(step: str, lead: int) -> None:
    """Make one call, write it down and defer the next."""
    written = ledger.call(step, lead)
    following = vendors.FOLLOWS.get(step)
    with ledger.connection().transaction():
        ledger.write(written)
        if following:
            priority = vendors.STEPS.index(following)  # later steps first
            following_job = sender.configure_task("step", connection=ledger.connection(), priority=priority)
            following_job.defer(step=following, lead=lead)


async def work(threads: int) -> None:
    # Jobs that are not coroutines run in the loop's threads, which would be as many as there are cores and four.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    async with app.open_async():
        await app.run_worker_async(concurrency=threads, fetch_job_polling_interval=1, delete_jobs="successful")


def seed(leads: int) -> None:
    ledger.prepare(leads)
    with sender.open():
        sender.schema_manager.apply_schema()
        sender.configure_task("step").batch_defer(*({"step": "verify", "lead": number} for number in range(leads)))


if __name__ == "__main__":
    if sys.argv[1] == "work":
        asyncio.run(work(int(sys.argv[2])))
    else:
        seed(int(sys.argv[1]))
