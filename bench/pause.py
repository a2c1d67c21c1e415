"""From an opening to paused campaigns and jobs, and back to the first call: neither depends on the number of jobs."""

import time
from collections.abc import Callable

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
GOAL = 0.2  # seconds, pause and resume each
OPERATOR = events.Actor("bench", "command")
BARE = "UPDATE job_rows SET status = 'CANCELLED', completed_at = now()"


def run() -> Measured:
    rows = [measure(jobs) for jobs in JOBS]
    most = rows[-1]
    limits = [
        Limit(f"pausing {JOBS[-1]:,} jobs", most["pause s"], LIMIT, "s"),
        Limit(f"pausing {JOBS[-1]:,} jobs", most["pause s"], GOAL, "s"),
        Limit("from their resume to the first call that is sent", most["resume s"], GOAL, "s"),
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
            "The resume ends when dispatch has sent the first window, in the same process; on its own the supervisor "
            "needs up to a tenth of a second more to be woken.",
        ],
    )


def measure(jobs: int) -> dict[str, float]:
    """Pause and resume so many jobs, and write them all for comparison; seconds, and bytes of WAL."""
    switch.client().flushall()
    seed(jobs)
    rebuild.compare()
    pause, pause_wal = timed(lambda: gate.record_failure("millionverifier", "no credit left", "quota_exhausted"))
    assert states() == {"PAUSED": jobs}
    bare, bare_wal = timed(write_all)
    breaker.reset("millionverifier", actor=OPERATOR, reason="bench", force=True)
    sign()
    resume, resume_wal = timed(until_sent)
    assert states() == {"PENDING": jobs}
    return {
        "jobs": jobs,
        "pause s": pause,
        "WAL B": pause_wal,
        "resume s": resume,
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


def until_sent() -> None:
    recovery.resume(actor=OPERATOR, reason="bench")
    assert dispatch.dispatch()


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
