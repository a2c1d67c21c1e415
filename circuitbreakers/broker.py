"""Recovery and displays ask here about Dramatiq's Redis: does it answer, how much waits in it."""

import contextlib
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from circuitbreakers.services import SERVICES
from circuitbreakers.switch import Availability, RedisUnavailable, ask


@cache
def client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_BROKER_URL,
        decode_responses=True,
        socket_connect_timeout=settings.REDIS_TIMEOUT,
        socket_timeout=settings.REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )


def ping() -> None:
    """Ask the broker for an answer; raises RedisUnavailable when there is none."""
    ask(client().ping)


def depths() -> dict[str, int]:
    """Count the messages in each service's queue, those that workers hold included. Raises RedisUnavailable."""
    pipe = client().pipeline(transaction=False)
    for service in SERVICES:
        # Dramatiq keeps every message, waiting or fetched, in this hash until it is acknowledged.
        pipe.hlen(f"dramatiq:{service}.msgs")
    return dict(zip(SERVICES, ask(pipe.execute), strict=True))


def look_again() -> None:
    """Ask a Redis that was away, so that an idle process says when it is back. Call it now and then."""
    if Availability.trouble:
        with contextlib.suppress(RedisUnavailable):
            ping()
