from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings

from circuitbreakers.services import SERVICES
from integrations import deadline
from tests.integrations.wire import Respond, Server, serving

KEYS = {service: f"sekret-{service}-4f9a0c71" for service in SERVICES}

Serve = Callable[..., Server]


@pytest.fixture(autouse=True)
def vendors(settings: Settings) -> Iterator[Settings]:
    """Five vendors that nobody answers for, with keys to look for afterwards, and short times."""
    settings.VENDORS = {
        service: {
            "api_key": KEYS[service],
            "base_url": "http://127.0.0.1:9",
            "connect_timeout": 5.0,
            "read_timeout": 5.0,
            "deadline": 10.0,
        }
        for service in SERVICES
    }
    yield settings
    deadline.adapter.poolmanager.clear()


@pytest.fixture
def serve(vendors: Settings) -> Iterator[Serve]:
    """`serve("apollo", http(200, {...}))` starts a server, points that service at it and returns it."""
    with ExitStack() as stack:

        def start(service: str, *script: bytes | Respond, **times: float) -> Server:
            server = stack.enter_context(serving(*script))
            vendors.VENDORS[service] |= {"base_url": server.url, **times}
            return server

        yield start
