"""Limits per user and per address, counted in Redis: so many requests in a window, then 429 with Retry-After.

While Redis does not answer, reading goes on uncounted and changes are refused with 503: they would need it anyway.
"""

import time
from typing import Any

import redis
from django.conf import settings
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from django_redis.exceptions import ConnectionInterrupted  # type: ignore[import-untyped]
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.frame.client_ip import address_of
from circuitbreakers.switch import RedisUnavailable


def count(key: str, seconds: int) -> tuple[int, float]:
    """Count one request in the current window: how many there were, and the seconds until it ends."""
    now = time.time()
    window = int(now // seconds)
    pipe = get_redis_connection("default").pipeline()
    pipe.incr(f"throttle:{key}:{window}")
    pipe.expire(f"throttle:{key}:{window}", seconds * 2)
    made, _ = pipe.execute()
    return int(made), (window + 1) * seconds - now


class Throttle(BaseThrottle):
    """One limit of settings.THROTTLES, per user or else per address."""

    limit = "user"
    left = 0.0

    def concerns(self, request: Request) -> bool:
        return True

    def whose(self, request: Request) -> str:
        user = request.user
        return f"user:{user.pk}" if user and user.is_authenticated else f"address:{address_of(request)}"

    def allow_request(self, request: Request, view: Any) -> bool:
        if not self.concerns(request):
            return True
        most, seconds = settings.THROTTLES[self.limit]
        try:
            made, self.left = count(f"{self.limit}:{self.whose(request)}", seconds)
        except (redis.RedisError, ConnectionInterrupted, OSError):
            if request.method in SAFE_METHODS:
                return True
            raise RedisUnavailable from None
        return made <= most

    def wait(self) -> float:
        return max(self.left, 1)


class PerUser(Throttle):
    """Everything that one user asks."""


class Changes(Throttle):
    """What one user changes."""

    limit = "changes"

    def concerns(self, request: Request) -> bool:
        return request.method not in SAFE_METHODS


class PerAddress(Throttle):
    """Everything from one address, counted before it is known who asks: guessing tokens is asking too."""

    limit = "address"

    def whose(self, request: Request) -> str:
        return address_of(request)


class Logins(PerAddress):
    """Attempts to log in from one address."""

    limit = "login"
