"""A Holdfast with nothing to do costs next to nothing: per cent of a core, by process."""

import tempfile
import time
from pathlib import Path

from bench.load import cpu_seconds
from bench.measured import Limit, Measured
from local.drill import ENVIRONMENT
from local.stack import Stack

PROCESSES, THREADS = 2, 8
SETTLE, SECONDS = 10.0, 30.0
LIMIT = 1.0  # per cent of a core, each
NAMES = ("workers", "supervisor", "web", "valkey", "postgres")


def run() -> Measured:
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Stack(
            Path(folder),
            durable=True,
            processes=PROCESSES,
            threads=THREADS,
            env={**ENVIRONMENT, "LOG_LEVEL": "WARNING"},
        ) as stack,
    ):
        pids = {name: stack.child(name).pid for name in NAMES}
        time.sleep(SETTLE)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        time.sleep(SECONDS)
        used = {name: (cpu_seconds(pid) - before[name]) / SECONDS * 100 for name, pid in pids.items()}
    return Measured(
        [
            Limit("a worker process that waits", used["workers"] / PROCESSES, LIMIT, "% of a core"),
            Limit("a supervisor that waits", used["supervisor"], LIMIT, "% of a core"),
        ],
        [{"what": name, "% of a core": share} for name, share in used.items()],
        [
            f"{PROCESSES} worker processes of {THREADS} threads with their parent, one supervisor, no campaign; "
            f"{SECONDS:.0f} s after {SETTLE:.0f} s of rest. What the servers do for them is in the servers' share.",
        ],
    )
