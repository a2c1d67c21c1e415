"""Rate limits at the gate, against the script on the real server. Time passes by moving its memory back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitbreakers import gate, rates, switch
from circuitbreakers.rates import RateLimit, parse
from circuitbreakers.services import SERVICES
from tests.breakers import (
    admit,
    fail,
    is_admitted,
    move_gate_back,
    redis_cli,
    refusal,
    trip,
)
from tests.circuitbreakers.conftest import PROFILE

GATE = "circuit_gate:apollo"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> Any:
    """Sets the limits of apollo's gate."""

    def limit(text: str) -> tuple[RateLimit, ...]:
        settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": parse(text)}
        return settings.RATE_LIMITS["apollo"]

    return limit


def most_in_any(period: float, admitted: list[tuple[float, int]]) -> int:
    """The most units that were admitted in any stretch of `period` seconds."""
    return max(
        (sum(units for at, units in admitted if start <= at < start + period) for start, _ in admitted), default=0
    )


def ask_again_and_again(waits_and_costs: list[tuple[float, int]], name: str) -> list[tuple[float, int]]:
    """Ask the gate after each wait; when and how many units it admitted, on a clock that the waits move."""
    redis_cli().delete(GATE)
    moved, admitted = 0.0, []
    for wait, cost in waits_and_costs:
        move_gate_back("apollo", wait)
        moved += wait
        try:
            permit = admit(tokens=cost)
        except gate.NotAdmitted:
            continue
        admitted.append((permit.admitted_at.timestamp() + moved, cost if name == "tokens" else 1))
        permit.settle("unknown")
    return admitted


limits_of_all_shapes = st.builds(
    lambda name, count, period, burst: RateLimit(name, count, period, min(burst, count)),
    st.sampled_from(["calls", "tokens"]),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(0, 12),
)


@settings(PROFILE)
@given(limit=limits_of_all_shapes, data=st.data())
def test_never_more_than_count_units_are_admitted_in_any_period(limit, data, django_settings):
    django_settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": (limit,)}
    # Never a single call that is larger than what may come at once: no budget could hold it.
    steps = st.tuples(st.floats(0, limit.period / 2), st.integers(1, limit.allowance))
    admitted = ask_again_and_again(data.draw(st.lists(steps, min_size=5, max_size=40)), limit.name)
    assert most_in_any(limit.period, admitted) <= limit.count


@pytest.fixture
def django_settings(settings: Any) -> Any:
    return settings


@settings(PROFILE)
@given(text=st.sampled_from(["3/1", "10/1:5", "20/60,100/3600", "tokens=40/60:10,5/1"]), used=st.integers(0, 8))
def test_the_instant_that_a_refusal_names_is_the_first_at_which_it_admits(text, used, django_settings):
    django_settings.RATE_LIMITS = {**dict.fromkeys(SERVICES, ()), "apollo": parse(text)}
    redis_cli().delete(GATE)
    refused = None
    for _ in range(50):
        try:
            admit(tokens=used)
        except gate.NotAdmitted as error:
            refused = error
            break
    assert refused is not None
    assert refused.until is not None
    missing = (refused.until - switch.read_all().now).total_seconds()
    move_gate_back("apollo", missing - 0.1)  # the clock has gone on since `now`, by much less than that
    assert refusal(tokens=used).reason == "rate"
    move_gate_back("apollo", 0.1)
    assert is_admitted()


def test_a_burst_is_admitted_at_once_and_the_next_call_is_not(limits):
    limits("100/60:10")
    for _ in range(10):
        admit()
    assert refusal().reason == "rate"


def test_all_limits_hold_at_once(limits):
    limits("50/1:50,5/3600:5")
    for _ in range(5):
        admit()
    assert refusal().reason == "rate"


def test_a_refused_call_spends_nothing(limits):
    limits("2/60:2,tokens=1000/60:100")
    admit(tokens=10)
    admit(tokens=10)
    before = redis_cli().hgetall(GATE)
    assert refusal(tokens=10).reason == "rate"
    assert redis_cli().hgetall(GATE) == before


def test_a_call_larger_than_the_token_budget_waits_until_nothing_is_owed_and_then_goes(limits):
    limits("tokens=1000/60:100")
    admit(tokens=1)
    assert refusal(tokens=5000).reason == "rate"
    move_gate_back("apollo", 60)
    admit(tokens=5000)
    assert refusal(tokens=1).reason == "rate"


def test_tokens_that_were_not_used_come_back(limits):
    (limit,) = limits("tokens=1000/60:100")
    permit = admit(tokens=100)
    assert refusal(tokens=50).reason == "rate"
    permit.settle("success", tokens=20)
    admit(tokens=50)
    assert limit.name == "tokens"


