"""A policy says when a breaker opens, and how a failure type is judged; limits, how fast a service is called. Pure."""

from dataclasses import dataclass

# What each failure type does to the breaker: docs/contract.md#outcomes.
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
    """A policy counts in seconds where not said otherwise; the defaults are those of docs/contract.md#configuration."""

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


@dataclass(frozen=True)
class Limits:
    """Limits are what was set by hand for one service; an empty one is the environment's. `speed` is in per cent of
    all its rate limits, `dispatch_window` in messages."""

    rate_limits: str = ""
    dispatch_window: int | None = None
    speed: int = 100
