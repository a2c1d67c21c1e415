"""A company's provider, set up by the four variables, and browsers that sign in there."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from accounts import provider as ours
from accounts.company import Company
from tests import openid


@pytest.fixture(scope="package")
def one_provider() -> Iterator[openid.Provider]:
    with openid.running() as provider:
        yield provider


@pytest.fixture
def provider(in_step: None, one_provider: openid.Provider, settings: Any) -> Iterator[openid.Provider]:
    """Nothing is left of another test's people and lies."""
    provider = one_provider
    provider.people, provider.asked, provider.away, provider.refreshes = {}, [], False, True
    provider.twist, provider.sign = lambda claims: claims, provider.signed
    roles = {"readers": "Viewer", "ops": "Operator", "bosses": "Admin"}
    settings.COMPANY_LOGIN = Company(provider.issuer, openid.CLIENT, openid.SECRET, "groups", roles)
    settings.OIDC_CHECK_MINUTES = 5
    settings.BREAK_GLASS_USER = "glass"
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (100_000, 60))
    ours.forget()
    yield provider
    ours.forget()


@pytest.fixture
def sign_in(provider: openid.Provider) -> Callable[..., Any]:
    """`sign_in("ida")` goes out to the provider and back; the client, and the answer of the way back."""

    def enter(name: str, client: Client | None = None, path: str = "") -> tuple[Client, Any]:
        client = client or Client()
        provider.who = name
        out = client.get(f"/admin/company/{path}")
        assert out.status_code == 302, out.content
        back = requests.get(out["Location"], allow_redirects=False, timeout=5)
        address = urlsplit(back.headers["Location"])
        assert address.path == "/admin/company/back/"
        return client, client.get(address.path, {k: v[0] for k, v in parse_qs(address.query).items()})

    return enter
