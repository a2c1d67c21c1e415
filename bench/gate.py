"""One admission and its settling are measured against an empty Lua script on the same server in the same run.

The limit is a ratio: the gate may cost at most twenty times the round trips of the empty scripts.
"""

import statistics
import time

from circuitbreakers import gate, rebuild, switch

ROUNDS, CALLS = 5, 1000
LIMIT = 20


def per_call(function) -> float:
    """Return microseconds per call, the median of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for number in range(CALLS):
            function(number)
        times.append((time.perf_counter() - began) / CALLS * 1e6)
    return statistics.median(times)


def run() -> bool:
    rebuild.compare()
    empty = switch.client().register_script("return 1")
    peer = per_call(lambda _: (empty(), empty()))
    ours = per_call(lambda n: gate.admit("millionverifier", f"bench:{time.perf_counter_ns()}:{n}").settle("success"))
    print(f"admit + settle           {ours:8.0f} us")
    print(f"two empty scripts        {peer:8.0f} us")
    print(f"ratio                    {ours / peer:8.1f}  (limit {LIMIT})")
    return ours / peer <= LIMIT
