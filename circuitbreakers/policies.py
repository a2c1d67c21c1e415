"""Every process knows the policies and limits of the `breakers` table here: they are at most two seconds old."""

import time
from contextlib import suppress
from functools import cache

from django.conf import settings
from django.db import Error

from circuitbreakers import rates
from circuitbreakers.models import Breaker
from circuitbreakers.policy import Limits, Policy

CACHE_SECONDS = 2.0
Row = tuple[Policy, Limits]
UNSET: Row = (Policy(), Limits())
# When they were read, and the rows of all services in one reading, for dispatch asks for each; or nothing.
_cached: list[tuple[float, dict[str, Row]]] = []


def policy_of(service: str) -> Policy:
    """Return the policy in the `breakers` table, at most two seconds old.

    While PostgreSQL does not answer, the last one cached, else the defaults: a breaker must judge without it too.
    """
    return _row(service)[0]


def set_by_hand(service: str) -> Limits:
    """Return what was set by hand of the service's limits, as old as `policy_of`, and without PostgreSQL the same."""
    return _row(service)[1]


def limits_of(service: str) -> tuple[rates.RateLimit, ...]:
    """Return the rate limits in force."""
    limits = set_by_hand(service)
    return tuple(limit.scaled(limits.speed) for limit in at_full_speed(service, limits))


def at_full_speed(service: str, limits: Limits) -> tuple[rates.RateLimit, ...]:
    """Return the rate limits that were set by hand, else the environment's, whatever the speed is."""
    return _parsed(limits.rate_limits) if limits.rate_limits else settings.RATE_LIMITS[service]


def window_of(service: str) -> int:
    """Return the most messages that may wait in the service's queue."""
    return set_by_hand(service).dispatch_window or settings.DISPATCH_WINDOW


def forget() -> None:
    """Drop what is cached, after an edit in this process."""
    _cached.clear()


_parsed = cache(rates.parse)


def _row(service: str) -> Row:
    read_at, rows = (_cached[-1:] or [(float("-inf"), {})])[0]
    if time.monotonic() - read_at >= CACHE_SECONDS:
        # While PostgreSQL does not answer, the old ones are kept like fresh ones: waiting for it once per call would
        # hold up every judgement.
        with suppress(Error):
            rows = {row.service: (row.policy, row.limits) for row in Breaker.objects.all()}
        _cached[:] = [(time.monotonic(), rows)]
    return rows.get(service, UNSET)
