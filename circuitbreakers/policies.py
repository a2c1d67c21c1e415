"""Every process knows the policies of the `breakers` table here: they are at most two seconds old."""

import time
from dataclasses import fields

from django.db import Error

from circuitbreakers.models import Breaker
from circuitbreakers.policy import Policy

CACHE_SECONDS = 2.0
_cached: dict[str, tuple[float, Policy]] = {}


def policy_of(service: str) -> Policy:
    """Return the policy in the `breakers` table, at most two seconds old.

    While PostgreSQL does not answer, the last one cached, else the defaults: a breaker must judge without it too.
    """
    cached = _cached.get(service)
    if cached and time.monotonic() - cached[0] < CACHE_SECONDS:
        return cached[1]
    try:
        row = Breaker.objects.filter(service=service).values(*(f.name for f in fields(Policy))).first()
        policy = Policy(**row) if row else Policy()
    except Error:
        # Kept like a fresh one: waiting for PostgreSQL once per call would hold up every judgement.
        policy = cached[1] if cached else Policy()
    _cached[service] = (time.monotonic(), policy)
    return policy


def forget() -> None:
    """Drop what is cached, after an edit in this process."""
    _cached.clear()
