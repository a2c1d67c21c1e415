"""Redis holds a window of messages, whatever the number of waiting jobs: so its memory does not grow with them."""

import time

from bench.measured import Limit, Measured
from bench.seed import seed
from circuitbreakers import broker, rebuild, switch
from workers import supervisor

JOBS = (1_000, 300_000)
ROUNDS = 5
LIMIT = 1.1  # times, the most against the fewest


def run() -> Measured:
    rows = [measure(jobs) for jobs in JOBS]
    fewest, most = (row["used_memory B"] for row in rows)
    what = f"Redis memory with {JOBS[1]:,} waiting jobs against {JOBS[0]:,}"
    return Measured(
        [Limit(what, most / fewest, LIMIT, "times")],
        rows,
        ["After some rounds of a supervisor that dispatches, with no worker. Before: the switch alone."],
    )


def measure(jobs: int) -> dict[str, int]:
    """Let a supervisor dispatch so many jobs, and read Redis's memory."""
    switch.client().flushall()
    seed(jobs)
    rebuild.compare()
    before = used()
    todo = supervisor.steps()
    for _ in range(ROUNDS):
        supervisor.run_round(todo, time.monotonic())
    return {"jobs": jobs, "messages": sum(broker.depths().values()), "before B": before, "used_memory B": used()}


def used() -> int:
    return int(switch.client().info("memory")["used_memory"])
