"""Calls a second and what each costs, beside bare Dramatiq that makes the same HTTP call and nothing else."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.load import Cost, Reading, counters, cpu_seconds
from local.drill import ENVIRONMENT, Drill
from local.processes import Child
from local.stack import ROOT, Stack

PROCESSES, THREADS = 2, 8
LEADS = 3000
SECONDS = 20.0
WIDE = {name: "1000000/1" for name in ENVIRONMENT if name.endswith("_RATE_LIMITS")}
LOGS = {"LOG_LEVEL": "WARNING"}


def run() -> bool:
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Stack(
            Path(folder) / "stack",
            durable=True,
            processes=PROCESSES,
            threads=THREADS,
            env={**ENVIRONMENT, **WIDE, **LOGS},
        ) as stack,
    ):
        drill = Drill(stack)
        ours = holdfast(drill, Path(folder))
        drill.database.close()
        bare = bare_dramatiq(stack)
    table([("bare Dramatiq", bare), ("Holdfast", ours)])
    print(f"Holdfast makes {ours.rate / bare.rate:.2f} times the calls of bare Dramatiq")
    return True


def holdfast(drill: Drill, folder: Path) -> Cost:
    people = folder / "people.csv"
    rows = (f"Ida{n},Locke,CTO,Acme {n},ida{n}+ok@acme{n}.example" for n in range(LEADS))
    people.write_text("\n".join(["First Name,Last Name,Title,Company,Email", *rows]))
    for service in ("apollo", "millionverifier", "perplexity", "openai", "instantly"):
        drill.control(service, {"fault": "none", "latency_ms": 0})
    drill.command("campaign", "create", "Load", "--csv", str(people), "--start")
    drill.until("it runs at its pace", lambda: drill.value("SELECT count(*) FROM vendor_calls") > 300)
    before = reading(drill)
    time.sleep(SECONDS)
    return reading(drill).since(before)


def reading(drill: Drill) -> Reading:
    stack = drill.stack
    groups = {name: pid_of(child) for name, child in stack.children.items()}
    commits, wal = counters(drill.database)
    calls = drill.value("SELECT count(*) FROM vendor_calls")
    return Reading(calls, time.monotonic(), {name: cpu_seconds(pid) for name, pid in groups.items()}, commits, wal)


def pid_of(child: Child) -> int:
    assert child.process
    return child.process.pid


def bare_dramatiq(stack: Stack) -> Cost:
    """The same number of processes and threads, on the same Valkey, against the same sandbox."""
    env = {**os.environ, "BENCH_REDIS_URL": stack.redis_url, "BENCH_SANDBOX_URL": stack.sandbox_url}
    code = f"from bench.peers.bare import call\nfor n in range({int(SECONDS * 600)}): call.send(n)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    command = ["-m", "dramatiq", "bench.peers.bare", "--processes", str(PROCESSES), "--threads", str(THREADS)]
    workers = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=env, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(4)
        before = bare_reading(stack, workers.pid)
        time.sleep(SECONDS / 2)
        return bare_reading(stack, workers.pid).since(before)
    finally:
        workers.terminate()
        workers.wait(30)


def bare_reading(stack: Stack, workers: int) -> Reading:
    drill = Drill(stack)
    try:
        calls: list[Any] = drill.control("calls?since=0")
        roots = {name: pid_of(stack.child(name)) for name in ("valkey", "sandbox")} | {"workers": workers}
        return Reading(len(calls), time.monotonic(), {name: cpu_seconds(pid) for name, pid in roots.items()}, 0, 0)
    finally:
        drill.database.close()


def table(rows: list[tuple[str, Cost]]) -> None:
    print(f"{'':<16}{'calls/s':>9}{'CPU ms a call':>15}{'commits':>9}{'WAL B':>8}  by process")
    for name, cost in rows:
        parts = ", ".join(f"{process} {used:.1f}" for process, used in cost.cpu.items())
        print(f"{name:<16}{cost.rate:>9.0f}{cost.ours():>15.1f}{cost.commits:>9.1f}{cost.wal:>8.0f}  {parts}")
