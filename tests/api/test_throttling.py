"""Limits per user and per address, counted in Redis; what happens while Redis is away."""

from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.test import APIClient

from config.api.address import address_of
from tests.api.conftest import client_of, make_user

STATUS = "/api/v1/campaigns"
PAUSE = "/api/v1/queue-management/pause-service"


@pytest.fixture(autouse=True)
def wide(settings: Any) -> None:
    """Windows that no test lives to see the end of, and limits that none but its own reaches."""
    settings.THROTTLES = dict.fromkeys(("address", "user", "changes", "login"), (10_000, 10**8))


def limit(settings: Any, name: str, most: int) -> None:
    settings.THROTTLES = {**settings.THROTTLES, name: (most, 10**8)}


def test_past_the_limit_of_a_user_the_answer_is_429_and_says_when_to_come_back(
    settings: Any, viewer: APIClient
) -> None:
    limit(settings, "user", 2)
    assert [viewer.get(STATUS).status_code for _ in range(3)] == [200, 200, 429]
    answer = viewer.get(STATUS)
    assert answer.json()["status"] == "error"
    assert 0 < int(answer["Retry-After"]) <= 10**8


def test_one_users_limit_is_not_anothers(settings: Any, viewer: APIClient, operator: APIClient) -> None:
    limit(settings, "user", 1)
    assert [viewer.get(STATUS).status_code for _ in range(2)] == [200, 429]
    assert operator.get(STATUS).status_code == 200


def test_changes_have_a_limit_of_their_own(settings: Any, operator: APIClient) -> None:
    limit(settings, "changes", 1)
    body = {"service": "apollo", "reason": "x"}
    assert [operator.post(PAUSE, body).status_code for _ in range(2)] == [200, 429]
    assert operator.get(STATUS).status_code == 200


def test_an_address_is_limited_before_it_is_known_who_asks(settings: Any, anonymous: APIClient) -> None:
    limit(settings, "address", 2)
    assert [anonymous.get(STATUS).status_code for _ in range(3)] == [401, 401, 429]
    assert anonymous.get(STATUS, REMOTE_ADDR="10.0.0.2").status_code == 401


def test_logins_from_one_address_are_limited_whatever_names_they_try(settings: Any, anonymous: APIClient) -> None:
    limit(settings, "login", 3)
    codes = [anonymous.post("/api/v1/auth/token", {"username": f"u{n}", "password": "x"}).status_code for n in range(4)]
    assert codes == [401, 401, 401, 429]


def test_while_redis_is_down_reading_goes_on_uncounted(settings: Any, viewer: APIClient, redis_down: None) -> None:
    limit(settings, "user", 1)
    assert [viewer.get(STATUS).status_code for _ in range(3)] == [200, 200, 200]


def test_while_redis_is_down_nobody_gets_a_token(anonymous: APIClient, redis_down: None) -> None:
    make_user("ann")
    answer = anonymous.post("/api/v1/auth/token", {"username": "ann", "password": "correct horse"})
    assert (answer.status_code, answer.json()["detail"]) == (503, "Error logging in: Redis connection failed")


def test_health_is_never_throttled(settings: Any) -> None:
    limit(settings, "address", 1)
    assert [client_of(None).get("/health/live").status_code for _ in range(3)] == [200] * 3


def test_a_forwarded_address_counts_only_behind_our_own_proxy(settings: Any) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 9.9.9.9")
    assert address_of(request) == "10.0.0.1"
    settings.BEHIND_PROXY = True
    assert address_of(request) == "9.9.9.9"  # the client may invent all the others
