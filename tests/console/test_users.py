"""Users and their passwords: every change is on record, and none of it says a password."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from rest_framework.test import APIClient

from api.models import ApiToken
from circuitbreakers.models import Event
from config.roles import OPERATOR, VIEWER
from tests.console.conftest import client_of

NEW = "battery staple 9"


def token_of(user: User) -> APIClient:
    """A script with a new token of the user."""
    _, token = ApiToken.objects.create(user=user, name="nightly")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/auth/tokens").status_code == 200
    return client


def of_user(verb: str) -> Event:
    return Event.objects.get(subject_type="user", subject_id="olga", verb=verb)


@pytest.fixture
def olga(db: None) -> User:
    client_of(OPERATOR, "olga")
    return User.objects.get(username="olga")


def test_changing_ones_own_password_is_on_record_and_ends_ones_tokens(olga: User, operator: Client) -> None:
    script, others = token_of(olga), token_of(User.objects.get(username="operator"))
    browser = Client()
    browser.force_login(olga, "django.contrib.auth.backends.ModelBackend")
    assert browser.get("/admin/password_change/").status_code == 200
    words = {"old_password": "correct horse", "new_password1": NEW, "new_password2": NEW}
    assert browser.post("/admin/password_change/", {**words, "old_password": "x"}).status_code == 200
    assert script.get("/api/v1/auth/tokens").status_code == 200
    assert browser.post("/admin/password_change/", words)["Location"] == "/admin/password_change/done/"
    assert browser.get("/admin/").status_code == 200
    event = of_user("password_changed")
    assert (event.actor, event.door, event.after) == ("olga", "admin", {"tokens_revoked": 1})
    assert Event.objects.get(subject_type="token").reason == "password changed"
    assert script.get("/api/v1/auth/tokens").status_code == 401
    assert others.get("/api/v1/auth/tokens").status_code == 200
    assert NEW not in str(list(Event.objects.values()))


def test_nobody_who_is_not_signed_in_changes_a_password() -> None:
    assert "/admin/login/" in Client().get("/admin/password_change/")["Location"]


def test_a_password_that_an_admin_resets_ends_the_users_tokens(olga: User, boss: Client) -> None:
    script = token_of(olga)
    words = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert boss.post(f"/admin/auth/user/{olga.pk}/password/", words).status_code == 302
    event = of_user("password_changed")
    assert (event.actor, event.after) == ("boss", {"tokens_revoked": 1})
    assert script.get("/api/v1/auth/tokens").status_code == 401


def role(name: str) -> int:
    return Group.objects.get(name=name).pk


def test_a_change_of_role_says_from_what_to_what(olga: User, boss: Client) -> None:
    page = f"/admin/auth/user/{olga.pk}/change/"
    assert boss.post(page, {"username": "olga", "groups": [role(VIEWER)], "email": "o@acme.example"}).status_code == 302
    event = of_user("changed")
    assert event.before == {"roles": ["Operator"], "is_active": True}
    assert event.after == {"fields": ["email", "groups", "is_active"], "roles": ["Viewer"], "is_active": False}
    assert "acme" not in str(event.after)


def test_a_new_and_a_deleted_user_are_on_record_with_their_roles(boss: Client) -> None:
    words = {"username": "olga", "password1": NEW, "password2": NEW, "groups": [role(OPERATOR)]}
    assert boss.post("/admin/auth/user/add/", {**words, "usable_password": "true"}).status_code == 302
    created = of_user("created")
    assert created.before is None
    assert {"roles": ["Operator"], "is_active": True}.items() <= dict(created.after or {}).items()
    boss.post(f"/admin/auth/user/{User.objects.get(username='olga').pk}/delete/", {"post": "yes"})
    assert (of_user("deleted").before, of_user("deleted").after) == ({"roles": ["Operator"], "is_active": True}, None)
    assert NEW not in str(list(Event.objects.values()))
