"""Which errors are an outage, and what of them reaches the log. Bugs of ours always do."""

import io
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import redis
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from dramatiq.errors import ConnectionClosed

from circuitbreakers import postgresql
from circuitbreakers.postgresql import Availability as PostgreSQL
from circuitbreakers.switch import Availability, RedisUnavailable
from config import outages
from config.logs import TextFormatter
from config.outages import POSTGRESQL, REDIS, Outages, store_of


def django_error(kind: type[Exception], cause: Exception) -> Exception:
    error = kind(str(cause))
    error.__cause__ = cause
    return error


AWAY = [
    (django_error(OperationalError, psycopg.OperationalError("connection refused")), POSTGRESQL),
    (django_error(OperationalError, psycopg.errors.AdminShutdown("terminating")), POSTGRESQL),
    (django_error(OperationalError, psycopg.errors.CannotConnectNow("starting up")), POSTGRESQL),
    (django_error(OperationalError, psycopg.errors.TooManyConnections("too many clients")), POSTGRESQL),
    (django_error(InternalError, psycopg.errors.ReadOnlySqlTransaction("read-only")), POSTGRESQL),
    (django_error(InterfaceError, psycopg.InterfaceError("connection already closed")), POSTGRESQL),
    (psycopg.OperationalError("server closed the connection unexpectedly"), POSTGRESQL),
    (redis.ConnectionError("Error 111"), REDIS),
    (redis.TimeoutError("Timeout"), REDIS),
    (redis.BusyLoadingError("LOADING"), REDIS),
    (redis.ResponseError("MISCONF Redis is configured to save"), REDIS),
    (redis.OutOfMemoryError("OOM command not allowed"), REDIS),
    (redis.ReadOnlyError("READONLY You can't write"), REDIS),
    (ConnectionClosed(redis.ConnectionError("closed")), REDIS),
    (RedisUnavailable(), REDIS),
    (django_error(RuntimeError, redis.ConnectionError("Error 111")), REDIS),
]
OURS = [
    ZeroDivisionError("a bug"),
    KeyError("PostgreSQL"),
    django_error(IntegrityError, psycopg.errors.UniqueViolation("twice")),
    django_error(DataError, psycopg.errors.NumericValueOutOfRange("too large")),
    django_error(OperationalError, psycopg.errors.QueryCanceled("statement timeout")),
    django_error(OperationalError, psycopg.errors.LockNotAvailable("lock timeout")),
    django_error(OperationalError, psycopg.errors.DeadlockDetected("deadlock")),
    django_error(InternalError, psycopg.errors.InFailedSqlTransaction("aborted")),
    redis.ResponseError("WRONGTYPE Operation against a key"),
    redis.ResponseError("user_script:1: attempt to compare nil with number"),
]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The lines that reach the log of a process in which nothing has happened yet."""
    monkeypatch.setattr(PostgreSQL, "trouble", False)
    monkeypatch.setattr(PostgreSQL, "changed", -1e9)
    monkeypatch.setattr(outages.Broker, "last_line_at", -1e9)
    monkeypatch.setattr(Availability, "trouble", "")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    handler.addFilter(Outages())
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    return lambda: stream.getvalue().splitlines()


def fail_with(error: Exception, message: str = "It failed", *values: Any) -> None:
    try:
        raise error
    except Exception:
        logging.getLogger("somebody").error(message, *values, exc_info=True)


@pytest.mark.parametrize(("error", "store"), AWAY)
def test_an_outage_is_known_by_its_error(error: Exception, store: str) -> None:
    assert store_of(error) == store


@pytest.mark.parametrize("error", OURS)
def test_anything_else_is_a_fault_and_shown(error: Exception, written: Callable[[], list[str]]) -> None:
    assert store_of(error) == ""
    fail_with(error)
    assert any("It failed" in line for line in written())
    assert any("Traceback" in line for line in written())


@pytest.mark.parametrize(("error", "store"), AWAY)
def test_however_often_and_however_it_is_logged_an_outage_is_one_line(
    error: Exception, store: str, written: Callable[[], list[str]]
) -> None:
    for _ in range(50):
        fail_with(error, "You've found a bug in Dramatiq. Please report it!\nTwo lines")
        logging.getLogger("dramatiq.worker.ConsumerThread").critical("Consumer encountered an error: %s", error)
        try:
            raise error
        except type(error) as caught:
            logging.getLogger("workers.run").warning("Result not saved yet: %s", type(caught).__name__)
    (line,) = written()
    assert f"{store} " in line
    assert "[ERROR]" in line


def test_its_end_is_a_line_and_the_dead_connections_found_afterwards_are_none(
    written: Callable[[], list[str]],
) -> None:
    error = AWAY[0][0]
    fail_with(error)
    PostgreSQL.answered(wrote=False)
    PostgreSQL.answered(wrote=True)
    fail_with(error)
    assert [line.split("] ")[1] for line in written()] == [
        "PostgreSQL does not answer: connection refused", "PostgreSQL answers again"
    ]  # fmt: skip


def test_a_later_outage_is_told_again(written: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "QUIET", 0.0)
    for _ in range(3):
        fail_with(AWAY[0][0])
        PostgreSQL.answered(wrote=False)
    assert len(written()) == 6


def test_a_server_that_takes_connections_but_no_writes_is_back_when_it_takes_one(
    written: Callable[[], list[str]],
) -> None:
    fail_with(django_error(InternalError, psycopg.errors.ReadOnlySqlTransaction("read-only")))
    PostgreSQL.answered(wrote=False)
    assert len(written()) == 1
    PostgreSQL.answered(wrote=True)
    assert [line.split("] ")[1] for line in written()] == [
        "PostgreSQL refuses to write: read-only", "PostgreSQL answers again"
    ]  # fmt: skip


def test_what_happens_while_an_outage_is_handled_is_not_taken_for_it(written: Callable[[], list[str]]) -> None:
    try:
        raise AWAY[0][0]
    except OperationalError:
        logging.getLogger("somebody").warning("Campaign 7 paused")
        try:
            raise KeyError("a bug in the handling")
        except KeyError:
            logging.getLogger("somebody").exception("Not handled")
    assert "Campaign 7 paused" in written()[0]
    assert any("Not handled" in line for line in written())


def test_the_same_traceback_is_shown_once_a_minute_and_its_messages_always(
    written: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("config.logs.time.monotonic", lambda: clock[0])
    for number in range(100):
        fail_with(ZeroDivisionError("a bug"), "Job %d failed", number)
    assert sum("Traceback" in line for line in written()) == 1
    assert sum("Job" in line for line in written()) == 100
    assert written()[-1].endswith("(the traceback above, 99 times since)")
    clock[0] = 61.0
    fail_with(ZeroDivisionError("a bug"), "Job %d failed", 100)
    assert sum("Traceback" in line for line in written()) == 2
    fail_with(KeyError("another"), "Job %d failed", 101)
    assert sum("Traceback" in line for line in written()) == 3


def test_the_log_of_the_project_has_the_filter(settings: Any) -> None:
    assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["outages"]
