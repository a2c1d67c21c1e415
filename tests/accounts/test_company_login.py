"""The company's login, against a real provider: who gets in as what, what is refused, and when access ends."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from accounts.models import Identity
from api.models import ApiToken
from circuitbreakers.models import Event
from tests import openid
from tests.breakers import at_once
from tests.builders import make_user
from tests.openid import Claims, Provider

pytestmark = pytest.mark.django_db
SignIn = Callable[..., tuple[Client, Any]]
STATUS = "/api/v1/queue-management/status"


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def refusal(answer: Any) -> str:
    """What the login page says after a login that was refused."""
    assert answer["Location"] == "/admin/login/"
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def roles_of(name: str) -> list[str]:
    return sorted(User.objects.get(username=name).groups.values_list("name", flat=True))


def a_token_of(client: Client, password: str = "") -> dict[str, str]:
    page = client.post("/admin/account/", {"do": "token", "name": "nightly", "password": password}).content.decode()
    text = page.partition('id="new-token">')[2].partition("<")[0]
    assert text.startswith("hf_")
    return {"Authorization": f"Token {text}"}


def let_the_check_be_due() -> None:
    Identity.objects.update(check_after=timezone.now() - timedelta(seconds=1))


# --- who gets in ------------------------------------------------------------------------------------------------------


def test_a_new_person_gets_in_with_the_role_of_the_group(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops", "choir")
    client, answer = sign_in("ida")
    assert answer["Location"] == "/admin/"
    assert is_in(client)
    assert roles_of("ida@acme.example") == ["Operator"]
    assert not User.objects.get().has_usable_password()


def test_the_way_back_leads_to_the_page_that_was_asked_for(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    assert sign_in("ida", path="?next=/admin/recovery/")[1]["Location"] == "/admin/recovery/"
    assert sign_in("ida", path="?next=https://evil.example/")[1]["Location"] == "/admin/"


def test_roles_follow_the_groups_at_each_login(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    sign_in("ida")
    provider.add("ida", "readers")
    sign_in("ida")
    assert roles_of("ida@acme.example") == ["Viewer"]
    changes = Event.objects.filter(verb="roles_changed").order_by("id").values_list("before", "after")
    assert list(changes)[-1] == ({"roles": ["Operator"]}, {"roles": ["Viewer"]})


def test_a_person_is_known_by_the_subject_and_not_by_the_address(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    sign_in("ida")
    provider.add("ida", "ops", email="ida.locke@acme.example")
    sign_in("ida")
    assert User.objects.count() == 1


def test_a_verified_address_binds_the_account_that_has_it(provider: Provider, sign_in: SignIn) -> None:
    user = make_user("ida", "viewer", email="IDA@acme.example")
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    assert is_in(client)
    assert Identity.objects.get().user == user
    local = Client()
    local.post("/admin/login/", {"username": "ida", "password": "correct horse"})
    assert not is_in(local)


def test_the_provider_is_asked_with_pkce_and_a_nonce(provider: Provider) -> None:
    address = Client().get("/admin/company/")["Location"]
    for part in ("code_challenge_method=S256", "code_challenge=", "nonce=", "state=", "offline_access", "groups"):
        assert part in address


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "twist"),
    [
        ("another nonce", lambda claims: {**claims, "nonce": "another"}),
        ("no nonce", lambda claims: {k: v for k, v in claims.items() if k != "nonce"}),
        ("another audience", lambda claims: {**claims, "aud": "somebody else"}),
        ("made for somebody else", lambda claims: {**claims, "aud": [openid.CLIENT, "x"], "azp": "x"}),
        ("another issuer", lambda claims: {**claims, "iss": "https://evil.example"}),
        ("expired", lambda claims: {**claims, "exp": int(time.time()) - 60}),
        ("without an end", lambda claims: {k: v for k, v in claims.items() if k != "exp"}),
        ("of the future", lambda claims: {**claims, "nbf": int(time.time()) + 600}),
        ("another subject than the userinfo", lambda claims: {**claims, "sub": "id-eve"}),
    ],
)
def test_a_token_that_lies_lets_nobody_in(
    lie: str, twist: Callable[[Claims], Claims], provider: Provider, sign_in: SignIn
) -> None:
    provider.add("ida", "ops")
    provider.twist = twist
    client, answer = sign_in("ida")
    assert "not accepted" in refusal(answer), lie
    assert not is_in(client)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("how", "sign"),
    [
        ("not at all", lambda claims: jwt.encode(claims, "", algorithm="none")),
        ("not at all, by a known key", lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})),
        ("by another key", lambda claims: jwt.encode(claims, openid.STRANGE_KEY, "RS256", {"kid": "one"})),
        ("by a key that nobody knows", lambda claims: jwt.encode(claims, openid.STRANGE_KEY, "RS256", {"kid": "x"})),
        ("by our own secret", lambda claims: jwt.encode(claims, openid.SECRET * 2, "HS256", {"kid": "one"})),
        ("no token", lambda claims: "nonsense"),
    ],
)
def test_a_token_that_is_not_signed_by_the_provider_lets_nobody_in(
    how: str, sign: Callable[[Claims], str], provider: Provider, sign_in: SignIn
) -> None:
    provider.add("ida", "ops")
    provider.sign = sign
    client, answer = sign_in("ida")
    assert "not accepted" in refusal(answer), how
    assert not is_in(client)


def test_an_address_that_is_not_verified_binds_nothing(provider: Provider, sign_in: SignIn) -> None:
    make_user("ida", "operator", email="ida@acme.example")
    provider.add("ida", "ops", email_verified=False)
    client, answer = sign_in("ida")
    assert "not verified" in refusal(answer)
    assert not is_in(client)
    assert not Identity.objects.exists()


def test_an_address_of_somebody_who_is_bound_already_binds_nobody_else(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    sign_in("ida")
    provider.add("eve", "ops", email="ida@acme.example")
    assert "belongs to another account" in refusal(sign_in("eve")[1])


def test_no_group_makes_anybody_a_superuser_or_the_break_glass_login(provider: Provider, sign_in: SignIn) -> None:
    make_user("root", "admin", email="root@acme.example", is_superuser=True)
    make_user("glass", "admin", email="glass@acme.example")
    for name in ("root", "glass"):
        provider.add(name, "bosses")
        assert "its password only" in refusal(sign_in(name)[1])


def test_whoever_is_in_none_of_our_groups_does_not_get_in(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "choir")
    client, answer = sign_in("ida")
    assert "none of the groups" in refusal(answer)
    assert not is_in(client)
    assert not User.objects.exists()


def test_an_account_that_is_switched_off_here_stays_out(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    User.objects.update(is_active=False)
    assert not is_in(client)
    assert "switched off" in refusal(sign_in("ida")[1])


def test_a_code_cannot_be_used_in_another_browser(provider: Provider) -> None:
    answer = Client().get("/admin/company/back/", {"code": "x", "state": "y"})
    assert answer["Location"] == "/admin/login/"


def test_an_answer_cannot_be_used_twice(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, answer = sign_in("ida")
    again = client.get("/admin/company/back/", answer.wsgi_request.GET.dict())
    assert again["Location"] == "/admin/login/"


def test_a_provider_that_is_away_is_said_on_the_login_page(provider: Provider) -> None:
    provider.away = True
    assert "does not answer" in refusal(Client().get("/admin/company/"))


def test_refused_logins_lock_out_nobody(provider: Provider, sign_in: SignIn, settings: Any) -> None:
    provider.add("ida", "ops")
    provider.twist = lambda claims: {**claims, "nonce": "another"}
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        sign_in("ida")
    provider.twist = lambda claims: claims
    assert is_in(sign_in("ida")[0])


# --- when access ends -------------------------------------------------------------------------------------------------


def test_until_the_check_is_due_the_provider_is_not_asked(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    provider.asked.clear()
    assert is_in(client)
    assert provider.asked == []
    let_the_check_be_due()
    assert is_in(client)
    assert provider.asked == ["/token", "/userinfo"]
    assert is_in(client)
    assert provider.asked == ["/token", "/userinfo"]


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_at_once_one_asks_the_provider(provider: Provider, sign_in: SignIn) -> None:
    """It takes a refresh token just once: a second one asking with it would look like a thief."""
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    token = a_token_of(client)
    let_the_check_be_due()
    provider.asked.clear()
    codes = at_once(*[lambda: Client().get(STATUS, headers=token).status_code] * 4)
    assert codes == [200] * 4
    assert provider.asked.count("/token") == 1


def test_losing_the_group_ends_session_and_tokens_at_the_next_check(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    other, _ = sign_in("ida")
    token = a_token_of(client)
    assert Client().get(STATUS, headers=token).status_code == 200
    provider.add("ida", "choir")
    let_the_check_be_due()
    assert not is_in(client)
    assert not is_in(other)
    assert Client().get(STATUS, headers=token).status_code == 401
    assert not ApiToken.objects.exists()
    assert roles_of("ida@acme.example") == []
    assert Event.objects.filter(verb="access_ended").get().after == {"tokens_revoked": 1}


def test_an_account_that_is_disabled_at_the_provider_is_refused_by_its_token_alone(
    provider: Provider, sign_in: SignIn
) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    token = a_token_of(client)
    del provider.people["ida"]
    let_the_check_be_due()
    assert Client().get(STATUS, headers=token).status_code == 401
    assert not ApiToken.objects.exists()
    assert not is_in(client)


def test_another_role_comes_with_the_next_check(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    provider.add("ida", "readers")
    let_the_check_be_due()
    assert is_in(client)
    assert roles_of("ida@acme.example") == ["Viewer"]


def test_a_provider_that_is_away_ends_nothing_for_an_hour(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    provider.away = True
    let_the_check_be_due()
    assert is_in(client)
    Identity.objects.update(checked_at=timezone.now() - timedelta(minutes=61))
    let_the_check_be_due()
    assert not is_in(client)


def test_without_a_refresh_token_the_person_passes_by_the_provider_again(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    provider.refreshes = False
    client, _ = sign_in("ida")
    token = a_token_of(client)
    let_the_check_be_due()
    assert not is_in(client)
    assert Client().get(STATUS, headers=token).status_code == 401
    assert is_in(sign_in("ida", client)[0])
    assert Client().get(STATUS, headers=token).status_code == 200


def test_the_refresh_token_is_not_to_be_read_in_the_database(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    sign_in("ida")
    assert Identity.objects.get().refresh_token
    assert not set(provider.tokens) & {Identity.objects.get().refresh_token}


# --- the provider's logout --------------------------------------------------------------------------------------------


def logout_token(provider: Provider, **claims: Any) -> str:
    event: Claims = {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
    return provider.signed(provider.standard(**event, **claims))


@pytest.mark.parametrize("whom", [{"sub": "id-ida"}, {"sid": "session-ida"}])
def test_a_logout_at_the_provider_ends_the_sessions(whom: Claims, provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    assert Client().post("/admin/company/logged-out/", {"logout_token": logout_token(provider, **whom)}).content == b""
    assert not is_in(client)


def test_after_a_logout_a_token_is_checked_at_its_next_use(provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    token = a_token_of(sign_in("ida")[0])
    Client().post("/admin/company/logged-out/", {"logout_token": logout_token(provider, sub="id-ida")})
    assert Client().get(STATUS, headers=token).status_code == 200  # it was a logout, no more
    del provider.people["ida"]
    Client().post("/admin/company/logged-out/", {"logout_token": logout_token(provider, sub="id-ida")})
    assert Client().get(STATUS, headers=token).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "id-ida", "events": {}},
        {"sub": "id-ida", "nonce": "x"},
        {"sub": "id-ida", "iat": 1},
        {"sub": "id-ida", "aud": "somebody else"},
    ],
)
def test_a_logout_token_that_is_none_ends_nothing(claims: Claims, provider: Provider, sign_in: SignIn) -> None:
    provider.add("ida", "ops")
    client, _ = sign_in("ida")
    standard = jwt.decode(logout_token(provider), options={"verify_signature": False})
    token = provider.signed({**standard, **claims})
    assert Client().post("/admin/company/logged-out/", {"logout_token": token}).status_code == 400
    assert is_in(client)


# --- break-glass ------------------------------------------------------------------------------------------------------


def test_only_the_break_glass_login_has_a_password_and_its_use_is_told(provider: Provider) -> None:
    make_user("glass", "admin")
    make_user("ann", "admin")
    form = {"password": "correct horse"}
    ann, glass = Client(), Client()
    ann.post("/admin/login/", {**form, "username": "ann"})
    assert not is_in(ann)
    glass.post("/admin/login/", {**form, "username": "glass"})
    assert is_in(glass)
    event = Event.objects.get(verb="break_glass_used")
    assert (event.actor, event.door, event.after) == ("glass", "admin", {"severity": "high", "ip_address": "127.0.0.1"})


def test_a_token_for_the_break_glass_login_is_told_too(provider: Provider) -> None:
    make_user("glass", "admin")
    body = {"username": "glass", "password": "correct horse"}
    made = Client().post("/api/v1/auth/token", body, content_type="application/json")
    assert made.status_code == 201
    assert Event.objects.get(verb="break_glass_used").door == "api"


def test_tokens_of_local_users_are_worth_nothing_once_the_company_signs_people_in(
    provider: Provider, settings: Any
) -> None:
    ann = Client()
    ann.force_login(make_user("ann", "operator"))
    company, settings.COMPANY_LOGIN = settings.COMPANY_LOGIN, None
    token = a_token_of(ann, "correct horse")
    assert Client().get(STATUS, headers=token).status_code == 200
    settings.COMPANY_LOGIN = company
    assert Client().get(STATUS, headers=token).status_code == 401
    assert not is_in(ann)


def test_without_the_four_variables_there_is_no_company_login(settings: Any) -> None:
    settings.COMPANY_LOGIN = None
    for answer in (Client().get("/admin/company/"), Client().post("/admin/company/logged-out/")):
        assert answer["Location"] == "/admin/"
    assert "company" not in Client().get("/admin/login/").content.decode()
