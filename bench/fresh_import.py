"""100,000 rows go into a fresh installation that runs: steps take under 1 s, work never stops, a trip reaches all rows.

Fresh means that the planner knows nothing of the new rows.
"""

import csv
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from bench.measured import Limit, Measured
from local.drill import ENVIRONMENT, Drill
from local.stack import Stack

ROWS = 100_000
STEP, STALL, SPREAD = 1.0, 5.0, 10.0  # seconds: limits
STEPS = "SELECT steps FROM processes WHERE role = 'supervisor' AND \"leading\""
DONE = "SELECT count(*) FROM vendor_calls"
WAITING = "SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')"


class Watch(threading.Thread):
    """Looks twice a second how long each step took, and how long no call was made."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.ends = url, threading.Event()
        self.slowest: dict[str, float] = {}
        self.stall = 0.0
        self.working = threading.Event()  # whether calls are expected just now

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            calls, moved_at = 0, time.monotonic()
            while not self.ends.wait(0.5):
                row = session.execute(STEPS).fetchone()
                for name, step in (row[0] if row else {}).items():
                    worst = max(step["seconds"], step["overrun"].get("seconds", 0.0))
                    self.slowest[name] = max(self.slowest.get(name, 0.0), worst)
                (now,) = session.execute(DONE).fetchone() or (0,)
                if now != calls or not self.working.is_set():
                    calls, moved_at = now, time.monotonic()
                self.stall = max(self.stall, time.monotonic() - moved_at)


def run() -> Measured:
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Stack(Path(folder) / "stack", durable=True, processes=2, threads=8, env=ENVIRONMENT) as stack,
    ):
        people = Path(folder) / "people.csv"
        with people.open("w", newline="", encoding="utf-8") as target:
            rows = csv.writer(target)
            rows.writerow(["First Name", "Company", "Email"])
            rows.writerows([f"Ida{n}", f"Acme {n}", f"ida{n}@acme{n}.example"] for n in range(ROWS))
        drill, watch = Drill(stack), Watch(stack.database_url)
        watch.start()
        began = time.monotonic()
        drill.command("campaign", "create", "Fresh", "--csv", str(people), "--start")
        imported = time.monotonic() - began
        drill.until("every lead has its job", lambda: drill.value("SELECT count(*) FROM jobs") >= ROWS)
        watch.working.set()
        time.sleep(75)  # the upkeep that comes every minute has its turn
        watch.working.clear()
        drill.control("millionverifier", {"fault": "server_error"})
        drill.until("the breaker opens", lambda: bool(drill.value("SELECT count(*) FROM incidents")))
        opened = time.monotonic()
        drill.until("every job is paused", lambda: drill.value(WAITING) == 0)
        spread = time.monotonic() - opened
        time.sleep(3)
        watch.ends.set()
        watch.join()
        calls = drill.value(DONE)
        drill.database.close()
    steps = sorted(watch.slowest.items(), key=lambda pair: -pair[1])
    return Measured(
        [
            Limit("the longest time without a call, after an import", watch.stall, STALL, "s"),
            Limit("from the opening to the last job paused", spread, SPREAD, "s"),
            Limit("the slowest step of the supervisor", steps[0][1] if steps else float("inf"), STEP, "s"),
        ],
        [{"step": name, "at worst s": seconds} for name, seconds in steps],
        [f"{ROWS:,} rows imported in {imported:.1f} s; {calls:,} calls."],
    )
