"""The servers inside the wheels, as real processes: what a person meets when something is in the way."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from local import embedded
from local.embedded import Servers
from local.processes import PORTS, StartError, free_port, port_is_free, wait_for
from local.stack import ROOT

pytestmark = pytest.mark.processes


@pytest.fixture
def folder(tmp_path):
    """With a space, as a person's folder may have."""
    return tmp_path / "my data"


def remember(servers):
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('pg')")
    with redis.Redis.from_url(servers.redis_url) as client:
        client.set("kept", "valkey")


def recall(servers):
    with psycopg.connect(servers.database_url) as connection:
        rows = connection.execute("SELECT word FROM kept").fetchall()
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        return rows[0][0], client.get("kept")


def test_a_second_start_finds_the_data_again(folder):
    with Servers(folder) as servers:
        remember(servers)
    with Servers(folder) as servers:
        assert recall(servers) == ("pg", "valkey")


def test_nothing_runs_and_no_port_is_taken_after_a_stop(folder):
    with Servers(folder, durable=False) as servers:
        pids = servers.postgres.pid, servers.valkey.pid
        assert all(pids)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert port_is_free(servers.postgres_port)
    assert port_is_free(servers.valkey_port)


def test_the_data_is_for_nobody_else(folder):
    with Servers(folder, durable=False) as servers:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres.password").stat().st_mode) == 0o600
        wrong = servers.database_url.replace(servers.password(), "wrong")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(wrong)


def test_the_servers_listen_on_loopback_only(folder):
    with Servers(folder, durable=False) as servers:
        with psycopg.connect(servers.admin_url()) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
            assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_port_in_use_is_named(folder, name):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} on 127.0.0.1 is in use"):
            Servers(folder, durable=False, **{f"{name}_port": port}).start()
    assert nothing_runs_in(folder)


def test_chosen_ports_lie_where_no_client_can_connect_to_itself():
    assert all(free_port() in PORTS for _ in range(20))
    assert max(PORTS) < 32_768


def test_the_lock_of_a_dead_server_is_removed(folder):
    with Servers(folder) as servers:
        remember(servers)
        servers.postgres.kill()
        servers.valkey.kill()
        assert (folder / "postgres" / "postmaster.pid").exists()
        again = Servers(folder)
        with again:
            assert recall(again) == ("pg", "valkey")


def test_a_lock_whose_number_belongs_to_a_stranger_by_now_is_removed(folder):
    with Servers(folder, durable=False):
        pass
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'postgres'}\n")
    with Servers(folder, durable=False) as servers:
        assert servers.postgres.alive


def test_a_server_that_lives_on_the_data_is_named(folder):
    with Servers(folder, durable=False) as servers:
        with pytest.raises(StartError, match=rf"already runs on .* \(process {servers.postgres.pid}\)"):
            Servers(folder, durable=False).start()
        assert servers.postgres.alive
        assert servers.valkey.alive


def test_a_data_folder_without_its_version_is_called_broken(folder):
    (folder / "postgres").mkdir(parents=True)
    with pytest.raises(StartError, match=r"is broken.*make clean"):
        Servers(folder).start()


def test_a_data_folder_of_another_version_is_named(folder):
    with Servers(folder, durable=False):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartError, match=r"is of PostgreSQL 9, this is \d+"):
        Servers(folder).start()


def test_what_postgresql_says_of_a_damaged_folder_is_shown(folder):
    with Servers(folder, durable=False):
        pass
    (folder / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(StartError, match=r"(?s)PostgreSQL ended with status.*pg_control"):
        Servers(folder).start()
    assert nothing_runs_in(folder)


def test_what_valkey_says_of_a_damaged_folder_is_shown(folder):
    with Servers(folder, durable=False):
        pass
    next((folder / "valkey" / "appendonlydir").glob("*.manifest")).write_text("nonsense\n")
    with pytest.raises(StartError, match=r"(?s)Valkey ended with status.*manifest"):
        Servers(folder).start()
    assert nothing_runs_in(folder)


def test_an_interrupted_first_start_leaves_nothing_that_looks_like_data(folder):
    with pytest.raises(StartError):
        Servers(folder).start(give_up=lambda: True)
    assert not (folder / "postgres").exists()
    with Servers(folder, durable=False) as servers:
        assert servers.postgres.alive


@pytest.mark.parametrize(("unshare", "said"), [("exit 1", "a user namespace is forbidden"), (None, "is missing")])
def test_root_without_user_namespaces_is_told_what_to_do(tmp_path, monkeypatch, unshare, said):
    if unshare:
        (tmp_path / "unshare").write_text(f"#!/bin/sh\n{unshare}\n")
        (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StartError, match=f"{said}.*as an ordinary user, or set DATABASE_URL"):
        embedded.without_root(tmp_path)


def test_a_missing_wheel_is_named():
    with pytest.raises(StartError, match="package no-such-wheel is not installed"):
        embedded.wheel("no_such_wheel")


SCRIPT = """
import os, sys, time
from pathlib import Path
from local.embedded import Servers
servers = Servers(Path(sys.argv[1]), durable=False)
servers.start()
print(os.geteuid(), servers.postgres.pid, servers.valkey.pid, flush=True)
if len(sys.argv) > 2:
    time.sleep(60)
servers.stop()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="is one: every other test here shows it")
def test_an_ordinary_user_needs_no_user_namespace():
    # The capability lets nobody read a Python that lies in root's home; PostgreSQL looks at the user only.
    reads = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reads]
    if subprocess.run([*nobody, sys.executable, "-c", "import local.embedded"], cwd=ROOT, check=False).returncode:
        pytest.skip("an ordinary user cannot read this Python or this folder")
    folder = Path("/tmp") / f"holdfast-ordinary-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    try:
        command = [*nobody, sys.executable, "-c", SCRIPT, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("65534 "), done.stderr
        assert (folder / "postgres").stat().st_uid == 65534
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only setpriv (Linux) ties children to their parent")
def test_the_servers_do_not_outlive_a_parent_that_is_killed(folder):
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), "wait"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()[1:]]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: nothing_runs_in(folder), 10)


def nothing_runs_in(folder):
    """No process names the folder in its command line; those on their way out are given a moment."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if os.fsencode(folder) in path.read_bytes() and path.parent.name != str(os.getpid()):
                    found.append(path.parent.name)
        if not found:
            return True
        time.sleep(0.1)
    return False


def test_the_applications_role_owns_its_database_and_is_no_superuser(folder):
    with Servers(folder) as servers:
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            role = connection.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls "
                "FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert role == (False,) * 5
            connection.execute("CREATE TABLE mine (id int)")
            for forbidden in ("ALTER SYSTEM SET fsync = off", "COPY mine FROM PROGRAM 'true'", "CREATE DATABASE more"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(forbidden)
        assert servers.password() not in servers.admin_url()
        with psycopg.connect(servers.admin_url()) as connection:
            assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
                True,
            )
    for secret in ("postgres.password", "postgres.admin"):
        assert (folder / secret).stat().st_mode & 0o077 == 0


def test_a_folder_of_a_version_whose_role_was_the_superuser_still_starts(folder, monkeypatch):
    monkeypatch.setattr(embedded, "ADMIN", embedded.USER)
    with Servers(folder) as servers:
        (folder / "postgres.password").write_text((folder / "postgres.admin").read_text())
    (folder / "postgres.admin").unlink()
    monkeypatch.undo()
    with Servers(folder) as servers, psycopg.connect(servers.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
