"""A switch in step, a mailbox and a receiver of webhooks on this machine, and channels that lead there."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integrations.wire import Server, http, serving
from tests.notifications.receivers import Mailbox, mailbox


@pytest.fixture(autouse=True)
def begins_in_step(in_step: None, settings: Any) -> None:
    """Every test here begins with both stores in step, and may send to this machine."""
    settings.NOTIFY_PRIVATE_HOSTS = ["127.0.0.1"]


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture
def receiver() -> Iterator[Server]:
    """Takes every webhook."""
    with serving(http(200, {})) as server:
        yield server
