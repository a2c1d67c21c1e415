"""Each process opens as many connections as docs/going-live.md counts with, and no more."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from local.drill import ENVIRONMENT, Drill
from local.stack import ROOT, Stack

PROCESSES, THREADS, WEB_THREADS = 2, 4, 16
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.mark.processes
def test_threads_and_one_a_worker_three_a_supervisor_threads_a_web_process(tmp_path: Path) -> None:
    with Stack(tmp_path / "stack", env=ENVIRONMENT, processes=PROCESSES, threads=THREADS) as stack:
        drill = Drill(stack)
        for service in ("millionverifier", "perplexity", "openai", "instantly"):
            drill.control(service, {"fault": "none", "latency_ms": 300})
        drill.command("campaign", "create", "Busy", "--csv", str(ROOT / "samples" / "people.csv"), "--start")
        drill.until("every thread has worked", lambda: drill.ended() >= 30)
        with ThreadPoolExecutor(3 * WEB_THREADS) as crowd:
            ready = [f"{stack.web_url}/health/ready"] * (6 * WEB_THREADS)
            assert {answer.status_code for answer in crowd.map(lambda url: requests.get(url, timeout=60), ready)} == {
                200
            }

        opened = drill.value(OPEN)
        counts = {}
        for name in ("web", "supervisor", "workers"):
            stack.child(name).stop()
            left = drill.value(OPEN)
            counts[name], opened = opened - left, left
        drill.database.close()
    assert opened == 0
    assert counts["workers"] == PROCESSES * (THREADS + 1)
    assert 2 <= counts["supervisor"] <= 3
    assert 1 < counts["web"] <= WEB_THREADS
