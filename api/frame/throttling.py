"""Redis counts requests per user and per IP address: so many in a window, then 429 with Retry-After.

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

from api.frame.client_ip import client_ip
from circuitbreakers.switch import RedisUnavailable


def count(key: str, seconds: int) -> tuple[int, float]:
    """Count one request in the current window; returns how many there were in it, and the seconds until it ends."""
    now = time.time()
    window = int(now // seconds)
    pipe = get_redis_connection("default").pipeline()
    pipe.incr(f"throttle:{key}:{window}")
    pipe.expire(f"throttle:{key}:{window}", seconds * 2)
    requests, _ = pipe.execute()
    return int(requests), (window + 1) * seconds - now


class Throttle(BaseThrottle):
    """A Throttle holds one limit of settings.THROTTLES, per user or else per IP address."""

    limit = "user"
    left = 0.0

    def concerns(self, request: Request) -> bool:
        return True

    def whose(self, request: Request) -> str:
        user = request.user
        return f"user:{user.pk}" if user and user.is_authenticated else f"address:{client_ip(request)}"

    def allow_request(self, request: Request, view: Any) -> bool:
        if not self.concerns(request):
            return True
        most, seconds = settings.THROTTLES[self.limit]
        try:
            requests, self.left = count(f"{self.limit}:{self.whose(request)}", seconds)
        except (redis.RedisError, ConnectionInterrupted, OSError):
            if request.method in SAFE_METHODS:
                return True
            raise RedisUnavailable from None
        return requests <= most

    def wait(self) -> float:
        return max(self.left, 1)


class PerUser(Throttle):
    """Limits everything that one user asks."""


class Changes(Throttle):
    """Limits the changes that one user makes."""

    limit = "changes"

    def concerns(self, request: Request) -> bool:
        return request.method not in SAFE_METHODS


class PerClientIp(Throttle):
    """Limits everything from one IP address, before it is known who asks: guessing tokens is asking too."""

    limit = "address"

    def whose(self, request: Request) -> str:
        return client_ip(request)


class Logins(PerClientIp):
    """Limits the attempts to log in from one IP address."""

    limit = "login"
