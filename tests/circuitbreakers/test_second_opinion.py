"""The core of the scripts on Debian's Redis: what is true on Valkey must not be an accident of Valkey."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from circuitbreakers import breaker, gate, pauses, probes, rebuild, switch
from circuitbreakers.services import SERVICES
from local.embedded import clean_environment, valkey_binary
from local.processes import Child, free_port
from tests.breakers import (
    ANN,
    admit,
    answer_probes,
    compare_until_quiet,
    fail,
    in_flight,
    incidents_of,
    is_admitted,
    let_the_wait_pass,
    queue,
    redis_cli,
    refusal,
    reset,
    resume,
    stored,
    trip,
)
from tests.missing import missing
from tests.stores import forget_servers

pytestmark = pytest.mark.processes


def answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture(params=["redis-server", "valkey-server"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Child]:
    """The switch on a server of that kind."""
    binary = shutil.which("redis-server") if request.param == "redis-server" else valkey_binary()
    if binary is None:
        missing("no redis-server on PATH (Debian: apt install redis-server)")
    port = free_port()
    command = [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    child = Child(
        request.param,
        [*command, "--appendonly", "yes"],
        tmp_path / "server.log",
        clean_environment(),
        ready=lambda: answers(port),
        stop_with=((signal.SIGTERM, 5),),
    )
    child.start()
    try:
        with override_settings(REDIS_SWITCH_URL=f"redis://127.0.0.1:{port}/0"):
            forget_servers()
            rebuild.compare()
            yield child
    finally:
        child.stop()
        forget_servers()


def test_the_story_of_a_trip_is_the_same(server):
    permits = [admit() for _ in range(6)]
    for permit in permits[:5]:
        permit.settle("timeout", "no answer in 30 s")
    assert (stored()["state"], stored()["failure_count"]) == ("open", "5")
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert [refusal(service).reason for service in ("apollo", "openai")] == ["open", "paused"]
    permits[5].settle("success")
    assert in_flight() == 0

    let_the_wait_pass()
    assert breaker.half_open("apollo")
    answer_probes(ok=False)
    probes.probe("apollo")
    assert (stored()["state"], stored()["half_open_attempts"]) == ("open", "1")
    answer_probes(ok=True)
    assert breaker.reset("apollo", actor=ANN)
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert resume() == list(SERVICES)
    assert all(is_admitted(service) for service in SERVICES)
    assert len(incidents_of()) == 1
    assert compare_until_quiet() == 0


def test_rates_failure_rates_and_throttling_are_the_same(server, settings):
    for _ in range(9):
        gate.record_success("openai")
        fail("openai")
    gate.record_success("openai")
    assert fail("openai") == "opened"
    reset("openai")
    resume()
    admit().settle("rate_limit", retry_after=30)
    assert refusal().reason == "rate"
    gate.slow_down("apollo", wait=60, paces={"per_60s": 1000})
    assert refusal().reason == "rate"


def test_holds_and_pauses_are_the_same(server):
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    with pytest.raises(breaker.BreakerRefused):
        reset()
    breaker.release("apollo", actor=ANN)
    reset()
    pauses.pause("openai", actor=ANN, reason="the bill")
    assert resume() == [service for service in SERVICES if service != "openai"]
    pauses.lift("openai", actor=ANN)
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")


def test_a_loss_and_a_restart_are_the_same(server):
    epoch = trip()
    redis_cli().flushdb()
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch == epoch
    server.restart()
    assert refusal("openai").reason == "lost"
    compare_until_quiet()
    assert refusal("openai").reason == "paused"


def test_full_memory_and_a_read_only_replica_are_the_same(server):
    permit = admit()
    redis_cli().config_set("maxmemory", 1)
    assert refusal().reason == "unreachable"
    permit.settle("auth")
    assert stored()["state"] == "open"
    redis_cli().config_set("maxmemory", 0)
    reset()
    resume()
    assert is_admitted()
    redis_cli().replicaof("127.0.0.1", free_port())
    assert refusal().reason == "unreachable"
