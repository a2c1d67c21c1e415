"""A switch in step with PostgreSQL, and a browser-like client per role."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from config.roles import ADMIN, OPERATOR, VIEWER
from console import plan, shared_snapshot
from tests.builders import make_user


@pytest.fixture(autouse=True)
def console(in_step: None, probes_succeed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing remembered from another test; probes that succeed; each page reads afresh."""
    monkeypatch.setattr(shared_snapshot, "FRESH", 0.0)
    monkeypatch.setattr(shared_snapshot, "STALE", 0.0)
    monkeypatch.setattr(plan, "FRESH", 0.0)
    shared_snapshot.forget()
    yield
    shared_snapshot.forget()


def client_of(role: str | None, name: str = "") -> Client:
    """A client that is signed in with that role, or as staff without any."""
    client = Client()
    client.force_login(make_user(name or (role or "nobody").lower(), role or "", is_staff=True))
    return client


def text_of(answer: Any) -> str:
    """A page with its white space as a browser shows it: where a template breaks its lines is nobody's business."""
    return " ".join(answer.content.decode().split())


@pytest.fixture
def viewer() -> Client:
    return client_of(VIEWER)


@pytest.fixture
def operator() -> Client:
    return client_of(OPERATOR)


@pytest.fixture
def boss() -> Client:
    """The Admin role: users, policies, deletions."""
    return client_of(ADMIN, "boss")
