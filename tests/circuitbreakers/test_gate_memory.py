"""What the gate remembers of calls, and what can be said when part of it is gone or its clock has lied."""

from datetime import timedelta
from typing import Any

import pytest

from circuitbreakers import gate, switch
from circuitbreakers.models import Event
from circuitbreakers.rates import parse
from circuitbreakers.services import SERVICES
from tests.breakers import ANN, admit, fail, redis_cli

PERMITS, SETTLED, GATE = "circuit_permits:apollo", "circuit_settled:apollo", "circuit_gate:apollo"
HOUR, DAY = 3600.0, 86_400.0


def trace(call: str = "never:1") -> gate.Trace:
    return gate.trace("apollo", call)


def knows_all() -> bool:
    """Whether a call that nobody knows was not admitted for sure."""
    return trace() == gate.Trace(None, None)


# --- calls ------------------------------------------------------------------------------------------------------------


def test_a_call_of_a_known_number_is_refused_in_flight_and_settled() -> None:
    permit = gate.admit("apollo", "7:1")
    with pytest.raises(gate.Seen) as in_flight:
        gate.admit("apollo", "7:1")
    permit.settle("success")
    with pytest.raises(gate.Seen) as settled:
        gate.admit("apollo", "7:1")
    assert in_flight.value.admitted_at == settled.value.admitted_at == permit.admitted_at
    assert redis_cli().zcard(PERMITS) == 0
    gate.admit("apollo", "7:2")


def test_a_known_number_is_told_also_while_the_gate_is_shut() -> None:
    gate.admit("apollo", "7:1").settle("success")
    fail(times=5)
    with pytest.raises(gate.Seen):
        gate.admit("apollo", "7:1")


def test_a_trace_knows_when_a_call_was_admitted_until_a_quarter_of_an_hour_later() -> None:
    permit = admit()
    assert trace(permit.call) == gate.Trace(permit.admitted_at, None)
    permit.settle("success")
    assert trace(permit.call) == gate.Trace(permit.admitted_at, None)
    assert knows_all()


@pytest.mark.parametrize("gone", [(PERMITS,), (SETTLED,), (GATE,), (PERMITS, SETTLED), (PERMITS, SETTLED, GATE)])
def test_what_somebody_deleted_or_redis_evicted_is_noticed_once(gone: tuple[str, ...]) -> None:
    admit()
    admit().settle("success")
    before = switch.read_all().now
    redis_cli().delete(*gone)
    lost = trace()
    assert lost.admitted_at is None
    assert lost.since is not None
    assert before <= lost.since <= switch.read_all().now
    assert trace() == lost  # of calls from after that instant everything is known again


def test_a_single_call_that_is_gone_is_noticed() -> None:
    permit, _ = admit(), admit()
    redis_cli().zrem(PERMITS, permit.call)
    assert trace(permit.call).since is not None


def test_a_gate_that_vanished_between_two_calls_is_noticed_by_the_second() -> None:
    admit().settle("success")
    redis_cli().delete(GATE, SETTLED)
    between = switch.read_all().now
    admit()
    then = switch.read_all().now
    since = trace().since
    assert since is not None
    assert between <= since <= then  # all that came after the second is known


def test_a_clock_that_was_ahead_for_a_while_takes_calls_with_it_and_is_found_out() -> None:
    """Fifteen minutes ahead, one record drops all that is younger: as it looks when the clock is right again."""
    permit = admit()
    now = switch.read_all().now
    ahead = (now + timedelta(hours=1)).timestamp() * 1e6
    redis_cli().zrem(PERMITS, permit.call)
    redis_cli().hincrby(GATE, "permits", -1)
    redis_cli().hset(GATE, "horizon", f"{ahead:.0f}")
    since = trace(permit.call).since
    assert since is not None
    assert now <= since <= switch.read_all().now
    assert trace().since == since


def test_what_is_forgotten_for_its_age_alarms_nobody_who_came_later() -> None:
    now = switch.read_all().now.timestamp()
    old = {f"old:{n}": (now - 1000 - n) * 1e6 for n in range(3)}
    redis_cli().zadd(PERMITS, old)
    redis_cli().hincrby(GATE, "permits", 3)
    admit().settle("success")
    since = trace().since
    assert since is not None
    assert since < switch.read_all().now - timedelta(minutes=14)


# --- clocks -----------------------------------------------------------------------------------------------------------


def jump_back(seconds: float) -> None:
    """As all of the gate's instants look when the clock goes back so far."""
    for name, value in redis_cli().hgetall(GATE).items():
        if name.startswith("tat:") or name == "blocked_until":
            redis_cli().hset(GATE, name, f"{float(value) + seconds * 1e6:.0f}")


