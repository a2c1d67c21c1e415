"""A prune beside paid work: how much slower calls become, and how fast rows go; and what a partition would save.

The campaign is at work throughout; seconds with a prune and seconds without it take turns.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bench.load import counters
from bench.measured import Cell, Limit, Measured
from bench.throughput import LATENCY_MS, LOGS, PROCESSES, THREADS, WIDE, calls, latency
from local.drill import ENVIRONMENT, Drill
from local.stack import Stack

LEADS = 10_000
OLD_JOBS = 400_000  # more than a prune gets through
TURNS, SECONDS = 6, 10.0
OF_A_TABLE = 500_000

# A thousand campaigns that ended long ago, each job with a call.
SEED = f"""
INSERT INTO campaigns (name, status, status_message, search_url, max_leads, instantly_campaign_id, research_prompt,
    mail_prompt, operator_paused_by, operator_pause_reason, created_by, created_at, started_at, finished_at)
SELECT 'Old ' || n, 'COMPLETED', '', '', 100, '', '', '', '', '', 'bench', now() - interval '900 days',
    now() - interval '900 days', now() - interval '800 days'
FROM generate_series(1, 1000) n;
INSERT INTO job_rows (campaign_id, kind, service, part, payload, status, failure_type, without_call, attempts, crashes,
    fence, worker, run_at, created_at, completed_at)
SELECT c.id, 'reveal', 'apollo', n, '{{}}', 'COMPLETED', '', false, 0, 0, 1, '', c.finished_at, c.finished_at,
    c.finished_at