def test_tokens_that_were_used_beyond_the_estimate_are_owed(limits):
    limits("tokens=1000/60:100")
    admit(tokens=10).settle("success", tokens=400)
    until = refusal(tokens=1).until
    assert until is not None
    assert (until - switch.read_all().now).total_seconds() > 15


def test_a_failure_gives_the_estimate_no_correction(limits):
    limits("tokens=1000/60:100")
    permit = admit(tokens=100)
    before = redis_cli().hget(GATE, "tat:tokens")
    permit.settle("timeout")
    assert redis_cli().hget(GATE, "tat:tokens") == before


# --- what the vendor says --------------------------------------------------------------------------------------------


def seconds_until_admission() -> float:
    until = refusal().until
    assert until is not None
    return (until - switch.read_all().now).total_seconds()


def test_the_later_of_two_instants_wins():
    first, second, third = admit(), admit(), admit()
    first.settle("rate_limit", retry_after=30)
    second.settle("rate_limit", retry_after=300)
    assert 290 < seconds_until_admission() <= 300
    third.settle("rate_limit", retry_after=10)
    assert 290 < seconds_until_admission() <= 300
    gate.slow_down("apollo", wait=5)
    assert 290 < seconds_until_admission() <= 300
    gate.slow_down("apollo", wait=600)
    assert 590 < seconds_until_admission() <= 600


def test_without_a_retry_after_the_wait_doubles_up_to_a_minute():
    waits = []
    for _ in range(8):
        redis_cli().hdel(GATE, "blocked_until")
        fail(failure_type="rate_limit")
        waits.append(round(seconds_until_admission()))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_success_lets_the_doubling_start_again():
    fail(failure_type="rate_limit", times=5)
    gate.record_success("apollo")
    redis_cli().hdel(GATE, "blocked_until")
    fail(failure_type="rate_limit")
    assert round(seconds_until_admission()) == 2


def test_throttling_holds_up_the_one_service_only():
    fail(failure_type="rate_limit")
    assert refusal("apollo").reason == "rate"
    assert is_admitted("openai")


def test_a_throttled_gate_opens_by_itself_when_the_instant_has_passed():
    admit().settle("rate_limit", retry_after=30)
    move_gate_back("apollo", 30)
    assert is_admitted()


def test_a_reported_pace_makes_it_slower_and_never_faster(limits):
    (limit,) = limits("60/60:1")
    gate.slow_down("apollo", paces={limit.name: limit.interval_us * 4})
    admit()
    assert 3 < seconds_until_admission() <= 4.1
    redis_cli().hdel(GATE, f"tat:{limit.name}")
    gate.slow_down("apollo", paces={limit.name: limit.interval_us // 10})
    admit()
    assert 0.5 < seconds_until_admission() <= 1.1
    redis_cli().hdel(GATE, f"tat:{limit.name}")
    gate.slow_down("apollo", paces={limit.name: 0})  # forgotten
    admit()
    assert 0.5 < seconds_until_admission() <= 1.1


def test_a_hint_makes_no_hash_where_there_was_none():
    redis_cli().delete("circuit_breaker:apollo", GATE)
    gate.slow_down("apollo", wait=60, paces={"per_60s": 5})
    assert not redis_cli().exists(GATE, "circuit_breaker:apollo")


def test_a_reset_keeps_what_the_vendor_said():
    admit().settle("rate_limit", retry_after=600)
    blocked = switch.read_all().gates["apollo"].blocked_until
    trip()
    assert switch.read_all().gates["apollo"].blocked_until == blocked


# --- the arithmetic --------------------------------------------------------------------------------------------------


@settings(PROFILE)
@given(limits_of_all_shapes)
def test_burst_and_pace_together_stay_inside_the_count(limit):
    # A burst at the end of one pause, then the steady pace for a whole period.
    assert limit.allowance + (limit.period * 1_000_000 - 1) // limit.interval_us <= limit.count
    assert limit.tolerance_us == (limit.allowance - 1) * limit.interval_us


def test_limits_are_read_as_they_are_written_in_the_settings():
    assert parse("200/60, 6000/3600,tokens=30000/60,100/1:10") == (
        RateLimit("per_60s", 200, 60),
        RateLimit("per_3600s", 6000, 3600),
        RateLimit("tokens", 30000, 60),
        RateLimit("per_1s", 100, 1, 10),
    )
    assert parse("") == ()


@pytest.mark.parametrize("text", ["200", "0/60", "200/0", "x/60", "200/60:-1", "=", "tokens=/60"])
def test_limits_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text)


def test_only_the_limit_named_tokens_is_charged_tokens():
    arguments = rates.arguments(parse("10/1,tokens=100/60"), 42)
    assert [arguments[3], arguments[8]] == [1, 42]
