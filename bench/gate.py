"""An admission with its settling is measured against what two round trips to the same server cost without it.

Beside two empty Lua scripts and two PINGs stands pybreaker, whose state lies in the same server.
"""

import statistics
import time
from collections.abc import Callable

import pybreaker
import redis
from django.conf import settings

from bench.measured import Limit, Measured
from circuitbreakers import budgets, gate, rebuild, switch
from circuitbreakers.budget_counters import KNOWN_AFTER
from circuitbreakers.budgets import FREE, Charge
from circuitbreakers.models import Budget

ROUNDS, CALLS = 9, 1000
LIMIT = 1.6  # times two empty scripts
WITH_BUDGETS = 1.1  # times the same without
SERVICE, CAMPAIGN = "millionverifier", 1
# A call comes under one of each kind, which have room for all of them.
BUDGETS = (("system", "day"), (f"service:{SERVICE}", "day"), (f"campaign:{CAMPAIGN}", "total"))
MOST = 370  # micro-USD that a call may cost
PYBREAKER = (
    "pybreaker keeps state and counter in Redis, in several round trips that are not atomic together. It knows no "
    "permits, no epochs, no rate limits and no queue, holds its lock during the call, and lets calls through when "
    "Redis does not answer."
)


def per_call(functions: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Return microseconds per call of each, the median of some rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            began = time.perf_counter()
            for number in range(CALLS):
                function(number)
            times[name].append((time.perf_counter() - began) / CALLS * 1e6)
    return {name: statistics.median(rounds) for name, rounds in times.items()}


def admit_and_settle(charge: Charge) -> Callable[[int], object]:
    """Return a function that has one call admitted, and settles it."""
    return lambda n: gate.admit(SERVICE, f"{time.perf_counter_ns()}:{n}", charge=charge).settle("success")


def charge_of_budgets() -> Charge:
    """Set a budget of each kind, and return what a call takes from them once their counters are made."""
    for scope, period in BUDGETS:
        Budget.objects.create(scope=scope, period=period, limit_usd=1_000_000, limit_calls=100_000_000, reason="bench")
    time.sleep(KNOWN_AFTER + 1)
    budgets.forget()
    return Charge(budgets.applying(SERVICE, CAMPAIGN), MOST)


def in_redis(calls: Callable[[int], object], number: int = 2000) -> float:
    """Return the microseconds that Redis itself spends on the scripts of a call."""
    client = switch.client()
    client.config_resetstat()
    for n in range(number):
        calls(n)
    return float(client.info("commandstats")["cmdstat_evalsha"]["usec"]) / number


def run() -> Measured:
    rebuild.compare()
    charge = charge_of_budgets()
    client = switch.client()
    empty = client.register_script("return 1")
    # A database of its own: a stranger's keys have no business in the switch.
    storage = pybreaker.CircuitRedisStorage("closed", redis.Redis.from_url(settings.REDIS_URL, db=5))
    breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60, state_storage=storage)
    cost = per_call(
        {
            "admit + settle": admit_and_settle(FREE),
            "the same under three budgets": admit_and_settle(charge),
            "two empty scripts": lambda _: (empty(), empty()),
            "two PINGs": lambda _: (client.ping(), client.ping()),
            "pybreaker, state in Redis": lambda _: breaker.call(int),
        }
    )
    ours = cost["admit + settle"]
    return Measured(
        [
            Limit("admit + settle against two empty scripts", ours / cost["two empty scripts"], LIMIT, "times"),
            Limit(
                "admit + settle under three budgets against none",
                cost["the same under three budgets"] / ours,
                WITH_BUDGETS,
                "times",
            ),
        ],
        [{"what": name, "us": round(spent), "of admit + settle": spent / ours} for name, spent in cost.items()],
        [
            f"Of these, Redis itself spends {in_redis(admit_and_settle(FREE)):.0f} us on the two scripts, under three "
            f"budgets {in_redis(admit_and_settle(charge)):.0f} us, on two empty ones "
            f"{in_redis(lambda _: (empty(), empty())):.0f} us. The rest is two round trips and the client, which sends "
            "thirty arguments a call.",
            "Redis's part is its 20 commands, INFO among them, which alone says whether this is the server that was "
            "compared with PostgreSQL, and the common text, which is run anew with each script.",
            PYBREAKER,
        ],
    )
