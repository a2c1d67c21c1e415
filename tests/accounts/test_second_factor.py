"""The second factor of local logins: setting it up, signing in with it, guessing, losing it, and requiring it."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from tests.builders import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"
ACCOUNT = "/admin/account/"
TOKEN = "/api/v1/auth/token"


@pytest.fixture(autouse=True)
def unhurried(in_step: None, settings: Any) -> None:
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (100_000, 60))


def code_of(user: User, ahead: int = 0) -> str:
    """What the user's app shows now, or so many half minutes ahead."""
    device = TOTPDevice.objects.filter(user=user).latest("pk")
    totp = TOTP(device.bin_key)
    totp.time = time.time() + 30 * ahead
    return f"{totp.token():06d}"


def forget_the_last_code() -> None:
    """As if half a minute had passed since the last code, and every wait were over."""
    TOTPDevice.objects.update(last_t=-1, throttling_failure_timestamp=None, throttling_failure_count=0)


@pytest.fixture
def ann() -> User:
    return make_user("ann", "operator")


@pytest.fixture
def codes(ann: User) -> list[str]:
    """Ann has a second factor; these are her recovery codes."""
    second_factor.begin(ann)
    codes = second_factor.confirm(ann, code_of(ann), actor=Actor("ann", "admin"))
    forget_the_last_code()
    return codes


def sign_in(code: str | None = None, username: str = "ann", password: str = PASSWORD) -> tuple[Client, Any]:
    client = Client()
    form = {"username": username, "password": password}
    return client, client.post("/admin/login/", form if code is None else {**form, "code": code})


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_nobody_is_asked_for_a_code_where_nobody_has_a_second_factor(ann: User) -> None:
    assert 'name="code"' not in Client().get("/admin/login/").content.decode()
    assert is_in(sign_in()[0])


def test_one_sets_it_up_with_ones_password_and_the_first_code(ann: User) -> None:
    client, _ = sign_in()
    page = client.get(ACCOUNT).content.decode()
    assert "data:image/svg+xml" in page
    assert TOTPDevice.objects.get().config_url.partition("secret=")[2].partition("&")[0] in page
    assert not second_factor.has(ann)
    wrong = client.post(ACCOUNT, {"do": "turn-on", "password": "x", "code": code_of(ann)}, follow=True)
    assert "not your password" in wrong.content.decode()
    done = client.post(ACCOUNT, {"do": "turn-on", "password": PASSWORD, "code": code_of(ann)})
    assert all(token in done.content.decode() for token in StaticToken.objects.values_list("token", flat=True))
    assert StaticToken.objects.count() == second_factor.RECOVERY_CODES
    assert Event.objects.get(verb="second_factor_on").actor == "ann"
    assert second_factor.has(ann)


def test_the_password_alone_is_no_longer_enough(ann: User, codes: list[str]) -> None:
    for code in (None, "", "000000", "abcdefgh"):
        client, _ = sign_in(code)
        assert not is_in(client)
        forget_the_last_code()
    assert is_in(sign_in(code_of(ann))[0])


def test_a_code_without_the_password_is_worth_nothing(ann: User, codes: list[str]) -> None:
    assert not is_in(sign_in(code_of(ann), password="wrong")[0])


def test_a_code_serves_once(ann: User, codes: list[str]) -> None:
    code = code_of(ann)
    assert is_in(sign_in(code)[0])
    assert not is_in(sign_in(code)[0])


def test_a_recovery_code_serves_once(ann: User, codes: list[str]) -> None:
    assert is_in(sign_in(codes[0])[0])
    assert not is_in(sign_in(codes[0])[0])
    assert second_factor.left(ann) == second_factor.RECOVERY_CODES - 1


def test_the_code_of_somebody_else_is_worth_nothing(ann: User, codes: list[str]) -> None:
    bob = make_user("bob", "operator")
    second_factor.begin(bob)
    second_factor.confirm(bob, code_of(bob), actor=Actor("bob", "admin"))
    forget_the_last_code()
    assert not is_in(sign_in(code_of(bob))[0])


def test_wrong_codes_lock_the_login_like_wrong_passwords(ann: User, codes: list[str], settings: Any) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        _, answer = sign_in("000000")
        forget_the_last_code()
    assert answer.status_code == 429
    client, answer = sign_in(code_of(ann))
    assert answer.status_code == 429
    assert not is_in(client)


def test_after_a_wrong_code_the_right_one_waits_wherever_it_comes_from(ann: User, codes: list[str]) -> None:
    sign_in("000000")
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.post("/admin/login/", {"username": "ann", "password": PASSWORD, "code": code_of(ann)})
    assert not is_in(client)
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(seconds=2))
    assert is_in(sign_in(code_of(ann))[0])


