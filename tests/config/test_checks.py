"""Live mode reaches the vendors and nobody else, however an address is spelt."""

from typing import Any

import pytest

from integrations.checks import mode_matches_vendors
from integrations.loopback import is_loopback

HERE = (
    "localhost", "LOCALHOST", "localhost.", "vendor.localhost", "127.0.0.1", "127.255.0.9", "127.0.0.1.", "127.1",
    "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "::", "::1", "[::1]", "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0.0.0.0",
)  # fmt: skip
ELSEWHERE = (
    "api.openai.com",
    "localhost.example",
    "notlocalhost",
    "10.0.0.1",
    "128.0.0.1",
    "2001:db8::1",
    "127.example",
)


@pytest.mark.parametrize("host", HERE)
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_another_machine_is_not_this_one(host: str) -> None:
    assert not is_loopback(host)


@pytest.fixture
def live(settings: Any) -> Any:
    """Live mode with a key for everybody, and the one vendor's address that a test gives."""
    settings.MODE = "live"
    vendors = {
        service: {**vendor, "api_key": "a-key", "base_url": f"https://api.{service}.example"}
        for service, vendor in settings.VENDORS.items()
    }

    def at(base_url: str, **details: Any) -> Any:
        settings.VENDORS = {**vendors, "openai": {**vendors["openai"], "base_url": base_url, **details}}
        return mode_matches_vendors()

    return at


@pytest.mark.parametrize(
    "host", ["127.1", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "a.localhost"]
)
def test_live_refuses_this_machine(live: Any, host: str) -> None:
    (found,) = live(f"https://{host}:8443/v1")
    assert (found.msg, bool(found.hint)) == ("OPENAI_BASE_URL points at this machine.", True)


@pytest.mark.parametrize("url", ["http://api.openai.example", "https://", "api.openai.example"])
def test_live_refuses_what_is_not_https(live: Any, url: str) -> None:
    (found,) = live(url)
    assert (found.msg, bool(found.hint)) == ("OPENAI_BASE_URL is not https://HOST.", True)


def test_live_wants_the_key(live: Any) -> None:
    (found,) = live("https://api.openai.example", api_key="")
    assert found.msg == "OPENAI_API_KEY is not set."


def test_live_is_content_with_https_and_a_key(live: Any) -> None:
    assert live("https://api.openai.example/v1") == []
