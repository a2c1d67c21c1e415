"""Each process logs one line when a store goes away and one when it answers again, whoever asked it and how often.

Everybody's errors pass here on their way to the log (`LOGGING`), Dramatiq's and Django's too.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import redis
from django.db.backends.signals import connection_created
from dramatiq.errors import BrokerConnectionError

from circuitbreakers import postgresql
from circuitbreakers.switch import Availability, RedisUnavailable

POSTGRESQL, REDIS = "PostgreSQL", "Redis"
# How Redis says that it loads, is read-only, is full, cannot save, or has no replica: no fault of the question.
REDIS_AWAY = ("LOADING", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")


def store_of(error: BaseException | None) -> str:
    """Return the store whose absence the error is, however it was wrapped; empty for anything else."""
    examined: set[int] = set()
    while error is not None and id(error) not in examined:
        examined.add(id(error))
        if postgresql.server_away(error):
            return POSTGRESQL
        if isinstance(error, RedisUnavailable | redis.ConnectionError | redis.TimeoutError | BrokerConnectionError):
            return REDIS
        if isinstance(error, redis.RedisError) and str(error).startswith(REDIS_AWAY):
            return REDIS
        error = error.__cause__
    return ""


def errors_of(record: logging.LogRecord) -> Iterator[BaseException]:
    """Yield the errors that a record tells of: its own, those it quotes, the one being handled if it names that."""
    if record.exc_info and record.exc_info[1]:
        yield record.exc_info[1]
    if isinstance(record.args, tuple):
        yield from (part for part in record.args if isinstance(part, BaseException))
    handled = sys.exc_info()[1]
    if handled is not None and type(handled).__name__ in record.getMessage():
        yield handled


class Broker:
    """Logs that Redis is away for Dramatiq: with the switch's own line, and not more often than others."""

    last_line_at = -1e9
    _lock = threading.Lock()

    @classmethod
    def failed(cls) -> None:
        with cls._lock:
            now = time.monotonic()
            tell = not Availability.trouble and now - cls.last_line_at > postgresql.QUIET
            if tell:
                cls.last_line_at = now
        if tell:
            Availability.failed("does not answer")


class Outages(logging.Filter):
    """This filter of a log handler lets one line of an outage through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == postgresql.logger.name or record.levelno < logging.WARNING:
            return True
        for error in errors_of(record):
            store = store_of(error)
            if store == POSTGRESQL:
                postgresql.Availability.failed(error)
            elif store == REDIS:
                Broker.failed()
            if store:
                return False
        return True


def watch_for_answers() -> None:
    """Take each new connection for an answer. Call it once, when the apps are ready."""

    def connected(**kwargs: Any) -> None:
        postgresql.Availability.answered(wrote=False)

    connection_created.connect(connected, weak=False, dispatch_uid="outages")