def test_an_api_token_asks_for_a_code_too(ann: User, codes: list[str]) -> None:
    body = {"username": "ann", "password": PASSWORD}
    without = Client().post(TOKEN, body, content_type="application/json")
    assert (without.status_code, "authenticator app" in without.json()["detail"]) == (401, True)
    made = Client().post(TOKEN, {**body, "code": code_of(ann)}, content_type="application/json")
    assert made.status_code == 201


def test_wrong_codes_for_api_tokens_lock_the_login(ann: User, codes: list[str], settings: Any) -> None:
    body = {"username": "ann", "password": PASSWORD, "code": "000000"}
    for _ in range(settings.AXES_FAILURE_LIMIT):
        assert Client().post(TOKEN, body, content_type="application/json").status_code == 401
        forget_the_last_code()
    body["code"] = code_of(ann)
    assert Client().post(TOKEN, body, content_type="application/json").status_code == 429


def test_an_admin_takes_away_what_somebody_lost(ann: User, codes: list[str]) -> None:
    boss = Client()
    boss.force_login(make_user("boss", "admin"))
    form = {"action": "take_second_factor", "_selected_action": [ann.pk]}
    assert "taken away: ann" in boss.post("/admin/auth/user/", form, follow=True).content.decode()
    assert Event.objects.get(verb="second_factor_off").actor == "boss"
    assert is_in(sign_in()[0])


def test_an_admin_takes_nothing_from_a_superuser(ann: User, codes: list[str]) -> None:
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    boss = Client()
    boss.force_login(make_user("boss", "admin"))
    boss.post("/admin/auth/user/", {"action": "take_second_factor", "_selected_action": [ann.pk]})
    assert second_factor.has(ann)


def test_one_turns_it_off_with_a_code_only(ann: User, codes: list[str]) -> None:
    client, _ = sign_in(codes[0])
    client.post(ACCOUNT, {"do": "turn-off", "code": "000000"})
    assert second_factor.has(ann)
    client.post(ACCOUNT, {"do": "turn-off", "code": codes[1]})
    assert not second_factor.has(ann)


def test_a_session_alone_replaces_no_second_factor(ann: User, codes: list[str]) -> None:
    client, _ = sign_in(codes[0])
    second_factor.begin(ann)
    answer = client.post(ACCOUNT, {"do": "turn-on", "password": PASSWORD, "code": code_of(ann)}, follow=True)
    assert "It is on already" in answer.content.decode()


def test_new_recovery_codes_make_the_old_ones_worthless(ann: User, codes: list[str]) -> None:
    client, _ = sign_in(codes[0])
    client.post(ACCOUNT, {"do": "codes", "code": codes[1]})
    assert not is_in(sign_in(codes[2])[0])
    assert second_factor.left(ann) == second_factor.RECOVERY_CODES


def test_nobody_sees_the_secrets_in_the_admin(codes: list[str]) -> None:
    root = Client()
    root.force_login(make_user("root", "admin", is_superuser=True))
    assert root.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert root.get("/admin/otp_static/staticdevice/").status_code == 404


def test_a_session_alone_makes_no_token(ann: User) -> None:
    client, _ = sign_in()
    assert "hf_" not in client.post(ACCOUNT, {"do": "token", "name": "x"}, follow=True).content.decode()
    assert "hf_" in client.post(ACCOUNT, {"do": "token", "name": "x", "password": PASSWORD}).content.decode()


# --- where it is required ---------------------------------------------------------------------------------------------


def test_where_it_is_required_the_first_login_leads_to_setting_it_up(ann: User, settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = True
    client, _ = sign_in()
    for path in ("/admin/", "/admin/recovery/", "/admin/auth/user/"):
        assert client.get(path)["Location"] == ACCOUNT
    assert client.get("/api/v1/queue-management/status").status_code == 403
    assert "asks everybody for a second factor" in client.get(ACCOUNT).content.decode()
    client.post(ACCOUNT, {"do": "turn-on", "password": PASSWORD, "code": code_of(ann)})
    assert is_in(client)


def test_where_it_is_required_there_is_no_token_without_it(ann: User, settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = True
    body = {"username": "ann", "password": PASSWORD}
    refused = Client().post(TOKEN, body, content_type="application/json")
    assert (refused.status_code, "Set up your second factor" in refused.json()["detail"]) == (401, True)
    client, _ = sign_in()
    assert (
        "hf_"
        not in client.post(ACCOUNT, {"do": "token", "name": "x", "password": PASSWORD}, follow=True).content.decode()
    )


def test_where_it_is_required_nobody_turns_it_off(ann: User, codes: list[str], settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = True
    client, _ = sign_in(codes[0])
    client.post(ACCOUNT, {"do": "turn-off", "code": codes[1]})
    assert second_factor.has(ann)