FROM campaigns c, generate_series(1, {OLD_JOBS // 1000}) n WHERE c.finished_at IS NOT NULL;
INSERT INTO vendor_calls (service, kind, job_id, campaign_id, fence, admitted_at, outcome, error, request_id, credits,
    tokens_in, tokens_out, cost_usd, worker)
SELECT service, kind, id, campaign_id, fence, completed_at, 'success', '', '', 1, 0, 0, 0.01, '' FROM job_rows
WHERE completed_at IS NOT NULL;
VACUUM ANALYZE job_rows; VACUUM ANALYZE vendor_calls
"""


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
        for statement in SEED.split(";"):
            drill.database.execute(statement)
        people = Path(folder) / "people.csv"
        rows = (f"Ida{n},Locke,CTO,Acme {n},ida{n}+ok@acme{n}.example" for n in range(LEADS))
        people.write_text("\n".join(["First Name,Last Name,Title,Company,Email", *rows]))
        latency(drill, LATENCY_MS)
        drill.command("campaign", "create", "Load", "--csv", str(people), "--start")
        drill.until("it runs at its pace", lambda: calls(drill) > 300)
        turns = [turn(drill, pruning=bool(number % 2)) for number in range(TURNS)]
        partitions = tables(drill.database)
        drill.database.close()
    return figures(turns, partitions)


def turn(drill: Drill, *, pruning: bool) -> dict[str, float]:
    """Let work go on for SECONDS, beside a prune or not: calls and pruned rows a second, WAL a pruned row."""
    rows, begun, wal = calls(drill), time.monotonic(), counters(drill.database)[1]
    old = left(drill)
    prune = None
    if pruning:
        command = [sys.executable, "manage.py", "prune", "--only", "jobs", "--minutes", str(SECONDS / 60)]
        prune = subprocess.Popen(command, cwd=drill.stack.root, env=drill.stack.env, stdout=subprocess.DEVNULL)
    time.sleep(SECONDS)
    seconds, made, gone = time.monotonic() - begun, calls(drill) - rows, old - left(drill)
    if prune and prune.wait():
        raise RuntimeError("the prune failed")
    written = counters(drill.database)[1] - wal
    return {"pruning": pruning, "calls": made / seconds, "gone": gone / seconds, "wal": written / max(made, 1)}


def left(drill: Drill) -> int:
    return int(drill.value("SELECT count(*) FROM vendor_calls WHERE admitted_at < now() - interval '700 days'"))


def tables(database: psycopg.Connection) -> list[dict[str, Cell]]:
    """Measure the ledger as it is and cut by months: an entry, the entry of a claim looked up, a month that goes."""
    columns = "service, kind, job_id, campaign_id, fence, admitted_at, outcome"
    made = {
        "one table": "CREATE TABLE plain (LIKE vendor_calls INCLUDING DEFAULTS INCLUDING CONSTRAINTS); ",
        "24 partitions": "CREATE TABLE cut (LIKE vendor_calls INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
        " PARTITION BY RANGE (admitted_at); ",
    }
    rows: list[dict[str, Cell]] = []
    for name, sql in made.items():
        table = "plain" if name == "one table" else "cut"
        database.execute(sql)
        if table == "cut":
            for month in range(24):
                database.execute(
                    f"CREATE TABLE cut_{month} PARTITION OF cut FOR VALUES FROM "
                    f"('2024-01-01'::timestamptz + interval '{month} months') TO "
                    f"('2024-01-01'::timestamptz + interval '{month + 1} months')"
                )
        else:
            database.execute("ALTER TABLE plain ADD UNIQUE (job_id, fence)")
        for index in ("(job_id, fence)", "(service, admitted_at)", "(campaign_id, service, id)"):
            database.execute(f"CREATE INDEX ON {table} {index}")
        database.execute(
            f"INSERT INTO {table} (id, {columns}, error, request_id, credits, tokens_in, tokens_out, cost_usd, worker)"
            f" SELECT n, 'apollo', 'find', n, n % 1000, 1, '2024-01-01'::timestamptz + n * interval '2 years' /"
            f" {OF_A_TABLE}, 'success', '', '', 1, 0, 0, 0, '' FROM generate_series(1, {OF_A_TABLE} - 1) n"
        )
        database.execute(f"ANALYZE {table}")
        begun = time.perf_counter()
        for job in range(1, 2001):
            database.execute(f"SELECT id FROM {table} WHERE job_id = %s AND fence = 1", [job * 7])
        looked_up = (time.perf_counter() - begun) / 2000
        begun = time.perf_counter()
        if table == "cut":
            database.execute("DROP TABLE cut_0")
        else:
            database.execute("DELETE FROM plain WHERE admitted_at < '2024-02-01'")
        rows.append(
            {
                "what": f"{OF_A_TABLE:,} calls of two years in {name}",
                "a claim's call looked up, ms": 1000 * looked_up,
                "a month goes, ms": 1000 * (time.perf_counter() - begun),
                "once per claim": "kept by the table" if table == "plain" else "not possible",
            }
        )
    return rows


def figures(turns: list[dict[str, float]], partitions: list[dict[str, Cell]]) -> Measured:
    def mean(pruning: bool, what: str) -> float:
        values = [one[what] for one in turns if bool(one["pruning"]) == pruning]
        return sum(values) / len(values)

    beside, alone = mean(True, "calls"), mean(False, "calls")
    gone = mean(True, "gone")
    limits = [Limit("calls/s beside a prune against without", beside / alone, 0.95, "times", at_least=True)]
    notes = [
        f"{alone:.1f} calls/s without and {beside:.1f} beside it, at {LATENCY_MS} ms of the vendors' latency: "
        f"{TURNS // 2} turns of {SECONDS:.0f} s each, with {OLD_JOBS:,} old jobs in the tables.",
        f"{gone:,.0f} jobs a second went with their calls, at 20 % of the time: {gone * 86_400 / 1e6:,.0f} million a "
        f"day. A hundred million a year are {1e8 / 365 / 86_400:.1f} a second.",
        "Tables are not partitioned: the rows that go are those of ended campaigns, not of a month, and a table cut by "
        "time cannot keep a claim's call, or a lead's job, from being there twice.",
    ]
    return Measured(limits, partitions, notes)
