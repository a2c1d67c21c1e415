"""A switch in step with PostgreSQL before each test, without rate limits, and servers that may be broken."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings

from circuitbreakers import rebuild
from local.embedded import Servers
from tests.stores import forget_servers

# Seconds in the suite, minutes under `make chaos`. Not loaded for all: other tests have profiles of their own.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
PROFILE = settings(
    # Without shrinking a failure is told at once; a smaller one is looked for, for minutes, under `make chaos` only.
    phases=[phase for phase in Phase if LONG or phase is not Phase.shrink],
    max_examples=400 if LONG else 30,
    stateful_step_count=80 if LONG else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def begins_in_step(in_step: None) -> None:
    """Every test here begins with both stores in step."""


class OtherServer:
    """A second Valkey that the test may break; while it is used the switch lives there."""

    def __init__(self, folder: Path) -> None:
        self.servers = Servers(folder)
        self.url = self.servers.redis_url
        self.child = self.servers.valkey


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[OtherServer]:
    """The switch on a server of this test's own, in step with PostgreSQL."""
    other = OtherServer(tmp_path / "other")
    other.servers.start_valkey()
    try:
        with override_settings(REDIS_SWITCH_URL=f"{other.url}/0"):
            forget_servers()
            rebuild.compare()
            yield other
    finally:
        other.child.kill()
        forget_servers()
