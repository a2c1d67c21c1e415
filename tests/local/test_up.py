"""`make up` as a process: what it says, what it leaves, and that it leaves nothing running, whatever happens."""

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from local.embedded import Servers
from local.processes import free_port, wait_for
from local.stack import PUBLISHED, ROOT, Interrupted, Stack
from local.up import SANDBOX_LIMITS
from tests.stub import make_project

pytestmark = pytest.mark.processes

# Where the tests themselves run under nohup, `make up` would inherit that SIGHUP is ignored.
MAIN = """
import signal, sys
from pathlib import Path
from local.up import main
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(main(*map(Path, sys.argv[1:])))
"""
ORDER = ["workers", "supervisor", "web", "sandbox", "valkey", "postgres"]


class Up:
    """One `make up` of the stub project in its own folder, and what it printed so far."""

    def __init__(self, folder, project, **env):
        self.folder = folder
        self.output = folder.with_name(f"output-{time.monotonic_ns()}")
        ours = {"DATABASE_URL", "REDIS_URL", "SANDBOX_URL", "SECRET_KEY", "MODE", "DEBUG"}
        kept = {key: value for key, value in os.environ.items() if key not in ours}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, folder, project],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**kept, "PORT": str(free_port()), **env},
                start_new_session=True,
            )

    @property
    def said(self):
        return self.output.read_text()

    def wait_until_it_says(self, text):
        assert wait_for(lambda: text in self.said or self.process.poll() is not None, 60)
        assert text in self.said, self.said

    def ends(self, within=40):
        """The exit status."""
        return self.process.wait(within)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.ends()


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path)


