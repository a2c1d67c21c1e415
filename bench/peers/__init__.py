"""Other ways to do the same work, in their best configuration, are measured in the same run.

Each is a file that makes its work when it is run with a number of leads, and workers that do it.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.stack import ROOT, Stack

Commands = Callable[[int, int], list[list[str]]]
NOT_DONE = (
    "has no gate across processes (each has a breaker of its own, which closes again by itself), no pause of "
    "campaigns and queues, no fence against a worker that was thought dead, no rate limits, no books of what may "
    "have been charged"
)


@dataclass(frozen=True)
class Peer:
    """A peer is a module of this folder; `workers` are the command lines for so many processes and threads, and
    `lacks` says what it does not do."""

    name: str
    module: str
    workers: Commands
    lacks: str

    @contextmanager
    def working(self, stack: Stack, leads: int, processes: int, threads: int) -> Iterator[list[int]]:
        """Make the work for so many leads and let workers do it on the servers of a stack; gives their process ids."""
        env = {
            **os.environ,
            "BENCH_REDIS_URL": stack.redis_url,
            "BENCH_DATABASE_URL": stack.database_url,
            "BENCH_SANDBOX_URL": stack.sandbox_url,
            "BENCH_CAMPAIGN": target(stack),
        }
        subprocess.run([sys.executable, "-m", self.module, str(leads)], cwd=ROOT, env=env, check=True)
        with (stack.folder / "log" / "peers.log").open("ab") as log:
            children = [
                subprocess.Popen(
                    [sys.executable, *command], cwd=ROOT, env=env, start_new_session=True, stdout=log, stderr=log
                )
                for command in self.workers(processes, threads)
            ]
        try:
            yield [child.pid for child in children]
        finally:
            for child in children:
                child.terminate()
            for child in children:
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()


def target(stack: Stack) -> str:
    """Make a campaign at Instantly for the leads to be pushed into, and return its id."""
    schedule = {
        "name": "Office hours",
        "timing": {"from": "09:00", "to": "17:00"},
        "days": {str(day): True for day in range(7)},
        "timezone": "Africa/Abidjan",
    }
    body = {"name": "Peer", "campaign_schedule": {"schedules": [schedule]}}
    request = urllib.request.Request(
        f"{stack.sandbox_url}/instantly/api/v2/campaigns",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer sandbox", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["id"])


def dramatiq_workers(processes: int, threads: int) -> list[list[str]]:
    numbers = ["--processes", str(processes), "--threads", str(threads)]
    return [["-m", "dramatiq", "bench.peers.bare", *numbers]]


def celery_workers(pool: str, module: str = "bench.peers.on_celery") -> Commands:
    def commands(processes: int, threads: int) -> list[list[str]]:
        return [
            [
                *("-m", "celery", "-A", module, "worker", "-Q", "push,write,research,verify"),
                *("-n", f"{pool}{number}@%h", "--pool", pool, "--concurrency", str(threads), "--loglevel", "ERROR"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ]
            for number in range(processes)
        ]

    return commands


def procrastinate_workers(processes: int, threads: int) -> list[list[str]]:
    return [["-m", "bench.peers.on_procrastinate", "work", str(threads)]] * processes


BARE = Peer(
    "bare Dramatiq",
    "bench.peers.bare",
    dramatiq_workers,
    "makes the calls and nothing else: no row is written, nothing is remembered, nothing stops it. It is the limit.",
)
CELERY = "result, ledger and next task are three systems without a transaction: a crash between them loses or doubles"
ALL = (
    BARE,
    Peer("Celery, threads", "bench.peers.on_celery", celery_workers("threads"), f"{NOT_DONE}; {CELERY}."),
    Peer(
        "Celery, prefork",
        "bench.peers.on_celery",
        celery_workers("prefork"),
        "lacks the same; each of its threads is a process here.",
    ),
    Peer(
        "Celery, threads, ORM",
        "bench.peers.on_celery_with_orm",
        celery_workers("threads", "bench.peers.on_celery_with_orm"),
        "lacks the same; lead and ledger row are one transaction of Django's ORM. By default Celery closes Django's "
        "connection after each task: a new one each time is much of the cost.",
    ),
    Peer(
        "Procrastinate",
        "bench.peers.on_procrastinate",
        procrastinate_workers,
        f"{NOT_DONE}. Lead, ledger row and next job are one transaction; that the job is done is another.",
    ),
)