def wait_of_the_next_call(tokens: int = 0) -> float:
    try:
        gate.admit("apollo", f"next:{redis_cli().incr('test:calls')}", tokens=tokens).settle("unknown")
    except gate.NotAdmitted as refused:
        return refused.wait or 0.0
    return 0.0


@pytest.mark.parametrize("jump", [60.0, HOUR, 2 * DAY])
@pytest.mark.parametrize(
    ("limits", "longest"), [("80/1", 0.1), ("1/60", 60.0), ("6000/3600", 1.0), ("50000/86400", 2.0), ("3/1,90/60", 1.0)]
)
def test_a_pace_from_a_clock_that_was_ahead_keeps_nobody_away_longer_than_its_own_limit_does(
    limits: str, longest: float, jump: float, settings: Any
) -> None:
    settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": parse(limits)}
    wait_of_the_next_call()
    jump_back(jump)
    first = wait_of_the_next_call()
    assert first <= longest
    # And it comes nearer: at the next look it is not just as far off again.
    redis_cli().hset(GATE, mapping={name: f"{float(value) - first * 1e6:.0f}" for name, value in
                                    redis_cli().hgetall(GATE).items() if name.startswith("tat:")})  # fmt: skip
    assert wait_of_the_next_call() == 0.0


def test_a_budget_of_tokens_is_owed_for_one_period_at_most(settings: Any) -> None:
    settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": parse("tokens=30000/60")}
    permit = gate.admit("apollo", "1:1", tokens=1000)
    permit.settle("success", tokens=10_000_000)
    assert 60.0 < wait_of_the_next_call(1000) <= 70.0  # and its own units
    jump_back(HOUR)
    assert wait_of_the_next_call(1000) <= 70.0


def test_what_is_owed_of_a_budget_is_forgotten_a_period_later_also_when_nobody_asked_meanwhile(settings: Any) -> None:
    settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": parse("tokens=30000/60")}
    gate.admit("apollo", "1:1", tokens=1000).settle("success", tokens=10_000_000)
    jump_back(-75.0)
    assert wait_of_the_next_call(1000) == 0.0


@pytest.mark.parametrize("asked", [None, 30.0, HOUR])
@pytest.mark.parametrize("jump", [HOUR, 2 * DAY])
def test_a_wait_that_a_vendor_asked_for_is_no_longer_than_it_asked_for(asked: float | None, jump: float) -> None:
    gate.record("apollo", "rate_limit", "HTTP 429", retry_after=asked)
    wait = wait_of_the_next_call()
    jump_back(jump)
    snapshot = switch.read_all()
    shown = snapshot.waits_until("apollo")
    assert shown is not None
    assert (shown - snapshot.now).total_seconds() <= (asked or 2.0)
    assert wait_of_the_next_call() <= (asked or 2.0)
    # It was put right, not only shown so.
    assert float(redis_cli().hget(GATE, "blocked_until")) / 1e6 <= snapshot.now.timestamp() + wait + 1


def test_a_wait_typed_by_hand_is_a_day_at_most() -> None:
    redis_cli().hset(GATE, "blocked_until", f"{(switch.read_all().now.timestamp() + 30 * DAY) * 1e6:.0f}")
    assert wait_of_the_next_call() <= DAY


# --- a person lifts the wait ------------------------------------------------------------------------------------------


def test_a_wait_is_shown_and_lifted_with_who_and_why() -> None:
    gate.record("apollo", "rate_limit", "HTTP 429", retry_after=HOUR)
    gate.slow_down("apollo", paces={"per_60s": 5_000_000})
    until = switch.read_all().waits_until("apollo")
    assert until is not None
    assert gate.lift_wait("apollo", actor=ANN, reason="they say it is over") == until
    assert wait_of_the_next_call() == 0.0
    assert switch.read_all().waits_until("apollo") is None
    event = Event.objects.get(verb="wait_lifted")
    assert (event.subject_id, event.actor, event.reason) == ("apollo", ANN.name, "they say it is over")
    assert event.before == {"until": until.isoformat()}


def test_there_is_nothing_to_lift_where_nobody_waits() -> None:
    assert gate.lift_wait("apollo", actor=ANN) is None
    assert not Event.objects.filter(verb="wait_lifted").exists()


def test_throttling_that_is_lifted_again_and_again_still_opens_the_breaker_in_the_end() -> None:
    gate.record("apollo", "rate_limit", "HTTP 429")
    since = redis_cli().hget(GATE, "throttled_since")
    gate.lift_wait("apollo", actor=ANN)
    assert redis_cli().hget(GATE, "throttled_since") == since
