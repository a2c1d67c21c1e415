"""When a breaker opens: the numbers of one service, and how a failure type is judged. Pure but for `policy_of`."""

import time
from dataclasses import dataclass, fields

from django.db import Error

# Contract section 11: what each failure type does to the breaker.
OUTCOMES = {
    "success": "success",
    "timeout": "failure",
    "connection": "failure",
    "server_error": "failure",
    "malformed": "failure",
    "quota_exhausted": "fatal",
    "auth": "fatal",
    "rate_limit": "rate_limit",
    "invalid_request": "ignored",
    "unknown": "ignored",
}
FAILURE_TYPES = tuple(name for name in OUTCOMES if name != "success")


@dataclass(frozen=True)
class Policy:
    """Seconds where not said otherwise; the defaults are the contract's (section 9)."""

    failure_threshold: int = 5
    reset_timeout: int = 60
    reset_timeout_ceiling: int = 3600
    rate_trip_percent: int = 50
    rate_trip_calls: int = 20
    rate_trip_window: int = 60
    throttle_trip_after: int = 900

    @property
    def reset_timeout_us(self) -> int:
        return self.reset_timeout * 1_000_000

    @property
    def reset_timeout_ceiling_us(self) -> int:
        return self.reset_timeout_ceiling * 1_000_000


CACHE_SECONDS = 2.0
_cached: dict[str, tuple[float, Policy]] = {}


def policy_of(service: str) -> Policy:
    """The policy in the `breakers` table, at most two seconds old.

    While PostgreSQL does not answer, the last one known, else the defaults: a breaker must judge without it too.
    """
    from circuitbreakers.models import Breaker

    known = _cached.get(service)
    if known and time.monotonic() - known[0] < CACHE_SECONDS:
        return known[1]
    try:
        row = Breaker.objects.filter(service=service).values(*(f.name for f in fields(Policy))).first()
        policy = Policy(**row) if row else Policy()
    except Error:
        # Kept like a fresh one: waiting for PostgreSQL once per call would hold up every judgement.
        policy = known[1] if known else Policy()
    _cached[service] = (time.monotonic(), policy)
    return policy


def forget() -> None:
    """Drop what is cached, after an edit in this process."""
    _cached.clear()
