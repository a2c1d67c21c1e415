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
from circuitbreakers import gate, rebuild, switch

ROUNDS, CALLS = 9, 1000
LIMIT = 1.6  # times two empty scripts
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


def run() -> Measured:
    rebuild.compare()
    client = switch.client()
    empty = client.register_script("return 1")
    # A database of its own: a stranger's keys have no business in the switch.
    storage = pybreaker.CircuitRedisStorage("closed", redis.Redis.from_url(settings.REDIS_URL, db=5))
    breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60, state_storage=storage)
    cost = per_call(
        {
            "admit + settle": lambda n: gate.admit("millionverifier", f"b:{time.perf_counter_ns()}:{n}").settle(
                "success"
            ),
            "two empty scripts": lambda _: (empty(), empty()),
            "two PINGs": lambda _: (client.ping(), client.ping()),
            "pybreaker, state in Redis": lambda _: breaker.call(int),
        }
    )
    ours = cost["admit + settle"]
    return Measured(
        [Limit("admit + settle against two empty scripts", ours / cost["two empty scripts"], LIMIT, "times")],
        [{"what": name, "us": round(spent), "of admit + settle": spent / ours} for name, spent in cost.items()],
        [PYBREAKER],
    )
