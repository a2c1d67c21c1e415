"""The resume that cannot hurt, with three worker processes of eight threads, by the sandbox's own bill."""

import csv
import os
import signal

import pytest

BROKEN = "perplexity"
TRIPS = int(os.environ.get("RAMP_TRIPS", "2"))  # twenty take minutes
# Enough for each trip to find work.
LEADS = 300 * (TRIPS + 1)
RUNNING = "SELECT count(*) FROM campaigns WHERE status = 'RUNNING'"
BUSY = "SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')"
LATE = """
SELECT count(*) FROM vendor_calls v JOIN incidents i ON v.admitted_at > i.opened_at
JOIN queue_pauses p ON p.id = i.pause_id WHERE v.admitted_at < p.ended_at
"""


@pytest.fixture(scope="module")
def leads(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["First Name", "Last Name", "Title", "Company", "Email"])
        rows.writerows([f"Ida{n}", "Locke", "CTO", f"Acme {n}", f"ida{n}+ok@acme{n}.example"] for n in range(LEADS))
    return path


def billed(drill, service=BROKEN):
    """Calls of the jobs that arrived at that vendor."""
    return sum(not call["probe"] and call["service"] == service for call in drill.control("calls?since=0"))


def until_all_is_paused(drill):
    drill.until("the system is paused", lambda: drill.value(RUNNING) == 0)
    drill.until("nothing is under way", lambda: drill.value(BUSY) == 0)


def reset(drill, *how):
    drill.command("breaker", "reset", BROKEN, "--reason", "it seems well", *how)


def resume(drill, *how):
    drill.until("a resume is possible", lambda: drill.stack.manage("queue", "plan").returncode == 0)
    return drill.command("queue", "resume", "--reason", "it seems well", *how)


def ramps(drill):
    return drill.command("queue", "ramp")["ramps"]


@pytest.mark.processes
def test_a_vendor_that_is_still_broken_gets_five_calls(drill, leads):
    drill.command("campaign", "create", "Comes back", "--csv", str(leads), "--start")
    drill.until("leads have been pushed", lambda: billed(drill, "instantly") >= 20)
    drill.control(BROKEN, {"fault": "server_error"})
    until_all_is_paused(drill)
    reset(drill, "--force")
    before = billed(drill)
    assert resume(drill)["stages"].keys() == {BROKEN}
    until_all_is_paused(drill)
    assert 2 <= billed(drill) - before <= 5
    status = drill.command("queue", "status")
    assert status["stopped_resumes"][0].startswith(f"{BROKEN}: resume stopped at the canary after ")
    assert drill.value("SELECT count(*) FROM incidents") == 1
    assert drill.value("SELECT count(*) FROM events WHERE verb = 'stopped_at_canary'") == 1


@pytest.mark.processes
def test_one_job_can_be_tried_while_the_system_is_paused(drill):
    drill.control(BROKEN, {"fault": "none"})
    reset(drill)
    before = billed(drill)
    drill.command("queue", "try-one", BROKEN, "--reason", "a probe proves the key only")
    found = "SELECT reason FROM events WHERE verb = 'tried_one'"
    drill.until("it has ended", lambda: drill.value(found) is not None)
    assert drill.value(found).startswith("one research job was tried: success")
    assert billed(drill) == before + 1
    assert drill.value(RUNNING) == 0


@pytest.mark.processes
def test_a_healthy_one_comes_back_to_full_speed(drill):
    resume(drill)
    seconds = drill.until("it is at full speed", lambda: not ramps(drill), within=60)
    assert seconds < 60
    rows = drill.rows("SELECT after ->> 'stage' FROM events WHERE verb IN ('ramp_moved', 'ramp_full') ORDER BY id")
    steps = [int(stage) for (stage,) in rows]
    # The record follows the switch once a second: a step that was over by then is not in it.
    assert steps == sorted(set(steps) & {10, 25, 50, 100})
    assert steps[-1] == 100


@pytest.mark.processes
def test_it_is_at_full_speed_at_once_when_told_so(drill):
    drill.control(BROKEN, {"fault": "server_error"})
    until_all_is_paused(drill)
    drill.control(BROKEN, {"fault": "none"})
    reset(drill)
    assert "stages" not in resume(drill, "--all-at-once")
    assert ramps(drill) == {}
    assert drill.value("SELECT count(*) FROM incidents") == 2


@pytest.mark.processes
def test_trips_during_ramps_with_a_worker_killed_lose_nothing(drill):
    for number in range(TRIPS):
        drill.control(BROKEN, {"fault": "server_error"})
        until_all_is_paused(drill)
        drill.control(BROKEN, {"fault": "none"})
        reset(drill)
        resume(drill)
        if number == 0:
            victim = drill.value("SELECT name FROM processes WHERE role = 'worker' ORDER BY name LIMIT 1")
            os.kill(int(victim.rpartition(":")[2]), signal.SIGKILL)
        began = billed(drill)
        drill.until("its canary is out", lambda began=began: billed(drill) > began)
    openings = drill.value("SELECT count(*) FROM events WHERE verb = 'opened'")
    on_record = drill.value(
        "SELECT count(DISTINCT e.id) FROM events e JOIN incidents i ON i.id = e.incident_id WHERE e.verb = 'opened'"
    )
    assert openings == on_record == TRIPS + 3
    assert drill.value(LATE) == 1, "none but the one that was tried"
    drill.until("it is done", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED", within=300)
    drill.command("reconcile")
    assert drill.control("bill")["instantly"]["keys_charged_more_than_once"] == {}
