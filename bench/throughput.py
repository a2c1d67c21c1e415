"""Calls a second and what each costs, beside other queues that make the same four paid calls of a lead.

All on the same servers, one after the other, with the same number of processes and threads.
"""

import tempfile
import time
from pathlib import Path

from bench import peers
from bench.load import Cost, Reading, counters, cpu_seconds
from bench.measured import Cell, Limit, Measured
from local.drill import ENVIRONMENT, Drill
from local.stack import Stack

PROCESSES, THREADS = 2, 8
LEADS = 10_000  # more than the fastest gets done
SECONDS = 20.0
LATENCY_MS = 200
IDEAL = PROCESSES * THREADS * 1000 / LATENCY_MS  # calls a second
SERVICES = ("apollo", "millionverifier", "perplexity", "openai", "instantly")
WIDE = {name: "1000000/1" for name in ENVIRONMENT if name.endswith("_RATE_LIMITS")}
LOGS = {"LOG_LEVEL": "WARNING"}
OURS = "Holdfast"
SETUP = (
    "Celery and Procrastinate are set up to be fast: plain psycopg and one statement for lead and ledger row instead "
    "of an ORM, a pybreaker for each thread (one for all would hold its lock during the call), later steps first. "
    "`ORM` is Celery as most projects have it."
)


def run() -> Measured:
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
        ours, ours_late = holdfast(drill, Path(folder))
        for name in ("workers", "supervisor", "web"):
            stack.child(name).stop()
        latency(drill, 0)
        instant = {peer.name: measure(drill, peer) for peer in peers.ALL}
        latency(drill, LATENCY_MS)
        bare_late = measure(drill, peers.BARE)
        drill.database.close()
    return figures({**instant, OURS: ours}, {peers.BARE.name: bare_late, OURS: ours_late})


def figures(instant: dict[str, Cost], late: dict[str, Cost]) -> Measured:
    ours, bare = instant[OURS], instant[peers.BARE.name]
    best = max(cost.rate for name, cost in instant.items() if name not in (OURS, peers.BARE.name))
    limits = [
        Limit("calls/s against bare Dramatiq, at 0 ms", ours.rate / bare.rate, 0.45, "times", at_least=True),
        Limit("calls/s against the best of Celery and Procrastinate", ours.rate / best, 2.5, "times", at_least=True),
        Limit(f"calls/s against threads/{LATENCY_MS} ms", late[OURS].rate / IDEAL, 0.95, "times", at_least=True),
        Limit("CPU a call, all processes of ours", ours.ours(), 10, "ms"),
        Limit("commits a call", ours.commits, 2.5),
        Limit("WAL a call", ours.wal, 3000, "B"),
    ]
    rows = [row(name, cost, 0, cost.rate / bare.rate) for name, cost in instant.items()]
    rows += [row(name, cost, LATENCY_MS, cost.rate / late[peers.BARE.name].rate) for name, cost in late.items()]
    return Measured(
        limits,
        rows,
        [
            f"{PROCESSES} processes of {THREADS} threads; {SECONDS:.0f} s each; calls as the sandbox counts them. "
            "CPU of the sandbox and of the web process is not counted, but they share the cores.",
            f"At {LATENCY_MS} ms of the vendors' latency no {PROCESSES * THREADS} threads make more than {IDEAL:.0f} "
            "calls a second.",
            SETUP,
            *(f"{peer.name} {peer.lacks}" for peer in peers.ALL),
        ],
    )


def row(name: str, cost: Cost, latency_ms: int, of_bare: float) -> dict[str, Cell]:
    parts = ", ".join(f"{process} {used:.1f}" for process, used in cost.cpu.items() if process != "web")
    return {
        "what": name,
        "latency ms": latency_ms,
        "of bare Dramatiq": of_bare,
        "calls/s": cost.rate,
        "CPU ms a call": cost.ours(),
        "commits a call": cost.commits,
        "WAL B a call": round(cost.wal),
        "CPU by process": parts,
    }


def holdfast(drill: Drill, folder: Path) -> tuple[Cost, Cost]:
    """Measure Holdfast at no latency and at LATENCY_MS, in one campaign."""
    people = folder / "people.csv"
    rows = (f"Ida{n},Locke,CTO,Acme {n},ida{n}+ok@acme{n}.example" for n in range(LEADS))
    people.write_text("\n".join(["First Name,Last Name,Title,Company,Email", *rows]))
    latency(drill, 0)
    drill.command("campaign", "create", "Load", "--csv", str(people), "--start")
    drill.until("it runs at its pace", lambda: drill.value("SELECT count(*) FROM vendor_calls") > 300)
    instant = over(drill, pids(drill, "workers", "supervisor", "web"))
    latency(drill, LATENCY_MS)
    time.sleep(2)  # calls under way end, and threads fill with slow ones
    return instant, over(drill, pids(drill, "workers", "supervisor", "web"))


def measure(drill: Drill, peer: peers.Peer) -> Cost:
    """Let a peer work on the stack's servers."""
    before, paid = calls(drill), by_service(drill)
    with peer.working(drill.stack, LEADS, PROCESSES, THREADS) as roots:
        drill.until(f"{peer.name} runs at its pace", lambda: calls(drill) - before > 300)
        cost = over(drill, {"workers": roots})
    assert calls(drill) - before < 4 * LEADS, f"{peer.name} ran out of work"
    idle = [name for name, number in by_service(drill).items() if number == paid[name] and name != "apollo"]
    assert not idle, f"{peer.name} never asked {idle}: see peers.log"
    return cost


def latency(drill: Drill, ms: int) -> None:
    for service in SERVICES:
        drill.control(service, {"fault": "none", "latency_ms": ms})


def over(drill: Drill, workers: dict[str, list[int]]) -> Cost:
    """Return what a call cost over the next SECONDS, the servers' share included."""
    roots = pids(drill, "valkey", "postgres", "sandbox") | workers
    before = reading(drill, roots)
    time.sleep(SECONDS)
    return reading(drill, roots).since(before)


def reading(drill: Drill, roots: dict[str, list[int]]) -> Reading:
    cpu = {name: sum(map(cpu_seconds, ids)) for name, ids in roots.items()}
    commits, wal = counters(drill.database)
    return Reading(calls(drill), time.monotonic(), cpu, commits, wal)


def calls(drill: Drill) -> int:
    """Count the calls that have arrived at the vendors."""
    return sum(by_service(drill).values())


def by_service(drill: Drill) -> dict[str, int]:
    return {service: int(entry["calls"]) for service, entry in drill.control("bill").items()}


def pids(drill: Drill, *names: str) -> dict[str, list[int]]:
    return {name: [drill.stack.child(name).pid] for name in names}
