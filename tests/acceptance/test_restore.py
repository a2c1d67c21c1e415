"""A dump taken in the middle of paused work is all that is needed: on new servers everything stands as it did."""

import csv
import itertools
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integrations.sandbox import Sandbox
from local.drill import ENVIRONMENT, Drill
from local.embedded import Servers, postgres_binary
from local.stack import ROOT, Stack
from tests.stores import break_vendor, calls_of

STANDING = (
    "SELECT state, count(*) FROM leads GROUP BY 1 ORDER BY 1",
    "SELECT service, count(*), sum(cost_usd) FROM vendor_calls GROUP BY 1 ORDER BY 1",
    "SELECT key, actor, ended_at IS NULL FROM queue_pauses ORDER BY id",
    "SELECT status, status_message FROM campaigns",
    "SELECT service, reset_at IS NULL FROM incidents",
)
# The same before and after, as the runbook says: it is kept beside the dump, never in it.
KEY = secrets.token_urlsafe(50)


def env(sandbox: Sandbox) -> dict[str, str]:
    return {**ENVIRONMENT, "SANDBOX_URL": sandbox.url, "SECRET_KEY": KEY}


@contextmanager
def holdfast(stack: Stack) -> Iterator[Drill]:
    with stack:
        drill = Drill(stack)
        yield drill
        drill.database.close()


def pg(tool: str, *arguments: str) -> None:
    done = subprocess.run([postgres_binary(tool), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def standing(drill: Drill) -> list[list[tuple[object, ...]]]:
    return [drill.rows(sql) for sql in STANDING]


def pause_all(stack: Stack) -> None:
    """Pause everything by hand while nothing of the stack runs yet and its Redis is empty."""
    stack.folder.mkdir()
    command = [sys.executable, "manage.py", "queue", "pause", "--all", "--reason", "restored", "--actor", "ann"]
    done = subprocess.run(command, env=stack.environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pushed_twice(sandbox: Sandbox) -> object:
    (instantly,) = [vendor for vendor in sandbox.vendors if vendor.name == "instantly"]
    return instantly.bill()["added_more_than_once"]


@pytest.mark.processes
def test_everything_is_lost_but_the_dump_and_work_goes_on_where_it_stood(one_sandbox: Sandbox, tmp_path: Path) -> None:
    dump = tmp_path / "holdfast.dump"
    for service in ("apollo", "millionverifier", "perplexity", "openai", "instantly"):
        break_vendor(one_sandbox, service, "none", latency_ms=50)
    people = tmp_path / "people.csv"
    with (ROOT / "samples" / "people.csv").open(newline="") as rows, people.open("w", newline="") as first:
        csv.writer(first).writerows(itertools.islice(csv.reader(rows), 151))
    with holdfast(Stack(tmp_path / "first", env=env(one_sandbox))) as drill:
        drill.command("campaign", "create", "To be lost", "--csv", str(people), "--start")
        drill.until("some leads have ended", lambda: drill.ended() >= 20)
        break_vendor(one_sandbox, "openai", "bad_key")
        drill.until("everything is paused", lambda: drill.value("SELECT count(*) FROM incidents") == 1)
        drill.command("queue", "pause", "perplexity", "--reason", "a new prompt")
        drill.until(
            "no call is under way", lambda: not drill.value("SELECT count(*) FROM job_rows WHERE status = 'PROCESSING'")
        )
        before = standing(drill)
        pg("pg_dump", "--format=custom", f"--file={dump}", drill.stack.database_url)
    shutil.rmtree(tmp_path / "first")
    paid = len(calls_of(one_sandbox))
    break_vendor(one_sandbox, "openai", "none")

    with Servers(tmp_path / "servers") as servers:
        pg("pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={servers.database_url}",
           str(dump))  # fmt: skip
        second = Stack(
            tmp_path / "second",
            env=env(one_sandbox),
            database_url=servers.database_url,
            redis_url=servers.redis_url,
        )
        pause_all(second)
        with holdfast(second) as drill:
            breakers = lambda: drill.command("breaker", "status")["breakers"]  # noqa: E731
            drill.until(
                "the supervisor has compared the stores",
                lambda: (
                    {breaker["circuit_state"] for breaker in breakers().values()} <= {"closed", "open", "half_open"}
                ),
            )
            drill.until("the workers sign", lambda: drill.stack.manage("queue", "plan").stdout.count("pass") >= 6)
            before[2].append(("operator:all", "ann", True))
            assert standing(drill) == before
            assert breakers()["openai"]["circuit_state"] != "closed"
            assert all(breaker["queue_paused"] for breaker in breakers().values())
            assert drill.command("reconcile")["balanced"]
            refusal = drill.command("queue", "resume", "--reason", "too early", refused=True)
            assert "Circuit breakers still open for: openai" in refusal
            assert [call for call in calls_of(one_sandbox)[paid:] if not call["probe"]] == []

            drill.command("breaker", "reset", "openai", "--reason", "restored")
            assert drill.command("queue", "resume", "--reason", "restored")["campaigns_resumed"] == 1
            drill.command("queue", "resume", "--all", "--reason", "looked at")
            drill.command("queue", "resume", "perplexity", "--reason", "the prompt is in")
            drill.until("the campaign ends", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED")
            assert drill.command("reconcile")["balanced"]
            assert drill.value("SELECT count(*) FROM leads WHERE state = 'OPEN'") == 0
            assert pushed_twice(one_sandbox) == {}
