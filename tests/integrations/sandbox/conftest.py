from collections.abc import Iterator

import pytest

from integrations.sandbox import Sandbox
from tests.integrations.sandbox.calls import Client


@pytest.fixture(autouse=True)
def vendors() -> None:
    """The sandbox is asked by a client of its own here: our settings of the vendors stay as they are."""


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with Sandbox(port=0) as sandbox:
        yield sandbox


@pytest.fixture
def client(running: Sandbox) -> Iterator[Client]:
    """A client of a sandbox that has forgotten everything and answers without delay."""
    with Client(running.url) as client:
        client.control("POST", "reset")
        for service in client.services:
            client.break_(service, "none", latency_ms=0)
        yield client
