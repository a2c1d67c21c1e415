"""The server itself: many clients, broken lines, one machine only, and the command that runs it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from integrations.sandbox import NotLoopback, Sandbox
from tests.integrations.sandbox.calls import SERVICES, Client

PROJECT = Path(__file__).resolve().parents[3]
# Stores that do not exist: the command must not ask for them.
NO_STORES = {
    "DEBUG": "true",
    "MODE": "sandbox",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ALLOWED_HOSTS": "127.0.0.1",
    "DATABASE_URL": "postgres://nobody:nothing@127.0.0.1:1/nothing",
    "REDIS_URL": "redis://127.0.0.1:1",
}


def test_many_clients_are_served_at_once(client: Client):
    def work(number: int) -> int:
        with Client(client.url) as own:
            for turn in range(10):
                for service in SERVICES:
                    assert own.paid(service, f"lead{number}.{turn}+ok@x.example").status_code == 200
        return 10 * len(SERVICES)

    started = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        done = sum(pool.map(work, range(24)))
    assert len(client.calls()) == done == 1200
    assert client.bill("instantly")["charged"] == client.bill("openai")["charged"] == 240
    assert time.monotonic() - started < 30


def test_held_and_broken_calls_do_not_disturb_the_others(client: Client):
    """Forty calls hang at Perplexity and OpenAI keeps breaking lines, while MillionVerifier is asked as usual."""
    client.break_("perplexity", "timeout")
    client.break_("openai", "connection_reset")
    stop = threading.Event()

    def hang(_: int) -> None:
        with Client(client.url) as own, pytest.raises(requests.exceptions.ReadTimeout):
            own.paid("perplexity", timeout=2)

    def break_lines() -> int:
        broken = 0
        while not stop.is_set():
            with Client(client.url) as own, pytest.raises(requests.exceptions.ConnectionError):
                own.paid("openai")
            broken += 1
        return broken

    with ThreadPoolExecutor(41) as pool:
        hanging = [pool.submit(hang, number) for number in range(40)]
        breaking = pool.submit(break_lines)
        time.sleep(0.2)
        slowest = 0.0
        for number in range(100):
            started = time.monotonic()
            assert client.paid("millionverifier", f"lead{number}@x.example").json()["error"] == ""
            slowest = max(slowest, time.monotonic() - started)
        stop.set()
        assert breaking.result() > 10
        for each in hanging:
            each.result()
    assert slowest < 2


def test_a_connection_is_kept_and_reused(client: Client):
    with socket.create_connection(("127.0.0.1", int(client.url.rpartition(":")[2])), timeout=5) as line:
        for _ in range(3):
            line.sendall(b"GET /openai/v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n")
            received = b""
            while not received.endswith(b"]}"):
                received += line.recv(65536)
            assert received.startswith(b"HTTP/1.1 200")


def test_head_has_no_body(client: Client):
    response = client.head(f"{client.url}/openai/v1/models", headers={"Authorization": "Bearer k"})
    assert (response.status_code, response.content) == (404, b"")


def test_an_unknown_path_says_where_the_vendors_are(client: Client):
    response = client.get(f"{client.url}/openai")
    assert response.status_code == 404
    assert "/openai/v1" in response.json()["detail"]
    assert client.calls() == []


def test_a_body_without_an_end_is_refused(client: Client):
    response = client.post(f"{client.url}/openai/v1/responses", data=iter([b"{}"]))
    assert response.status_code == 411


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_only_loopback_is_listened_on(host):
    with pytest.raises(NotLoopback, match="loopback only"):
        Sandbox(host)


def test_two_sandboxes_do_not_know_each_other():
    with Sandbox() as one, Sandbox() as other, Client(one.url) as client, Client(other.url) as stranger:
        client.break_("openai", "server_error")
        assert client.probe("openai").status_code == 500
        assert stranger.probe("openai").status_code == 200
        assert len(stranger.calls()) == 1


@pytest.mark.parametrize("setting", [{"fault": "timeout"}, {"fault": "none", "latency_ms": 60_000}])
def test_stopping_ends_held_and_slow_calls(setting):
    before = threading.active_count()
    sandbox = Sandbox()
    sandbox.start()
    with Client(sandbox.url) as client, ThreadPoolExecutor(1) as pool:
        client.break_("openai", **setting)
        with Client(sandbox.url) as other:
            held = pool.submit(other.paid, "openai", timeout=20)
            while not client.calls("openai"):
                time.sleep(0.01)
            started = time.monotonic()
            sandbox.stop()
            with pytest.raises(requests.exceptions.ConnectionError):
                held.result()
            assert time.monotonic() - started < 2
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


@contextmanager
def command(*arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", *arguments],
        cwd=PROJECT,
        env={**os.environ, **NO_STORES, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A run in the background of a shell ignores Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (it takes no lock)
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_needs_no_store_says_where_it_listens_and_stops_at_once(number):
    with command("--port", "0") as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("Sandbox vendors listening on http://127.0.0.1:")
        with Client(line.split()[-1]) as client:
            assert client.probe("openai").status_code == 200
            client.break_("openai", "timeout")
            with pytest.raises(requests.exceptions.ReadTimeout):
                client.paid("openai", timeout=0.2)
            process.send_signal(number)
            assert process.wait(20) == 0  # the held call would take longer
        assert process.stderr
        assert process.stderr.read() == ""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (("--port", "0"), {"DEBUG": "false"}, "DEBUG is off"),
        (("--port", "0", "--host", "0.0.0.0"), {}, "loopback only"),
        (("--port", "70000"), {}, "cannot listen on 127.0.0.1:70000"),
    ],
)
def test_the_command_refuses_with_a_reason(arguments, settings, words):
    with command(*arguments, **settings) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert words in errors
    assert "Traceback" not in errors


@pytest.mark.processes
def test_the_command_starts_without_debug_when_told_to():
    with command("--port", "0", "--without-debug", DEBUG="false") as process:
        assert process.stdout
        assert "listening" in process.stdout.readline()


@pytest.mark.processes
def test_a_port_in_use_gets_a_clear_message():
    with Sandbox() as sandbox, command("--port", sandbox.url.rpartition(":")[2]) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Address already in use" in errors
