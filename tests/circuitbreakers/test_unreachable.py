"""D1: who cannot ask the switch admits nothing, says so once, and asks no second time."""

import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from circuitbreakers import breaker, gate, policies, rebuild, switch
from circuitbreakers.services import SERVICES
from circuitbreakers.states import from_us
from local.processes import free_port
from tests.breakers import (
    ANN,
    admit,
    at_once,
    fail,
    in_flight,
    is_admitted,
    queue,
    redis_cli,
    refusal,
    reset,
    resume,
    stored,
    trip,
)
from tests.stores import forget_servers

SOON = 1.2  # seconds: connecting and one answer may each take REDIS_TIMEOUT, and the machine is busy


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]


@pytest.fixture
def nobody_there(settings) -> Iterator[None]:
    """The switch on a port where nobody listens."""
    settings.REDIS_SWITCH_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_servers()
    yield
    forget_servers()


class SilentServer:
    """Takes connections, answers what a client says in greeting, and swallows scripts; it keeps what it was asked."""

    def __init__(self, *, hangs_up: bool) -> None:
        self.hangs_up = hangs_up
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.commands: list[str] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        with self.listener:
            while True:
                try:
                    peer, _ = self.listener.accept()
                except OSError:
                    return
                self.connections += 1
                threading.Thread(target=self.serve, args=[peer], daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as requests:
            while line := requests.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int(requests.readline()[1:])
                    words.append(requests.read(size + 2)[:-2])
                command = words[0].decode().upper()
                self.commands.append(command)
                if command not in ("EVALSHA", "EVAL"):
                    peer.sendall(b"+OK\r\n")
                elif self.hangs_up:
                    return

    @property
    def scripts(self) -> int:
        return sum(command.startswith("EVAL") for command in self.commands)

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)


@pytest.fixture(params=[False, True], ids=["never answers", "hangs up"])
def silent_server(request, settings) -> Iterator[SilentServer]:
    server = SilentServer(hangs_up=request.param)
    settings.REDIS_SWITCH_URL = f"redis://127.0.0.1:{server.port}/0"
    forget_servers()
    yield server
    forget_servers()
    server.stop()


def test_D1_nobody_there_means_not_admitted_at_once(nobody_there):
    started = time.monotonic()
    assert refusal().reason == "unreachable"
    assert time.monotonic() - started < SOON
    assert not gate.should_allow_request("apollo")


def test_D1_a_script_whose_answer_is_lost_is_sent_once(silent_server):
    started = time.monotonic()
    assert refusal().reason == "unreachable"
    assert time.monotonic() - started < SOON
    assert silent_server.scripts == 1
    assert silent_server.connections == 1


def test_D1_an_outcome_whose_answer_is_lost_is_sent_once_and_breaks_nothing(silent_server, caplog):
    gate.Permit("apollo", "job-1:1", "1", from_us(1)).settle("timeout")
    assert silent_server.scripts == 1
    assert "Outcome of call job-1:1 not recorded: Redis does not answer" in caplog.messages


@pytest.mark.processes
def test_D1_a_frozen_server_means_not_admitted_soon(other_server):
    assert is_admitted()
    other_server.child.signal(signal.SIGSTOP)
    try:
        for _ in range(3):  # on the old connection, then on new ones
            started = time.monotonic()
            assert refusal().reason == "unreachable"
            assert time.monotonic() - started < SOON
    finally:
        other_server.child.signal(signal.SIGCONT)
    assert is_admitted()


@pytest.mark.processes
def test_D1_one_line_when_it_goes_away_and_one_when_it_is_back(other_server, caplog):
    caplog.set_level("INFO")
    assert is_admitted()
    other_server.child.kill()
    for _ in range(5):
        assert refusal().reason == "unreachable"
        assert not gate.should_allow_request("openai")
    assert errors(caplog) == ["Redis does not answer: no call is admitted until it does"]
    caplog.clear()
    other_server.servers.start_valkey()
    caplog.clear()
    for _ in range(3):
        refusal()
        gate.should_allow_request("openai")
    assert errors(caplog) == ["Redis answers again"]
    rebuild.compare()
    assert is_admitted()


def test_D1_threads_that_are_refused_at_once_say_so_once(nobody_there, caplog):
    results = at_once(*(lambda service=service: refusal(service) for service in SERVICES * 4))
    assert {result.reason for result in results} == {"unreachable"}
    assert len(errors(caplog)) == 1


@pytest.mark.processes
def test_D1_a_server_with_full_memory_admits_nothing_and_still_answers_reads(other_server, caplog):
    caplog.set_level("INFO")
    permit = admit()
    redis_cli().config_set("maxmemory", 1)
    caplog.clear()
    for _ in range(3):
        assert refusal().reason == "unreachable"
        assert switch.read("apollo").state == "closed"
    # The reads between are no recovery.
    assert errors(caplog) == ["Redis refuses to write: no call is admitted until it does"]
    # Who was admitted before can still trip it: `record` takes the permit away first, and goes on from there.
    permit.settle("auth")
    assert stored()["state"] == "open"
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    redis_cli().config_set("maxmemory", 0)
    reset()
    resume()
    assert is_admitted()
    assert errors(caplog)[-1] == "Redis answers again"


@pytest.mark.processes
def test_D1_a_read_only_replica_admits_nothing(other_server):
    assert is_admitted()
    # It keeps its contents and its seal: only the write that `admit` makes can tell.
    redis_cli().replicaof("127.0.0.1", free_port())
    assert switch.read_all().sealed
    assert refusal().reason == "unreachable"
    redis_cli().replicaof("NO", "ONE")
    assert is_admitted()


def test_D1_no_verb_pretends_that_it_was_done(nobody_there):
    for verb in (
        lambda: breaker.reset("apollo", actor=ANN, force=True, reason="x"),
        lambda: breaker.half_open("apollo"),
        lambda: breaker.release("apollo", actor=ANN),
        lambda: gate.record_failure("apollo", "x", "timeout"),
        rebuild.compare,
    ):
        with pytest.raises(switch.RedisUnavailable, match="Redis connection failed"):
            verb()


@pytest.mark.processes
def test_D1_a_dead_connection_in_the_pool_is_replaced_without_a_refusal(other_server):
    admit()
    other_server.child.restart()
    rebuild.compare()
    assert is_admitted()
    assert in_flight() == 1  # the one from before the restart is remembered


@pytest.mark.django_db(transaction=True)
def test_a_breaker_judges_without_postgresql_and_does_not_wait_for_it_at_each_call():
    attempts = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        nonlocal attempts
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            attempts += 1
            peer.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()

    def judge() -> list[int]:
        connection.settings_dict = {**connection.settings_dict, "PORT": listener.getsockname()[1]}
        policies.forget()
        seen = []
        for _ in range(4):
            assert fail(failure_type="timeout") == "counted"
            seen.append(attempts)
        assert fail(failure_type="timeout") == "opened"
        return seen

    (seen,) = at_once(judge)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    assert seen[0] > 0
    assert seen == [seen[0]] * 4
    assert stored()["state"] == "open"
    policies.forget()
    rebuild.compare()
    assert trip("openai") > switch.read("apollo").epoch
