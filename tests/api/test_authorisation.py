"""Every address and every method, as everybody, any login, viewer, operator and admin, against one table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from api.models import ApiToken
from tests.api import authorisation as book
from tests.api.authorisation import API, HOOK, MODELS, NEEDS, NOWHERE, PAGES, ROLES, may
from tests.builders import make_user

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
PARAMETERS = {
    "service": "apollo",
    "token_key": "x",
    "pk": "4711",
    "object_id": "4711",
    "id": "4711",
    "verb": "lift",
    "step": "people",
    "key": "0b0a5a3e-5b7e-4a53-9f9c-0f8a8f4c2e11",
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"


def addresses(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every pattern of the resolver, and its name."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern.name or ""


def filled(pattern: str) -> str:
    """An address that the pattern matches."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: PARAMETERS[match[1]], pattern)


API_ADDRESSES = [path for path, _ in addresses() if not path.startswith("admin/") and path not in ("", NOWHERE, HOOK)]
ADMIN_ADDRESSES = [(path, name) for path, name in addresses() if path.startswith("admin/") and name]


@pytest.fixture
def clients() -> dict[str, Client]:
    """A client per role; `any login` is a user in no group."""
    made = {"everybody": Client(raise_request_exception=False)}
    for role in ROLES[1:]:
        user = make_user(role, "" if role == "any login" else role)
        made[role] = Client(raise_request_exception=False)
        made[role].force_login(user, "django.contrib.auth.backends.ModelBackend")
    ApiToken.objects.create(user=User.objects.get(username="admin"), name="nightly")
    assert not User.objects.filter(is_superuser=True).exists()
    return made


def test_every_address_of_the_api_has_a_row_and_every_row_an_address() -> None:
    assert sorted(API_ADDRESSES) == sorted(API), "Add a row to tests/api/authorisation.py."


@pytest.mark.parametrize("path", API_ADDRESSES)
def test_the_api_answers_each_role_as_the_table_says(path: str, clients: dict[str, Client], settings: Any) -> None:
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (100_000, 60))
    row = API[path]
    for method in METHODS:
        least = row.get("GET" if method == "HEAD" else method)
        for role, client in clients.items():
            code = client.generic(method, filled(path), "{}", content_type="application/json").status_code
            who = f"{method} {path} as {role}: {code}"
            if least is None:
                assert code == 405, who
            elif may(role, least):
                # A revoking DELETE without a token is asked for one; that is no matter of roles.
                assert code not in (403, 405), who
                assert code != 401 or path == "api/v1/auth/token", who
            else:
                assert code == (401 if role == "everybody" else 403), who


@pytest.mark.parametrize("role", ROLES)
def test_no_role_opens_the_webhook(role: str, clients: dict[str, Client]) -> None:
    assert HOOK in dict(addresses())
    for method in METHODS:
        answer = clients[role].generic(method, "/hooks/instantly/x", "{}", content_type="application/json")
        assert answer.status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_where_there_is_nothing_there_is_nothing_for_anybody(role: str, clients: dict[str, Client]) -> None:
    for method in METHODS[:-1]:
        assert clients[role].generic(method, "/api/v1/users", "{}", content_type="application/json").status_code == 404


def model_of(name: str) -> str:
    """The model that an address of the admin is about; '' for a page about none."""
    found = [m for m in MODELS if name.startswith(stem(m)) and name.removeprefix(stem(m)) in NEEDS]
    return found[0] if found else ""


def stem(model: str) -> str:
    return model.replace(".", "_") + "_"


def admin_row(path: str, name: str) -> dict[str, str]:
    """The row of an address of the admin: method -> least role."""
    if name in PAGES:
        return PAGES[name]
    model = model_of(name)
    if not model:
        pytest.fail(f"{name} ({path}) has no row: add one to PAGES or MODELS in tests/api/authorisation.py.")
    if name.endswith("_verb"):
        least = book.VERBS_OF.get(model, book.VERBS)
        return {"GET": least, "POST": least}
    rights = MODELS[model]
    least = rights.get(NEEDS[name.removeprefix(stem(model))], book.NOBODY)
    return {"GET": least, "POST": rights.get("change", book.NOBODY) if name.endswith("_change") else least}


def with_a_row_of(model: str, path: str) -> tuple[str, bool]:
    """The address with the key of a row of that model, and whether there is one."""
    if "/verb/" in path:
        page: Any = admin.site._registry[apps.get_model(model)]
        path = path.replace("<str:name>", next(iter(page.verbs)))
    row = apps.get_model(model)._default_manager.first() if model else None
    if row is None:
        return filled(path), False
    return re.sub(r"<(?:\w+:)?\w+>", str(row.pk), "/" + path), True


@pytest.mark.parametrize(("path", "name"), ADMIN_ADDRESSES)
def test_the_admin_answers_each_role_as_the_table_says(path: str, name: str, clients: dict[str, Client]) -> None:
    row = admin_row(path, name)
    if name in ("view_on_site", "app_list"):
        return_codes = (200, 302, 404)
        for role in ("viewer", "operator", "admin"):
            url = "/admin/r/1/1/" if name == "view_on_site" else "/admin/auth/"
            assert clients[role].get(url).status_code in return_codes
        assert clients["everybody"].get(url).status_code == 302
        return
    url, exists = with_a_row_of(model_of(name), path)
    for method, least in row.items():
        for role, client in clients.items():
            answer = client.generic(method, url)
            who = f"{method} {path} as {role}: {answer.status_code}"
            sent_to_login = answer.status_code == 302 and "/login/" in answer["Location"]
            if may(role, least):
                # Verbs and exports of nothing are not found; who may not have them is refused before.
                may_be_missing = name.endswith(
                    (
                        "_verb",
                        "_export",
                        "_markdown",
                        "_import",
                        "_preview",
                        "_run",
                        "_contacts",
                        "_guided",
                        "_left_out",
                    )
                )
                nothing = (404,) if may_be_missing and not exists else ()
                assert answer.status_code in (200, 302, *nothing), who
                assert not sent_to_login, who
            elif exists or not name.endswith("_history"):  # the history of nothing leads back to the index
                assert answer.status_code in (401, 403) or sent_to_login, who


def test_the_document_is_what_the_table_says() -> None:
    again = "Write it anew: .venv/bin/python -m tests.api.authorisation > docs/permissions.md"
    assert DOCUMENT.read_text() == book.document(), again
