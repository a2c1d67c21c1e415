"""Minutes of everything going wrong at once; in the end every lead has one end, and the books balance.

`CHAOS_SECONDS` says how long (default 180), `CHAOS_SEED` repeats a run.
"""

import csv
import os
import random
import signal
import time

import pytest

from local.drill import ENVIRONMENT, Drill, Failed
from local.stack import Stack

LEADS = 4000
FAULTS = (
    "server_error",
    "connection_reset",
    "timeout",
    "malformed",
    "html",
    "quota_exhausted",
    "bad_key",
    "rate_limit",
)


@pytest.fixture
def drill(tmp_path):
    with Stack(tmp_path, env=ENVIRONMENT, processes=3, threads=8, durable=True) as stack:
        path = tmp_path / "leads.csv"
        with path.open("w", newline="", encoding="utf-8") as target:
            rows = csv.writer(target)
            rows.writerow(["First Name", "Company", "Email"])
            rows.writerows([f"Ida{n}", f"Acme {n}", f"ida{n}@acme{n}.example"] for n in range(LEADS))
        drill = Drill(stack)
        drill.command("campaign", "create", "Soak", "--csv", str(path), "--start")
        yield drill
        drill.database.close()


def kill_a_worker(drill, chance):
    names = [name for (name,) in drill.rows("SELECT name FROM processes WHERE role = 'worker'")]
    if names:
        try:
            os.kill(int(chance.choice(names).rpartition(":")[2]), signal.SIGKILL)
        except ProcessLookupError:
            return


def freeze(name):
    def act(drill, chance):
        drill.stack.child(name).signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 4))
        drill.stack.child(name).signal(signal.SIGCONT)

    return act


def restart(name):
    def act(drill, chance):
        drill.stack.child(name).restart()
        if name == "postgres":
            drill.database.close()
            drill.connect()

    return act


def break_a_vendor(drill, chance):
    service = chance.choice(("millionverifier", "perplexity", "openai", "instantly"))
    drill.control(service, {"fault": chance.choice(FAULTS), "share": chance.choice((0.2, 1.0))})
    time.sleep(chance.uniform(0.5, 5))
    drill.control(service, {"fault": "none"})


def recover(drill):
    """What an operator does; refused when something is still on its way, and tried again."""
    for service in ("apollo", "millionverifier", "perplexity", "openai", "instantly"):
        drill.stack.manage("breaker", "reset", service, "--reason", "chaos", "--actor", "chaos")
    return drill.stack.manage("queue", "resume", "--reason", "chaos", "--actor", "chaos").returncode == 0


ACTS = (
    kill_a_worker,
    break_a_vendor,
    break_a_vendor,
    freeze("valkey"),
    freeze("supervisor"),
    restart("workers"),
    restart("supervisor"),
    restart("valkey"),
    restart("postgres"),
)


@pytest.mark.chaos
def test_whatever_breaks_nothing_is_lost_or_done_twice(drill, record_property):
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    record_property("seed", seed)
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    until = time.monotonic() + float(os.environ.get("CHAOS_SECONDS", "180"))
    while time.monotonic() < until:
        act = chance.choice(ACTS)
        act(drill, chance)
        time.sleep(chance.uniform(0, 3))
        if chance.random() < 0.7:
            recover(drill)

    deadline = time.monotonic() + 300
    while drill.value("SELECT status FROM campaigns") != "COMPLETED":
        if time.monotonic() > deadline:
            raise Failed(drill.stack.manage("queue", "status").stdout)
        recover(drill)
        drill.stack.manage("campaign", "retry-failed", "1", "--reason", "chaos")
        time.sleep(3)
    assert drill.value("SELECT count(*) FROM leads WHERE state = 'OPEN'") == 0
    books = drill.stack.manage("reconcile")
    assert books.returncode == 0, books.stdout
    late = (
        "SELECT count(*) FROM vendor_calls v JOIN incidents i ON v.admitted_at > i.opened_at "
        "JOIN queue_pauses p ON p.id = i.pause_id WHERE v.admitted_at < p.ended_at"
    )
    assert drill.value(late) == 0
    pushed = drill.control("bill")["instantly"]["added_more_than_once"]
    assert not pushed
