"""The health check of workers and supervisors is their row in `processes`, and its age."""

import os
import socket
import subprocess
import sys

import pytest
from django.db import connection

from campaigns.models import Process
from config import alive
from local.stack import ROOT
from tests.builders import ago, make_process

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
def the_tests_own_database(monkeypatch: pytest.MonkeyPatch) -> None:
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    monkeypatch.setenv("DATABASE_URL", f"{base}/{connection.settings_dict['NAME']}")


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_has_just_signed_is_alive(capsys: pytest.CaptureFixture[str]) -> None:
    make_process(name=f"{HERE}:1")
    assert alive.main(["worker"]) == 0
    assert capsys.readouterr().out == "1 of 1 worker processes gave a sign within 30 s\n"


def test_one_that_is_silent_is_not() -> None:
    make_process("supervisor", name=f"{HERE}:1")
    assert alive.main(["supervisor"]) == 0
    Process.objects.update(seen_at=ago(31))
    assert alive.main(["supervisor"]) == 1
    assert alive.main(["supervisor", "--silence", "60"]) == 0


def test_another_machines_and_another_role_do_not_count() -> None:
    make_process(name="elsewhere:1")
    make_process("supervisor", name=f"{HERE}:2")
    assert alive.main(["worker"]) == 1


def test_each_of_several_processes_must_sign() -> None:
    make_process(name=f"{HERE}:1")
    make_process(name=f"{HERE}:2", seen_at=ago(100))
    assert alive.main(["worker", "--processes", "2"]) == 1
    Process.objects.update(seen_at=ago(1))
    assert alive.main(["worker", "--processes", "2"]) == 0


def test_while_postgresql_is_away_nobody_is_restarted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ann:secret@127.0.0.1:1/holdfast")
    assert alive.main(["worker"]) == 0
    assert capsys.readouterr().out == "PostgreSQL does not say: OperationalError\n"


@pytest.mark.processes
def test_it_needs_no_more_of_the_environment_than_the_database() -> None:
    make_process(name=f"{HERE}:1")
    environment = {name: os.environ[name] for name in ("DATABASE_URL", "PATH")}
    command = [sys.executable, "-X", "importtime", "-m", "config.alive", "worker"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "django.apps.registry" not in done.stderr
    assert "config.settings" not in done.stderr
