"""The company's OpenID provider is asked here: for its addresses, its keys, and whether somebody is still welcome."""

import time
from typing import Any, Final

import jwt
import requests
from django.conf import settings

from accounts.company import Company

TIMEOUT: Final = (3.05, 5)  # seconds to connect, and for each answer
KNOWN_FOR = 3600.0  # seconds for which the provider's own description is believed
LEEWAY = 30  # seconds that two clocks may differ
# Signed with the provider's private key: never "none", and no HMAC, whose key everybody here knows.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"

_known: dict[str, tuple[float, dict[str, Any], jwt.PyJWKClient]] = {}


class ProviderAway(Exception):
    """The provider does not answer, or not sensibly: nothing is known of the person."""


class ProviderRefused(Exception):
    """The provider says no: a token that is not its own or not for us, or a person who is no longer welcome."""


def company() -> Company:
    """Return the provider of the settings; the callers are reached only where there is one."""
    described: Company | None = settings.COMPANY_LOGIN
    if described is None:
        raise ProviderAway("No company login is set up")
    return described


def _described() -> tuple[dict[str, Any], jwt.PyJWKClient]:
    issuer = company().issuer
    known = _known.get(issuer)
    if known and time.monotonic() - known[0] < KNOWN_FOR:
        return known[1], known[2]
    document = _answer(requests.get, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise ProviderAway(f"The provider calls itself {document.get('issuer')!r}, and not OIDC_ISSUER")
    if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - document.keys():
        raise ProviderAway(f"The provider's description lacks {', '.join(sorted(missing))}")
    keys = jwt.PyJWKClient(document["jwks_uri"], timeout=TIMEOUT[1])
    _known[issuer] = (time.monotonic(), document, keys)
    return document, keys


def forget() -> None:
    """Forget what the provider said of itself."""
    _known.clear()


def description() -> dict[str, Any]:
    """Return what the provider says of itself, at most an hour old. Raises ProviderAway."""
    return _described()[0]


def _answer(method: Any, address: str, **details: Any) -> dict[str, Any]:
    try:
        response = method(address, timeout=TIMEOUT, allow_redirects=False, **details)
        body = response.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderAway(f"{type(error).__name__} at {address}") from error
    if response.status_code in (400, 401) and isinstance(body, dict) and body.get("error") == "invalid_grant":
        raise ProviderRefused("the provider no longer knows the login")
    if response.status_code != 200 or not isinstance(body, dict):
        raise ProviderAway(f"HTTP {response.status_code} at {address}")
    return body


def scopes() -> str:
    """Return the scopes to ask for: groups and offline access only where the provider says that it knows them."""
    offered = description().get("scopes_supported") or ()
    return " ".join(["openid", "email", "profile", *(one for one in ("groups", "offline_access") if one in offered)])


def claims_of(token: str, *, required: tuple[str, ...] = ("exp", "iat", "aud", "iss", "sub")) -> dict[str, Any]:
    """Return what a token of the provider's says. Raises ProviderRefused for one that is forged, old or not for us."""
    document, keys = _described()
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=company().client_id,
            issuer=document["issuer"],
            leeway=LEEWAY,
            options={"require": list(required)},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise ProviderAway("The provider's keys are not to be had") from error
    except jwt.PyJWTError as error:
        raise ProviderRefused(f"{type(error).__name__}: {error}") from error
    if claims.get("azp", company().client_id) != company().client_id:
        raise ProviderRefused("The token was made for somebody else")
    return claims


def person_of(id_claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """Return the claims of the ID token and, beside them, of the userinfo: which one names the groups differs."""
    address = description().get("userinfo_endpoint")
    if not address:
        return id_claims
    told = _answer(requests.get, address, headers={"Authorization": f"Bearer {access_token}"})
    if id_claims and told.get("sub") != id_claims["sub"]:
        raise ProviderRefused("The userinfo is about somebody else")
    return {**told, **id_claims}


def refreshed(refresh_token: str) -> tuple[dict[str, Any], str]:
    """Ask whether a login still holds: the person's claims now, and the refresh token for the next time."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    tokens = token_of(form)
    id_claims = claims_of(tokens["id_token"]) if tokens.get("id_token") else {}
    return person_of(id_claims, str(tokens.get("access_token", ""))), str(tokens.get("refresh_token") or refresh_token)


def token_of(form: dict[str, str]) -> dict[str, Any]:
    """Post to the token endpoint, as ourselves. Raises ProviderRefused for a grant that is not good."""
    document, us = description(), company()
    # Without a word on it, Basic is what every provider takes.
    if "client_secret_post" in (document.get("token_endpoint_auth_methods_supported") or ()):
        form = {**form, "client_id": us.client_id, "client_secret": us.client_secret}
        return _answer(requests.post, document["token_endpoint"], data=form)
    return _answer(requests.post, document["token_endpoint"], data=form, auth=(us.client_id, us.client_secret))


def roles_of(claims: dict[str, Any]) -> list[str] | None:
    """Return our roles for the person's groups; None when the provider names no groups at all."""
    us = company()
    groups = claims.get(us.claim)
    if groups is None:
        return None
    named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return sorted({us.roles[group] for group in named if isinstance(group, str) and group in us.roles})