@pytest.fixture
def up(tmp_path, project):
    """Starts one; all are gone at the end, also those that a failing test left."""
    started = []

    def start(**env):
        started.append(Up(tmp_path / "local", project, **env))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
    for pid in pids_in(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pids_in(folder):
    """Every process that works in the folder or names it in its command line."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            where = str((process / "cwd").readlink())
            if command and (os.fsencode(folder) in command or where.startswith(str(folder))):
                found[int(process.name)] = command.replace(b"\0", b" ").decode()
    return found


def nothing_runs(folder, within=3):
    wait_for(lambda: not pids_in(folder), within)
    return pids_in(folder) == {}


def test_it_says_what_it_does_and_stops_in_order(up, tmp_path):
    run = up()
    run.wait_until_it_says("Ctrl-C stops it all")
    starts = re.findall(r"^  (\w+) +\S", run.said.partition("Ready")[0], re.M)
    assert starts == ["postgres", "valkey", "database", "sandbox", "web", "workers", "supervisor"]
    password = (tmp_path / "local" / "login").read_text()
    assert f"admin / {password}" in run.said
    assert stat.S_IMODE((tmp_path / "local" / "login").stat().st_mode) == 0o600

    assert run.stop() == 0
    assert re.findall(r"^  (\w+) +stops$", run.said, re.M) == ORDER
    assert nothing_runs(tmp_path)


def test_another_terminal_finds_it_while_it_runs_and_only_then(up, tmp_path):
    run = up()
    env = tmp_path / "local" / "env"
    run.wait_until_it_says("Ctrl-C stops it all")
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    published = dict(line.split("=", 1) for line in env.read_text().splitlines())
    assert tuple(published) == (*PUBLISHED, *SANDBOX_LIMITS)
    assert SANDBOX_LIMITS.items() <= published.items()
    assert published["MODE"] == "sandbox"
    with redis.Redis.from_url(published["REDIS_URL"]) as client:
        assert client.ping()

    run.stop()
    assert not env.exists()


def test_a_second_start_finds_login_and_data_again(up, tmp_path):
    first = up()
    first.wait_until_it_says("Ctrl-C stops it all")
    password = (tmp_path / "local" / "login").read_text()
    first.stop()
    second = up()
    second.wait_until_it_says(f"admin / {password}")
    assert second.stop() == 0


def test_a_second_one_beside_it_is_told_who_runs(up):
    first = up()
    first.wait_until_it_says("Ctrl-C stops it all")
    second = up()
    assert second.ends() == 1
    assert f"runs here already (process {first.process.pid})" in second.said
    assert (first.folder / "env").exists()
    assert first.process.poll() is None


def test_a_port_in_use_is_named_with_a_way_out(up, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = up(PORT=str(port))
        assert run.ends() == 1
    assert re.search(rf"Port {port} on 127.0.0.1 is in use.*PORT=\d+ make up", run.said)
    assert nothing_runs(tmp_path)


def test_a_port_that_is_no_number_is_named(up):
    run = up(PORT="eighty")
    assert run.ends() == 1
    assert "PORT must be a port number, not 'eighty'" in run.said


@pytest.mark.parametrize("step", ["migrate", "sandbox", "supervise"])
def test_a_start_that_fails_half_way_shows_why_and_leaves_no_process(up, tmp_path, step):
    run = up(STUB_FAILS=step)
    assert run.ends() == 1
    assert f"stub: {step} fails as it was told to" in run.said
    assert "Traceback" not in run.said
    assert nothing_runs(tmp_path)
    assert not (tmp_path / "local" / "env").exists()


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "Holdfast is starting"),
        (signal.SIGTERM, "postgres "),
        (signal.SIGHUP, "database "),
        (signal.SIGINT, "web "),
    ],
)
def test_an_interruption_while_it_starts_leaves_no_process(up, tmp_path, line, number):
    run = up()
    run.wait_until_it_says(line)
    run.process.send_signal(number)
    assert run.ends() == 0
    assert run.said.endswith("Stopped.\n")
    assert nothing_runs(tmp_path)


def test_a_second_interruption_does_not_wait_for_the_stubborn(up, tmp_path):
    run = up(STUB_STUBBORN="yes")
    run.wait_until_it_says("Ctrl-C stops it all")
    run.process.send_signal(signal.SIGINT)
    run.wait_until_it_says("workers     stops")
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    assert run.ends() == 0
    assert time.monotonic() - begun < 8
    assert re.findall(r"^  (\w+) +stops$", run.said, re.M) == ORDER
    assert nothing_runs(tmp_path)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only setpriv (Linux) ties children to their parent")
def test_when_it_is_killed_its_children_go_and_the_next_start_works(up, tmp_path):
    run = up()
    run.wait_until_it_says("Ctrl-C stops it all")
    run.process.kill()
    run.ends()
    again = up()
    again.wait_until_it_says("Ctrl-C stops it all")
    assert again.stop() == 0
    assert nothing_runs(tmp_path)


def test_servers_of_ones_own_are_used_and_left_running(up, tmp_path):
    with Servers(tmp_path / "own", durable=False) as own:
        run = up(DATABASE_URL=own.database_url, REDIS_URL=f"{own.redis_url}/0")
        run.wait_until_it_says("Ctrl-C stops it all")
        assert "(from the environment)" in run.said
        assert own.password() not in run.said
        assert f"DATABASE_URL={own.database_url}\n" in (tmp_path / "local" / "env").read_text()
        assert run.stop() == 0
        assert not (tmp_path / "local" / "postgres").exists()
        assert own.postgres.alive
        assert own.valkey.alive


# --- the stack itself -------------------------------------------------------------------------------------------------


@pytest.fixture
def lines():
    return []


@pytest.fixture
def stack(tmp_path, project, lines):
    with Stack(tmp_path / "local", root=project, durable=False, say=lines.append) as stack:
        yield stack
    assert nothing_runs(tmp_path)


def kill_and_wait(child):
    before = child.pid
    child.kill()
    assert wait_for(lambda: child.pid != before and child.alive and child.ready(), 20)


def test_what_is_killed_is_started_again_and_said_in_one_line(stack, lines):
    for name in ORDER:
        kill_and_wait(stack.child(name))
    said = [line for line in lines if "was killed by SIGKILL; starts again" in line]
    assert [line.split()[0].lower() for line in said] == [*ORDER[:-1], "postgresql"]


def test_what_keeps_falling_is_started_again_ever_more_slowly(stack, lines):
    for _ in range(3):
        kill_and_wait(stack.child("supervisor"))
    said = [line.partition("(")[0].strip() for line in lines if "starts again" in line]
    assert [line.rpartition("again")[2] for line in said] == ["", " in 1 s", " in 2 s"]


def test_what_is_stopped_on_purpose_stays_down(stack):
    child = stack.child("workers")
    child.stop()
    time.sleep(1)
    assert not child.alive
    child.start()
    assert child.alive


def test_a_leader_that_dies_takes_its_descendants_along(stack, tmp_path):
    child = stack.child("workers")
    sleeper = next(pid for pid, command in pids_in(tmp_path).items() if command.startswith("sleep"))
    os.kill(child.pid, signal.SIGKILL)
    assert wait_for(lambda: sleeper not in pids_in(tmp_path), 10)


def test_a_developers_vendor_keys_never_reach_the_stack(tmp_path, project, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "real")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    monkeypatch.setenv("MODE", "live")
    stack = Stack(tmp_path / "local", root=project, database_url="postgres://x", redis_url="redis://x")
    stack.folder.mkdir()
    env = stack.environment()
    assert not [name for name in env if name.startswith("OPENAI_")]
    assert env["MODE"] == "sandbox"


def test_an_interruption_before_anything_ran_is_told_from_a_failure(tmp_path, project):
    stack = Stack(tmp_path / "local", root=project, durable=False)
    stack.interruptions = 1
    with pytest.raises(Interrupted):
        stack.start()
    assert nothing_runs(tmp_path)
