"""Ways in: sessions with CSRF; tokens, hashed, named, expiring, revocable; and guessing, which leads nowhere."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from api.models import ApiToken
from circuitbreakers.models import Event
from tests.builders import make_user

LOGIN = "/api/v1/auth/token"
STATUS = "/api/v1/queue-management/status"
RESET = "/api/v1/queue-management/circuit-breakers/apollo/reset"


def a_token(client: APIClient, username: str = "operator", **details: object) -> str:
    body = {"username": username, "password": "correct horse", "name": "nightly", **details}
    return client.post(LOGIN, body).json()["data"]["token"]


@pytest.fixture
def user() -> User:
    return make_user("operator", "operator")


def test_without_a_login_the_answer_is_401(anonymous: APIClient) -> None:
    answer = anonymous.get(STATUS)
    assert (answer.status_code, answer.json()["status"]) == (401, "error")
    assert answer["WWW-Authenticate"] == "Token"


def test_without_the_permission_the_answer_is_403(viewer: APIClient) -> None:
    assert viewer.get(STATUS).status_code == 200
    answer = viewer.post(RESET)
    assert (answer.status_code, answer.json()["status"]) == (403, "error")


def test_a_token_lets_a_script_in_with_its_users_rights(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    assert token.startswith("hf_")
    assert anonymous.post(RESET, headers={"Authorization": f"Token {token}"}).status_code == 200
    assert Event.objects.get(verb="failures_cleared").actor == "operator"


def test_only_the_hash_of_a_token_is_stored(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    row = ApiToken.objects.get()
    assert row.name == "nightly"
    assert token not in str(ApiToken.objects.values())
    assert len(row.digest) == 128


def test_making_and_revoking_a_token_is_on_record(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    anonymous.delete(LOGIN, headers={"Authorization": f"Token {token}"})
    rows = Event.objects.filter(subject_type="token").order_by("id")
    assert [(row.verb, row.actor) for row in rows] == [("created", "operator"), ("revoked", "operator")]
    assert token not in str(list(rows.values()))


def test_a_token_expires(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous, days=1)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert anonymous.get(STATUS, headers={"Authorization": f"Token {token}"}).status_code == 401


def test_a_token_lives_no_longer_than_the_settings_allow(anonymous: APIClient, user: User) -> None:
    a_token(anonymous, days=3650)
    assert ApiToken.objects.get().expiry < timezone.now() + timedelta(days=91)


def test_a_user_has_no_more_tokens_than_the_limit(anonymous: APIClient, user: User, settings: Any) -> None:
    settings.REST_KNOX = {**settings.REST_KNOX, "TOKEN_LIMIT_PER_USER": 2}
    body = {"username": "operator", "password": "correct horse"}
    tokens = [anonymous.post(LOGIN, body).json()["data"]["token"] for _ in range(2)]
    refused = anonymous.post(LOGIN, body)
    assert (refused.status_code, set(refused.json())) == (409, {"status", "detail"})
    assert "delete one" in refused.json()["detail"]
    assert anonymous.post(LOGIN, {**body, "password": "x"}).status_code == 401
    anonymous.delete(LOGIN, headers={"Authorization": f"Token {tokens[0]}"})
    assert anonymous.post(LOGIN, body).status_code == 201
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert anonymous.post(LOGIN, body).status_code == 201


def test_a_revoked_token_is_worth_nothing(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    auth = {"Authorization": f"Token {token}"}
    assert anonymous.delete(LOGIN, headers=auth).status_code == 200
    assert anonymous.get(STATUS, headers=auth).status_code == 401


def test_one_sees_and_revokes_ones_own_tokens_only(anonymous: APIClient, user: User) -> None:
    make_user("viewer", "viewer")
    mine, theirs = a_token(anonymous), a_token(anonymous, "viewer")
    auth = {"Authorization": f"Token {mine}"}
    listed = anonymous.get("/api/v1/auth/tokens", headers=auth).json()["data"]
    assert [row["token_key"] for row in listed] == [mine[:15]]
    assert anonymous.delete(f"/api/v1/auth/tokens/{theirs[:15]}", headers=auth).status_code == 404
    assert anonymous.delete(f"/api/v1/auth/tokens/{mine[:15]}", headers=auth).status_code == 200


def test_the_token_of_a_user_who_was_switched_off_is_worth_nothing(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    User.objects.update(is_active=False)
    assert anonymous.get(STATUS, headers={"Authorization": f"Token {token}"}).status_code == 401


@pytest.mark.parametrize(
    "header", ["Token", "Token x", "Token a b", "Token \xff\xfe", "Token hf_" + "0" * 5000, "Bearer x"]
)
def test_a_header_that_is_no_token_is_401(anonymous: APIClient, header: str) -> None:
    assert anonymous.get(STATUS, headers={"Authorization": header}).status_code == 401


def test_wrong_user_wrong_password_and_switched_off_user_sound_the_same(anonymous: APIClient, user: User) -> None:
    make_user("gone", is_active=False)
    tries = [("nobody", "x"), ("operator", "x"), ("gone", "correct horse")]
    answers = [anonymous.post(LOGIN, {"username": name, "password": word}) for name, word in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("name", ["operator", "nobody"])
def test_too_many_wrong_passwords_lock_user_and_address(anonymous: APIClient, user: User, name: str) -> None:
    codes = [anonymous.post(LOGIN, {"username": name, "password": "x"}).status_code for _ in range(6)]
    assert codes[:4] == [401] * 4
    assert codes[-1] == 429
    locked = anonymous.post(LOGIN, {"username": name, "password": "correct horse"})
    assert locked.status_code == 429
    assert int(locked["Retry-After"]) == 15 * 60
    assert set(locked.json()) == {"status", "detail"}


def test_a_lock_from_one_address_is_none_from_another(anonymous: APIClient, user: User) -> None:
    for _ in range(6):
        anonymous.post(LOGIN, {"username": "operator", "password": "x"})
    elsewhere = {"username": "operator", "password": "correct horse"}
    assert anonymous.post(LOGIN, elsewhere, REMOTE_ADDR="10.0.0.9").status_code == 201


def test_the_admins_login_is_locked_too(user: User) -> None:
    client = Client()
    for _ in range(5):
        client.post("/admin/login/", {"username": "operator", "password": "x"})
    answer = client.post("/admin/login/", {"username": "operator", "password": "correct horse"})
    assert answer.status_code == 429
    assert not User.objects.get(username="operator").last_login


def test_a_session_reads_and_changes_only_with_its_csrf_token(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert client.get(STATUS).status_code == 200
    refused = client.post(RESET, {}, content_type="application/json")
    assert (refused.status_code, refused.json()["status"]) == (403, "error")
    client.cookies["csrftoken"] = "a" * 32
    answer = client.post(RESET, {}, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert answer.status_code == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_foreign_sites(user: User) -> None:
    client = Client()
    client.post("/admin/login/", {"username": "operator", "password": "correct horse"})
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_an_admin_revokes_any_token_in_the_console_and_it_is_on_record(anonymous: APIClient, user: User) -> None:
    token = a_token(anonymous)
    admin = Client()
    admin.force_login(make_user("admin", "admin"), "django.contrib.auth.backends.ModelBackend")
    row = ApiToken.objects.get()
    assert row.name in admin.get("/admin/config/apitoken/").content.decode()
    admin.post(f"/admin/config/apitoken/{row.pk}/delete/", {"post": "yes"})
    assert anonymous.get(STATUS, headers={"Authorization": f"Token {token}"}).status_code == 401
    assert Event.objects.filter(subject_type="token", verb="revoked", actor="admin", door="admin").exists()
