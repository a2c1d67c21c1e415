"""Budgets are set with a reason, by somebody, through a door; what cannot be a budget is refused in words."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError

from campaigns import budgets
from circuitbreakers import budget_halts, budget_verbs, switch
from circuitbreakers.budget import BudgetInvalid, days_of, micro, start
from circuitbreakers.models import Budget, Event
from circuitbreakers.states import instant
from tests.breakers import ANN
from tests.builders import make_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def put(scope: str = "system", period: str = "day", **limits: Any) -> Budget:
    return budgets.set_budget(scope, period, actor=ANN, reason=limits.pop("reason", "a test"), **limits)[0]


@pytest.mark.parametrize(
    "usd", ["0", "-1", "NaN", "Infinity", "-0", "1e9", "1000000.01", "fifty", "0.001", "1e-7", "$", "0x10"]
)
def test_no_limit_in_usd_is_zero_negative_absurd_or_no_number(usd: str) -> None:
    with pytest.raises(BudgetInvalid):
        put(usd=usd)


@pytest.mark.parametrize("calls", ["0", "-5", "1.5", "many", "9" * 30, True, "²"])
def test_no_limit_in_calls_is_zero_negative_absurd_or_no_number(calls: Any) -> None:
    with pytest.raises(BudgetInvalid):
        put(calls=calls)


@pytest.mark.parametrize(
    ("scope", "period"),
    [
        ("everything", "day"),
        ("system", "total"),
        ("system:x", "day"),
        ("service:nobody", "day"),
        ("service:apollo", "month"),
        ("campaign:0", "day"),
        ("campaign:07", "day"),
        ("campaign:-1", "day"),
        ("campaign:x", "day"),
        ("campaign:", "day"),
        ("campaign:999999999999999999999", "day"),
        ("campaign:1", "month"),
    ],
)
def test_no_budget_is_for_what_does_not_exist(scope: str, period: str) -> None:
    with pytest.raises(BudgetInvalid):
        put(scope, period, calls=1)


def test_a_budget_has_a_limit_and_a_reason() -> None:
    with pytest.raises(BudgetInvalid):
        put()
    with pytest.raises(budget_verbs.BudgetRefused):
        put(calls=1, reason="  ")


def test_a_campaign_that_has_ended_gets_no_budget() -> None:
    with pytest.raises(budget_verbs.BudgetRefused, match="has ended"):
        put(f"campaign:{make_campaign('COMPLETED').pk}", "total", calls=1)


def test_the_database_takes_no_impossible_budget() -> None:
    with pytest.raises(IntegrityError):
        Budget.objects.create(scope="system", period="total", limit_calls=1, reason="x", set_by="x")


def test_of_two_who_edit_at_once_the_second_is_told() -> None:
    seen = put(calls=100).version
    put(calls=200, version=seen, reason="more leads")
    with pytest.raises(budget_verbs.BudgetRefused, match=r"ann has set this budget to 200 calls a day.*more leads"):
        put(calls=300, version=seen)
    with pytest.raises(budget_verbs.BudgetRefused):
        budget_verbs.remove("system", "day", actor=ANN, reason="x", version=seen)
    assert Budget.objects.get().limit_calls == 200


def test_an_edit_of_a_budget_that_is_gone_is_refused() -> None:
    seen = put(calls=100).version
    budget_verbs.remove("system", "day", actor=ANN, reason="not needed")
    with pytest.raises(budget_verbs.BudgetRefused, match="removed"):
        put(calls=300, version=seen)
    assert not Budget.objects.exists()


def test_each_edit_is_an_event_with_what_was_before() -> None:
    put(usd="50")
    put(usd="60", calls=9)
    budget_verbs.remove("system", "day", actor=ANN, reason="not needed")
    events = Event.objects.filter(subject_type="budget", subject_id="system").order_by("id")
    assert [event.verb for event in events] == ["set", "changed", "removed"]
    before, after = events[1].before or {}, events[1].after or {}
    assert before["limit_usd"] == "50.00"
    assert (after["limit_usd"], after["limit_calls"]) == ("60.00", 9)


def count(row: Budget, calls: int, usd: int) -> None:
    """Let the budget have spent so much in its present period."""
    now = switch.read_all().now
    counter = row.known.counter(now)
    switch.client().hset(switch.BUDGETS, mapping={f"{counter}calls": calls, f"{counter}usd": usd})


def test_a_limit_below_what_is_spent_is_taken_and_says_so() -> None:
    row = put(usd="50")
    count(row, 7, 20_000_000)
    _, said = budgets.set_budget("system", "day", usd="10", actor=ANN, reason="too much")
    assert said == "The budget of system is $10.00 a day. Spent are $20.00 and 7 calls: its work waits at once."


def test_counters_of_budgets_that_are_no_more_are_forgotten_and_later_ones_kept() -> None:
    row = put(usd="50")
    count(row, 7, 20)
    old, later = f"{row.known.name}|2001-01-01|calls", f"{row.known.name}|2999-01-01|calls"
    switch.client().hset(switch.BUDGETS, mapping={old: 1, later: 1, "system|0|total|calls": 1})
    assert budget_halts.forget_old() == 2
    assert later in switch.client().hkeys(switch.BUDGETS)


def test_periods_are_days_and_months_of_utc_and_months_have_their_own_ends() -> None:
    leap = instant("2028-02-29T23:59:59.999999Z")
    assert leap is not None
    assert (start("day", leap), start("month", leap), start("total", leap)) == ("2028-02-29", "2028-02", "total")
    first, last = days_of("month", leap)
    assert (str(first), str(last)) == ("2028-02-01", "2028-02-29")


def test_redis_and_python_name_the_same_counter() -> None:
    row = put(calls=5)
    make_campaign()
    now = switch.read_all().now
    assert row.known.counter(now) == f"system|{row.pk}|{now:%Y-%m-%d}|"


def test_fractions_of_a_micro_dollar_count_as_one() -> None:
    assert micro(Decimal("0.0000001")) == 1
    assert micro(Decimal("1.5")) == 1_500_000


def test_the_command_sets_shows_and_removes(manage: Any) -> None:
    done = manage("budget", "set", "system", "day", "--usd", "50", "--calls", "1000", "--reason", "as agreed")
    assert (done.status, done.out.strip()) == (0, "The budget of system is $50.00 and 1,000 calls a day.")
    assert "$50.00 and 1,000 calls a day" in manage("budget", "show").out
    assert manage("budget", "set", "system", "day", "--usd", "0", "--reason", "x").status == 2
    assert manage("budget", "set", "system", "day", "--usd", "5", "--reason", "x", "--version", "7").status == 1
    assert manage("budget", "remove", "system", "day", "--reason", "not needed").status == 0
    assert "(none)" in manage("budget", "show").out
