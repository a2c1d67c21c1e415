"""The committed OpenAPI document is what the code says, and a page shows it without internet or inline script."""

import re
from pathlib import Path

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from rest_framework.test import APIClient

from api.frame.permissions import EVERYBODY, LOGIN

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"
AGAIN = "Write it anew: .venv/bin/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"


def test_the_committed_document_is_what_the_code_says(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(made))
    assert made.read_text() == COMMITTED.read_text(), AGAIN


def operations() -> list[tuple[str, dict]]:
    document = yaml.safe_load(COMMITTED.read_text())
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_says_what_it_needs_and_how_it_fails() -> None:
    for name, operation in operations():
        need = operation["x-permission"]
        assert need in (EVERYBODY, LOGIN) or need.partition(".")[0] in (
            "circuitbreakers",
            "campaigns",
            "notifications",
        ), name
        assert {"400", "429", "503"} <= set(operation["responses"]), name
        if need != EVERYBODY:
            assert "401" in operation["responses"], name
        assert operation["description"].endswith((".", "`.")), name


def test_every_success_is_in_the_envelope() -> None:
    for name, operation in operations():
        for code, answer in operation["responses"].items():
            if code.startswith("2"):
                schema = answer["content"]["application/json"]["schema"]
                assert schema["required"] == ["status", "data"], name


def test_the_document_is_served_to_who_may_see_it(viewer: APIClient, anonymous: APIClient) -> None:
    assert anonymous.get("/api/v1/schema").status_code == 401
    assert viewer.get("/api/v1/schema").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    ("exposed_to", "codes"), [("nobody", (401, 403)), ("login", (401, 200)), ("everybody", (200, 200))]
)
def test_who_sees_docs_and_metrics_is_a_setting(
    settings: object, viewer: APIClient, anonymous: APIClient, exposed_to: str, codes: tuple[int, int]
) -> None:
    settings.EXPOSE_DOCS = settings.EXPOSE_METRICS = exposed_to  # type: ignore[attr-defined]
    for path in ("/api/v1/docs", "/api/v1/schema", "/metrics"):
        assert (anonymous.get(path).status_code, viewer.get(path).status_code) == codes, path


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_script(viewer: APIClient) -> None:
    page = viewer.get("/api/v1/docs").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("/") for address in addresses), addresses
    assert not re.findall(r"<script(?![^>]*src)", page)
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    script = next(address for address in addresses if "script=" in address)
    answer = viewer.get(script)
    assert answer["Content-Type"].startswith("application/javascript")
    assert "/schema" in answer.content.decode()
