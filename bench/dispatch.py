"""The next window of messages takes about the same time to find among ten thousand waiting jobs and three million."""

import statistics
import time

from bench.measured import Limit, Measured
from bench.seed import CAMPAIGNS, seed
from circuitbreakers import broker, rebuild, switch
from workers import dispatch

JOBS = (10_000, 3_000_000)
WINDOWS = 20
LIMIT = 0.2  # seconds
RATIO = 2.0  # times, the most against the fewest


def run() -> Measured:
    rows = [measure(jobs) for jobs in JOBS]
    fewest, most = (row["median ms"] for row in rows)
    return Measured(
        [
            Limit(f"a window among {JOBS[1]:,} rows against {JOBS[0]:,}", most / fewest, RATIO, "times"),
            Limit(f"a window among {JOBS[1]:,} rows, the slowest", rows[1]["slowest ms"] / 1000, LIMIT, "s"),
        ],
        rows,
        [f"{CAMPAIGNS:,} running campaigns share the rows; each window is taken out of Redis before the next."],
    )


def measure(jobs: int) -> dict[str, float]:
    """Time some windows one after the other among so many rows of `job_rows`, all waiting for one service."""
    switch.client().flushall()
    began = time.perf_counter()
    seed(jobs)
    seeded = time.perf_counter() - began
    rebuild.compare()
    times, sent = [], 0
    for _ in range(WINDOWS):
        broker.client().flushdb()
        began = time.perf_counter()
        sent = dispatch.dispatch()
        times.append((time.perf_counter() - began) * 1000)
        assert sent
    return {
        "rows": jobs,
        "median ms": statistics.median(times),
        "slowest ms": max(times),
        "messages in a window": sent,
        "seeding s": seeded,
    }
