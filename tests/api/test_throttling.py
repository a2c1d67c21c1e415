"""Limits per user and per IP address, counted in Redis; what happens while Redis is away."""

from typing import Any

import pytest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from api.frame.client_ip import client_ip
from tests.api.conftest import client_of
from tests.builders import make_user

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


def test_an_ip_address_is_limited_before_it_is_known_who_asks(settings: Any, anonymous: APIClient) -> None:
    limit(settings, "address", 2)
    assert [anonymous.get(STATUS).status_code for _ in range(3)] == [401, 401, 429]
    assert anonymous.get(STATUS, REMOTE_ADDR="10.0.0.2").status_code == 401


def test_logins_from_one_ip_address_are_limited_whatever_names_they_try(settings: Any, anonymous: APIClient) -> None:
    limit(settings, "login", 3)
    codes = [anonymous.post("/api/v1/auth/token", {"username": f"u{n}", "password": "x"}).status_code for n in range(4)]
    assert codes == [401, 401, 401, 429]


def test_the_consoles_login_counts_with_the_apis(settings: Any, anonymous: APIClient) -> None:
    limit(settings, "login", 3)
    make_user("ann", "viewer")
    anonymous.post("/api/v1/auth/token", {"username": "u", "password": "x"})
    page, codes = Client(), []
    for n in range(4):
        codes.append(page.post("/admin/login/", {"username": f"u{n}", "password": "x"}).status_code)
    assert codes == [200, 200, 429, 429]
    right = {"username": "ann", "password": "correct horse"}
    refused = page.post("/admin/login/", right)
    assert (refused.status_code, "sessionid" in page.cookies) == (429, False)
    assert 0 < int(refused["Retry-After"]) <= 10**8
    assert page.get("/admin/login/").status_code == 200
    assert page.post("/admin/login/", right, REMOTE_ADDR="10.0.0.2").status_code == 302


def test_while_redis_is_down_people_sign_in_to_the_console(redis_down: None) -> None:
    make_user("ann", "viewer")
    right = {"username": "ann", "password": "correct horse"}
    assert Client().post("/admin/login/", right).status_code == 302


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::1", "::"),
        ("fe80::1%eth0", "fe80::"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(sent: str, counted: str) -> None:
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR=sent)) == counted


def test_who_moves_on_within_a_network_stays_locked_out() -> None:
    wrong = {"username": "ann", "password": "x"}
    codes = [Client().post("/admin/login/", wrong, REMOTE_ADDR=f"2001:db8::{n:x}").status_code for n in range(6)]
    assert codes[-1] == 429


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


def test_a_forwarded_ip_address_counts_only_behind_our_own_proxy(settings: Any) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 9.9.9.9")
    assert client_ip(request) == "10.0.0.1"
    settings.BEHIND_PROXY = True
    assert client_ip(request) == "9.9.9.9"  # the client may invent all the others
