"""A service is called more slowly for as long as the vendor's own headers say so."""

from circuitbreakers import gate, policies, switch
from circuitbreakers.rates import RateLimit
from integrations.results import RateLimits

# Headers are a hint: on their word alone nothing is held up longer than this, per call (seconds).
LONGEST_HINT = 120.0


def follow_headers(service: str, limits: RateLimits | None, *, tokens: int = 0) -> None:
    """Go slower when the vendor's own headers say so, and as fast as our own settings once they no longer do.

    `tokens` is what such a call reserves. A hint, so nothing depends on it, and nothing waits long for it.
    """
    if limits is None:
        return
    # At full speed: the gate takes the slower of this and of what an operator has slowed it to.
    ours = {limit.name: limit for limit in policies.at_full_speed(service, policies.set_by_hand(service))}
    paces = {}
    for window in limits.windows:
        name = "tokens" if window.counts == "tokens" else f"per_{window.per:.0f}s" if window.per else ""
        if name not in ours or not window.limit:
            continue
        slower = window.limit < ours[name].count
        slowest = LONGEST_HINT * 1_000_000 / max(1, tokens if name == "tokens" else 1)
        pace = RateLimit(name, window.limit, ours[name].period).interval_us
        paces[name] = int(min(pace, slowest)) if slower else 0
    if not paces and not limits.wait:
        return
    try:
        gate.slow_down(service, wait=min(limits.wait, LONGEST_HINT), paces=paces)
    except switch.RedisUnavailable:
        return
