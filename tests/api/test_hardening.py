"""What production insists on: settings that refuse to start, clean deployment checks, headers on every answer."""

import os
import secrets
import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import WARNING
from rest_framework.test import APIClient

from config.hardening import weakness
from integrations.checks import live_is_served_over_tls
from local.stack import ROOT
from tests.api.conftest import client_of

STRONG = secrets.token_urlsafe(50)
PRODUCTION = {
    "MODE": "live",
    "DEBUG": "false",
    "HTTPS": "true",
    "BEHIND_PROXY": "true",
    "ALLOWED_HOSTS": "holdfast.example",
    "SECRET_KEY": STRONG,
    **{f"{name}_API_KEY": "a-key" for name in ("APOLLO", "MILLIONVERIFIER", "PERPLEXITY", "OPENAI", "INSTANTLY")},
}


def check(**environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` in a process with a production-like environment."""
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**os.environ, **PRODUCTION, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.processes
def test_the_deployment_checks_are_clean_in_production() -> None:
    done = check()
    assert (done.returncode, done.stdout.strip()) == (0, "System check identified no issues (0 silenced)."), done.stderr


@pytest.mark.processes
def test_a_company_login_needs_a_break_glass_user_to_be_clean() -> None:
    company = {"OIDC_ISSUER": "https://login.acme.example", "OIDC_CLIENT_ID": "holdfast", "OIDC_CLIENT_SECRET": "x"}
    company["OIDC_ROLES"] = "groups: ops=Operator"
    assert "holdfast.W20" in check(**company).stderr
    assert check(**company, BREAK_GLASS_USER="glass").returncode == 0


@pytest.mark.processes
def test_without_tls_the_deployment_checks_complain() -> None:
    done = check(HTTPS="false")
    assert "security.W008" in done.stderr
    assert "holdfast.W01" in done.stderr


def test_live_without_tls_is_warned_of_and_may_start(settings: Any) -> None:
    settings.MODE, settings.SECURE_SSL_REDIRECT = "live", False
    (found,) = live_is_served_over_tls()
    assert (found.id, found.level, bool(found.hint)) == ("holdfast.W01", WARNING, True)
    settings.MODE = "sandbox"
    assert live_is_served_over_tls() == []


@pytest.mark.processes
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is weak"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY is weak"),
        ({"SECRET_KEY": "django-insecure-" + STRONG}, "SECRET_KEY is weak"),
        ({"SECRET_KEY": "  # at least 50 random characters, none of them in here"}, "SECRET_KEY holds white space"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is not set"),
        ({"ALLOWED_HOSTS": "holdfast.example,*"}, "ALLOWED_HOSTS must list names"),
        ({"DEBUG": "true"}, "DEBUG must be off"),
        ({"EXPOSE_DOCS": "all"}, "EXPOSE_DOCS must be"),
        ({"THROTTLE_USER": "many"}, "THROTTLE_USER must look like"),
    ],
)
def test_production_refuses_to_start_with_it(environment: dict[str, str], words: str) -> None:
    done = check(**environment)
    assert done.returncode != 0
    assert words in done.stderr.splitlines()[-1]


def test_development_may_be_weak() -> None:
    assert not weakness(debug=True, live=False, secret_key="x", hosts=["*"])


def test_every_answer_carries_the_headers_that_close_the_browser(viewer: APIClient) -> None:
    for path in ("/api/v1/campaigns", "/health/live", "/admin/login/", "/api/v1/docs"):
        answer = viewer.get(path)
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["Referrer-Policy"] == "same-origin", path
        assert answer["Cross-Origin-Opener-Policy"] in ("same-origin", "unsafe-none"), path
        policy = directives(answer)
        assert policy["default-src"] == ["'none'"], path
        assert policy["frame-ancestors"] == ["'none'"], path
        assert "'unsafe-inline'" not in policy["script-src"], path


def test_eval_is_allowed_in_the_admin_only(viewer: APIClient) -> None:
    assert directives(viewer.get("/admin/login/"))["script-src"] == ["'self'", "'unsafe-eval'"]
    for path in ("/api/v1/docs", "/api/v1/campaigns", "/health/live"):
        assert directives(viewer.get(path))["script-src"] == ["'self'"], path


def directives(answer: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip()]
    return {name: values for name, *values in parts}


def test_with_tls_plain_http_is_redirected_and_the_browser_told_to_remember(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    client = client_of(None)
    assert client.get("/api/v1/campaigns").status_code == 301
    assert client.get("/health/live").status_code == 200  # asked from inside, without TLS
    assert client.get("/health/live", secure=True)["Strict-Transport-Security"].startswith("max-age=31536000")


def test_a_foreign_host_header_is_refused_without_a_page_that_tells_anything() -> None:
    answer = client_of(None).get("/api/v1/campaigns", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert b"evil" not in answer.content
    assert client_of(None).get("/admin/login/", headers={"Host": "evil.example"}).status_code == 400
