"""A vendor's wish to be called later that cannot be read is told, once, and is no wait."""

import logging

import pytest

from integrations import http, openai
from integrations.errors import FailureType, VendorError
from tests.integrations import bodies
from tests.integrations.conftest import KEYS, Serve
from tests.integrations.wire import http as said


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "told_forms", set())


def throttled(serve: Serve, *values: str) -> list[VendorError]:
    body = bodies.openai_error("requests", "rate_limit_exceeded")
    serve("openai", *(said(429, body, retry_after=value) for value in values))
    errors = []
    for _ in values:
        with pytest.raises(VendorError) as caught:
            openai.write_mail(instructions="i", prompt="p")
        errors.append(caught.value)
    return errors


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_form_that_cannot_be_read_is_told_once(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    errors = throttled(serve, "in 5 moons", "in 6 moons", "99999999", "30", "1 eternity")
    assert [error.retry_after for error in errors] == [None, None, None, 30.0, None]
    assert {error.failure_type for error in errors} == {FailureType.RATE_LIMIT}
    assert [line.rpartition(": ")[2] for line in lines(caplog)] == ["in 5 moons", "99999999", "1 eternity"]
    assert all(line.startswith("openai ") for line in lines(caplog))


def test_what_is_told_is_short_and_holds_no_key(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    throttled(serve, f"ask {KEYS['openai']} for ida@acme.example " + "x" * 5000)
    (line,) = lines(caplog)
    assert KEYS["openai"] not in line
    assert "ida@" not in line
    assert len(line) < 200


def test_there_is_an_end_to_what_is_told(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(http.MOST_FORMS + 50):
        http.tell_unread("openai", "x" * (number % 59) + "y" * (number // 59))
    assert len(lines(caplog)) == http.MOST_FORMS
