"""A switch in step with PostgreSQL, a user per role, and a client for each: what the tests of the API share."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.builders import make_process, make_user
from tests.stores import forget_servers


@pytest.fixture(autouse=True)
def begins_in_step(in_step: None, probes_succeed: None) -> None:
    """Every test here begins with both stores in step, and with probes that succeed."""


@pytest.fixture
def redis_down(settings: Any) -> Iterator[None]:
    """Everything that is asked of Redis is refused: nobody listens on port 1."""
    nowhere = "redis://127.0.0.1:1"
    settings.REDIS_SWITCH_URL, settings.REDIS_BROKER_URL = f"{nowhere}/0", f"{nowhere}/1"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": f"{nowhere}/2"}}
    forget_servers()
    yield
    forget_servers()


def client_of(role: str | None) -> APIClient:
    """A client that acts as the user `{role}`; without a role nobody is logged in."""
    client = APIClient()
    if role:
        user = User.objects.filter(username=role).first() or make_user(role, role)
        client.force_authenticate(user)
    return client


@pytest.fixture
def anonymous() -> APIClient:
    return client_of(None)


@pytest.fixture
def viewer() -> APIClient:
    return client_of("viewer")


@pytest.fixture
def operator() -> APIClient:
    return client_of("operator")


@pytest.fixture
def live_processes() -> None:
    """A worker for every queue and a supervisor, as recovery sees them."""
    make_process("worker", name="host:1")
    make_process("supervisor", name="host:2")
