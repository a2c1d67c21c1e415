"""The process that opened the breaker is frozen before its cascade; the supervisor finishes it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Freezes itself between the opening in Redis and its announcement.
FREEZES = """
import os, signal
import django
django.setup()
from circuitbreakers import gate

announce = gate.announce

def frozen(opening):
    os.kill(os.getpid(), signal.SIGSTOP)
    announce(opening)

gate.announce = frozen
verdicts = [gate.record_failure("apollo", "no answer", "timeout") for _ in range(5)]
print(verdicts[-1])
"""


def is_stopped(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.processes
def test_what_a_frozen_process_left_is_finished_and_its_awakening_pauses_nothing(drill):
    drill.control("perplexity", {"latency_ms": 400})
    drill.command("campaign", "create", "Frozen", "--apollo-url", "https://app.apollo.io/#/people?personTitles[]=CTO",
                  "--max-leads", "400", "--start")  # fmt: skip
    drill.until("leads are under way", lambda: drill.value("SELECT count(*) FROM leads WHERE stage = 'research'") > 20)
    process = subprocess.Popen(
        [sys.executable, "-c", FREEZES], cwd=drill.stack.root, env=drill.stack.env, stdout=subprocess.PIPE, text=True
    )
    try:
        drill.until("it is frozen", lambda: is_stopped(process.pid))
        drill.until(
            "the supervisor pauses the campaign", lambda: drill.value("SELECT status FROM campaigns") == "PAUSED"
        )
        drill.until(
            "every unfinished job is paused",
            lambda: drill.value("SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')") == 0,
        )
        assert drill.value("SELECT count(*) FROM incidents") == 1
        assert is_stopped(process.pid)

        drill.command("breaker", "reset", "apollo", "--reason", "it was the network")
        assert drill.command("queue", "resume", "--reason", "it was the network")["campaigns_resumed"] == 1

        os.kill(process.pid, signal.SIGCONT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert output.split()[-1] == "opened"
    assert drill.value("SELECT status FROM campaigns") in ("RUNNING", "COMPLETED")
    assert drill.value("SELECT count(*) FROM incidents") == 1
    assert drill.value("SELECT count(*) FROM queue_pauses WHERE ended_at IS NULL") == 0
    assert set(drill.command("queue", "status")["queue"].values()) == {"ACTIVE"}
    drill.control("perplexity", {"latency_ms": 0})
    drill.until("the campaign ends", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED")
    assert drill.command("reconcile")["balanced"]
