"""What an operator sees with redis-cli, when a breaker opens, and what a call costs.

docs/contract.md#redis and docs/contract.md#outcomes, to the letter.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from circuitbreakers import breaker, gate, pauses, policies, policy, switch
from circuitbreakers.models import Breaker
from circuitbreakers.services import SERVICES, UnknownService
from circuitbreakers.states import from_us
from tests.breakers import (
    ANN,
    OTHERS,
    admit,
    fail,
    incidents_of,
    is_admitted,
    move_gate_back,
    queue,
    redis_cli,
    refusal,
    reset,
    resume,
    set_policy,
    stored,
    trip,
)

ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
FIELDS = {
    *("state", "failure_count", "last_failure_time", "last_failure_type", "opened_at", "open_until", "epoch"),
    *("half_open_attempts", "reason"),
}


# --- as an operator types it -----------------------------------------------------------------------------------------


def test_a_breaker_that_was_never_touched_shows_all_fields_of_the_contract():
    for service in SERVICES:
        assert stored(service).keys() >= FIELDS
        assert stored(service)["state"] == "closed"
        assert stored(service)["failure_count"] == "0"


def test_an_open_breaker_says_when_why_and_until_when():
    before = datetime.now(UTC)
    fail(failure_type="timeout", times=5)
    now = stored()
    assert now.keys() >= FIELDS
    assert (now["state"], now["failure_count"], now["last_failure_type"]) == ("open", "5", "timeout")
    assert now["reason"] == "5 consecutive failures"
    assert all(ISO.match(now[name]) for name in ("opened_at", "open_until", "last_failure_time"))
    assert re.fullmatch(r"\d{16}", now["epoch"])
    opened_at = datetime.fromisoformat(now["opened_at"])
    assert abs((opened_at - before).total_seconds()) < 5
    assert int(now["epoch"]) == round(opened_at.timestamp() * 1_000_000)


def test_after_a_reset_the_fields_are_literally_those_of_the_contract():
    fail(times=5)
    reset()
    now = stored()
    assert now.keys() >= FIELDS
    assert now["state"] == "closed"
    assert now["failure_count"] == "0"
    assert now["last_failure_time"] == ""
    assert now["half_open_attempts"] == "0"


def test_a_reset_of_a_closed_breaker_clears_the_failure_count_and_nothing_else():
    fail(times=3)
    before = stored()
    assert reset() is False
    assert stored() == {**before, "failure_count": "0", "last_failure_time": ""}


def test_a_trip_pauses_all_five_queues_and_a_reset_touches_none():
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")
    trip("perplexity")
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    reset("perplexity")
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    resume()
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")


def test_nothing_that_pauses_expires():
    fail(times=5)
    pauses.pause("openai", actor=ANN, reason="the bill")
    names = [*(f"circuit_breaker:{service}" for service in SERVICES), "queue_status", "queue_pauses", "switch_seal"]
    assert {name: redis_cli().ttl(name) for name in names} == dict.fromkeys(names, -1)


def test_database_0_holds_the_switch_and_nothing_else():
    admit().settle("timeout")
    admit().settle("rate_limit")
    trip("openai")
    prefixes = ("circuit_", "queue_status", "queue_pauses", "switch_seal")
    assert [key for key in redis_cli().scan_iter() if not key.startswith(prefixes)] == []


@pytest.mark.parametrize(
    "us", [0, 951782400000000, 1709164800000001, 1735689599999999, 1795478611272468, 4107542399999999]
)
def test_the_scripts_write_instants_as_python_reads_them(us):
    text = (switch.SCRIPTS / "common.lua").read_text() + f"return iso({us})"
    answer = redis_cli().register_script(text)(keys=switch.keys("apollo"), args=[",".join(SERVICES), "apollo"])
    assert datetime.fromisoformat(answer) == from_us(us)
    assert ISO.match(answer)


def test_an_unknown_service_is_named_with_the_valid_ones():
    text = re.escape(f"Invalid service name: foo. Valid services: {list(SERVICES)}")
    for verb in (
        lambda: gate.admit("foo", "job-1:1"),
        lambda: gate.record_failure("foo", "x", "timeout"),
        lambda: gate.should_allow_request("foo"),
        lambda: breaker.reset("foo", actor=ANN),
        lambda: breaker.hold("foo", actor=ANN, reason="x"),
        lambda: breaker.release("foo", actor=ANN),
        lambda: pauses.pause("foo", actor=ANN, reason="x"),
        lambda: switch.read("foo"),
    ):
        with pytest.raises(UnknownService, match=text):
            verb()


# --- what opens it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure_type", ["timeout", "connection", "server_error", "malformed"])
def test_five_consecutive_failures_open_it(failure_type):
    assert fail(failure_type=failure_type, times=4) == "counted"
    assert fail(failure_type=failure_type) == "opened"


@pytest.mark.parametrize("failure_type", ["timeout", "server_error"])
def test_a_success_starts_the_count_again(failure_type):
    fail(failure_type=failure_type, times=4)
    gate.record_success("apollo")
    assert stored()["failure_count"] == "0"
    assert fail(failure_type=failure_type, times=4) == "counted"


@pytest.mark.parametrize("failure_type", ["quota_exhausted", "auth"])
def test_a_cause_that_no_retry_cures_opens_it_at_once(failure_type):
    assert fail(failure_type=failure_type) == "opened"
    assert stored()["reason"] == failure_type


@pytest.mark.parametrize("failure_type", sorted(policy.FAILURE_TYPES))
def test_every_failure_type_of_the_contract_can_be_recorded(failure_type):
    assert fail(failure_type=failure_type) in ("counted", "opened", "ignored")


def test_half_of_at_least_twenty_calls_failing_opens_it():
    for _ in range(9):
        gate.record_success("apollo")
        assert fail() == "counted"
    gate.record_success("apollo")
    assert fail() == "opened"  # the tenth failure of twenty calls, none of them consecutive
    assert stored()["reason"] == "10 of 20 calls failed"


def test_fewer_than_half_do_not():
    for _ in range(30):
        gate.record_success("apollo")
        gate.record_success("apollo")
        assert fail() == "counted"


def test_calls_older_than_the_window_do_not_count():
    for _ in range(9):
        gate.record_success("apollo")
        fail()
    # As if thirteen slots of five seconds had passed: each slot is named by its own time, in a ring of twelve.
    for name, value in redis_cli().hgetall("circuit_gate:apollo").items():
        if name.startswith("slot:"):
            at, calls, failures = value.split(":")
            then = int(at) - 13
            redis_cli().hdel("circuit_gate:apollo", name)
            redis_cli().hset("circuit_gate:apollo", f"slot:{then % 12}", f"{then}:{calls}:{failures}")
    gate.record_success("apollo")
    assert fail() == "counted"


def test_the_failure_rate_starts_anew_after_a_reset():
    for _ in range(10):
        gate.record_success("apollo")
        fail()
    assert stored()["state"] == "open"
    reset()
    resume()
    gate.record_success("apollo")
    assert fail() == "counted"


def complain_for_fifteen_minutes() -> None:
    for _ in range(18):
        assert fail(failure_type="rate_limit") == "counted"
        move_gate_back("apollo", 50)


def test_fifteen_minutes_of_throttling_without_one_success_open_it():
    complain_for_fifteen_minutes()
    assert fail(failure_type="rate_limit") == "opened"
    assert stored()["reason"] == "throttled without one success"
    assert stored()["last_failure_type"] == "rate_limit"


def test_a_quiet_quarter_of_an_hour_between_two_429s_is_no_throttling():
    fail(failure_type="rate_limit")
    move_gate_back("apollo", 1000)
    assert fail(failure_type="rate_limit") == "counted"


def test_calls_that_were_out_together_count_as_one_step_of_the_backoff():
    for _ in range(8):
        fail(failure_type="rate_limit")
    wait = switch.read_all().gates["apollo"].blocked_until - switch.read_all().now
    assert wait.total_seconds() <= 2


def test_one_success_starts_the_fifteen_minutes_again():
    complain_for_fifteen_minutes()
    gate.record_success("apollo")
    assert fail(failure_type="rate_limit") == "counted"


def test_a_reset_starts_the_fifteen_minutes_again():
    complain_for_fifteen_minutes()
    assert fail(failure_type="rate_limit") == "opened"
    reset()
    resume()
    assert fail(failure_type="rate_limit") == "counted"


def test_the_evidence_of_an_incident_is_its_last_failures_newest_first():
    for number in range(25):
        gate.record_failure("apollo", f"HTTP 500 number {number}", "server_error")
        if number < 20:
            gate.record_success("apollo")
            gate.record_success("apollo")
    (incident,) = incidents_of()
    assert [row["error"] for row in incident.evidence] == [f"HTTP 500 number {n}" for n in range(24, 4, -1)]
    newest = incident.evidence[0]
    assert newest["failure_type"] == "server_error"
    assert newest["worker"] == gate.process_name()
    assert ISO.match(newest["at"])


# --- policy ----------------------------------------------------------------------------------------------------------


def test_a_changed_threshold_decides_within_the_cache_time(monkeypatch):
    monkeypatch.setattr(policies, "CACHE_SECONDS", 0.2)
    assert fail(times=2) == "counted"
    Breaker.objects.filter(service="apollo").update(failure_threshold=3)
    deadline = time.monotonic() + policies.CACHE_SECONDS + 1
    while policies.policy_of("apollo").failure_threshold != 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert fail() == "opened"


def test_each_service_has_its_own_policy():
    set_policy("apollo", failure_threshold=1, reset_timeout=7)
    assert fail("openai") == "counted"
    assert fail("apollo") == "opened"
    state = switch.read("apollo")
    assert state.opened_at is not None
    assert state.open_until is not None
    assert (state.open_until - state.opened_at).total_seconds() == 7


def test_a_stored_state_never_decides_with_an_old_threshold():
    set_policy(failure_threshold=100, rate_trip_calls=1000)
    fail(times=10)
    set_policy(failure_threshold=5)
    assert stored()["state"] == "closed"  # a policy alone trips nothing
    assert fail() == "opened"


# --- what a call costs -----------------------------------------------------------------------------------------------


def test_a_call_that_is_admitted_and_settled_is_two_scripts():
    admit().settle("success")  # loads both
    redis_cli().config_resetstat()
    for _ in range(10):
        admit().settle("success")
    # Commands that a script runs are in these statistics too; those that a client sends are the scripts.
    stats: dict[str, Any] = redis_cli().info("commandstats")
    sent = {name for name in stats if name.startswith(("cmdstat_eval", "cmdstat_script", "cmdstat_multi"))}
    assert sent == {"cmdstat_evalsha"}
    assert stats["cmdstat_evalsha"]["calls"] == 20


def test_who_is_refused_costs_one_script():
    trip()
    refusal()
    redis_cli().config_resetstat()
    for _ in range(10):
        refusal()
    assert redis_cli().info("commandstats")["cmdstat_evalsha"]["calls"] == 10


# --- the words of a refusal ------------------------------------------------------------------------------------------


def test_a_refusal_says_why():
    trip("apollo")
    assert refusal("apollo").reason == "open"
    assert [refusal(service).reason for service in OTHERS] == ["paused"] * 4
    reset("apollo")
    assert refusal("apollo").reason == "paused"
    resume()
    assert all(is_admitted(service) for service in SERVICES)
    redis_cli().delete("circuit_breaker:apollo")
    assert refusal("apollo").reason == "lost"
    assert is_admitted("openai")
    redis_cli().hdel("queue_status", "openai")
    assert refusal("openai").reason == "lost"


def test_a_breaker_whose_queue_was_typed_active_admits_nothing():
    trip()
    redis_cli().hset("queue_status", "apollo", "ACTIVE")
    assert refusal().reason == "open"


# --- log lines -------------------------------------------------------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_an_opening_is_logged_literally_and_once(caplog):
    caplog.set_level("INFO")
    fail(times=5)
    fail(times=3)
    assert lines(caplog)[:2] == [
        ("WARNING", "Circuit breaker opened for service apollo after 5 failures"),
        ("WARNING", "Pausing queues for service apollo due to circuit breaker"),
    ]
    assert [text for _, text in lines(caplog)].count("Circuit breaker opened for service apollo after 5 failures") == 1
    for record in caplog.records[:2]:
        assert record.__dict__["service"] == "apollo"
        assert record.__dict__["epoch"] == switch.read("apollo").opening_epoch


def test_a_reset_is_logged_literally(caplog):
    trip()
    caplog.clear()
    caplog.set_level("INFO")
    reset()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("INFO", "Circuit breaker manually reset for apollo")
    assert record.__dict__["service"] == "apollo"
    assert record.__dict__["actor"] == "ann"
