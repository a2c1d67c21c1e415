"""What an outage leaves in the log of real worker processes: a line when a store goes, one when it is back."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.embedded import Servers
from local.processes import wait_for
from local.stack import ROOT

pytestmark = pytest.mark.processes
PROCESSES = 2
AWAY = 12.0  # seconds: four times as long as Dramatiq waits before it tries again
SEND = """
import django; django.setup()
from workers.actors import ACTORS
for number in range(40):
    for actor in ACTORS.values():
        actor.send(number)
"""


class Workers:
    """Two worker processes on servers of their own, and what they have logged."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        self.log = folder / "workers.log"
        self.env = {**os.environ, "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        self.python("manage.py", "migrate", "--no-input")
        command = ["manage.py", "rundramatiq", "--processes", str(PROCESSES), "--threads", "4"]
        with self.log.open("wb") as out:
            self.running = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.env, stdout=out, stderr=out)

    def python(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self.env, check=True, capture_output=True)

    def text(self, since: int = 0) -> str:
        return self.log.read_bytes()[since:].decode()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path / "servers", durable=False) as running:
        yield running


@pytest.fixture
def workers(tmp_path: Path, servers: Servers) -> Iterator[Workers]:
    started = Workers(tmp_path, servers)
    try:
        assert wait_for(lambda: started.text().count("Worker in SANDBOX mode") == PROCESSES, 60), started.text()
        yield started
    finally:
        started.running.terminate()
        started.running.wait(30)


@pytest.mark.parametrize("store", ["PostgreSQL", "Redis"])
def test_an_outage_is_one_line_in_each_process_and_its_end_another(
    store: str, servers: Servers, workers: Workers
) -> None:
    child: Any = servers.postgres if store == "PostgreSQL" else servers.valkey
    began = len(workers.text())
    child.stop()
    if store == "PostgreSQL":
        workers.python("-c", SEND)  # messages whose jobs cannot be looked up
    time.sleep(AWAY)
    assert workers.text(began).count(f"{store} does not answer") == PROCESSES
    child.start()
    assert wait_for(lambda: workers.text(began).count(f"{store} answers again") >= PROCESSES, 30), workers.text(began)
    logged = workers.text(began)
    assert "Traceback" not in logged
    assert "bug in Dramatiq" not in logged
    assert len(logged.splitlines()) == 2 * PROCESSES, logged
