"""From an opening to paused campaigns and jobs, and back to the first call: neither depends on the number of jobs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction
from django.db.models.functions import Now

from bench.measured import Limit, Measured
from bench.seed import CAMPAIGNS, seed
from campaigns import recovery
from campaigns.models import Process
from circuitbreakers import breaker, events, gate, rebuild, switch
from circuitbreakers.services import SERVICES
from workers import dispatch

JOBS = (1_000, 100_000, 1_000_000)
LIMIT = 0.5  # seconds; a log line for each campaign included
LOOK = 0.02  # seconds between two looks for what may be sent
GOAL = 0.2  # seconds, pause and resume each
OPERATOR = events.Actor("bench", "command")
BARE = "UPDATE job_rows SET status = 'CANCELLED', completed_at = now()"


def run() -> Measured:
    rows = [measure(jobs) for jobs in JOBS]
    most = rows[-1]
    limits = [
        Limit(f"pausing {JOBS[-1]:,} jobs", most["pause s"], LIMIT, "s"),
        Limit(f"pausing {JOBS[-1]:,} jobs", most["pause s"], GOAL, "s"),
        Limit("from their resume to the first call that is sent", most["first call s"], GOAL, "s"),
        Limit("resuming all of them", most["resume s"], GOAL, "s"),
        Limit(f"pausing {JOBS[-1]:,} against {JOBS[0]:,}", most["pause s"] / rows[0]["pause s"], 1.5, "times"),
    ]
    against = most["pause s"] / most["bare UPDATE s"]
    return Measured(
        limits,
        rows,
        [
            f"The pause of {JOBS[-1]:,} jobs takes {against:.4f} times as long as writing them.",
            f"{CAMPAIGNS:,} campaigns each time; a campaign is one row, one event, one line in the log.",
            "The bare UPDATE gives all these jobs another state, without triggers, and is rolled back.",
            "The first call is sent by a loop that dispatches all the time; a supervisor with nothing to do looks once "
            "a second, or when it is woken.",
            "A pause and a resume are one transaction each, whatever the number of campaigns and jobs.",
        ],
    )


def measure(jobs: int) -> dict[str, float]:
    """Pause and resume so many jobs, and write them all for comparison; seconds, and bytes of WAL."""
    switch.client().flushall()
    seed(jobs)
    rebuild.compare()
    pause, pause_wal = timed(lambda: gate.record_failure("millionverifier", "no credit left", "quota_exhausted"))
    assert states() == {"PAUSED": jobs}
    breaker.reset("millionverifier", actor=OPERATOR, reason="bench", force=True)
    sign()
    before = wal()
    first, whole = resume_and_dispatch()
    resume_wal = wal() - before
    assert states() == {"PENDING": jobs}
    bare, bare_wal = timed(write_all)  # last: the dead rows that it leaves are not for the others to clear away
    return {
        "jobs": jobs,
        "pause s": pause,
        "WAL B": pause_wal,
        "first call s": first,
        "resume s": whole,
        "its WAL B": resume_wal,
        "bare UPDATE s": bare,
        "WAL of that B": bare_wal,
    }


def sign() -> None:
    """Sign for a worker and a supervisor, which a resume asks for."""
    for role, queues in (("worker", list(SERVICES)), ("supervisor", [])):
        signed = {"role": role, "queues": queues, "leading": not queues, "seen_at": Now()}
        Process.objects.update_or_create(
            name=f"bench:{role}", defaults=signed, create_defaults={**signed, "started_at": Now()}
        )


def resume_and_dispatch() -> tuple[float, float]:
    """Resume beside a loop that dispatches; the seconds until the first window is sent, and until all is resumed."""
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as thread:
        resumed = thread.submit(resume)
        while not dispatch.dispatch():
            time.sleep(LOOK)
        first = time.perf_counter() - began
        resumed.result()
    return first, time.perf_counter() - began


def resume() -> None:
    try:
        recovery.resume(actor=OPERATOR, reason="bench")
    finally:
        connection.close()


def write_all() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_rows DISABLE TRIGGER USER")
        cursor.execute(BARE)
        transaction.set_rollback(True)


def timed(act: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds that it took, and the bytes of WAL written meanwhile."""
    before, began = wal(), time.perf_counter()
    act()
    return time.perf_counter() - began, wal() - before


def wal() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        return int(cursor.fetchone()[0])


def states() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status, count(*) FROM jobs GROUP BY status")
        return dict(cursor.fetchall())
