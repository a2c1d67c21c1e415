"""One log line when a store goes away and one when it answers again, for each process: whoever asked it, and however
often. Everybody's errors pass here on their way to the log (`LOGGING`), Dramatiq's and Django's too.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import redis
from django.db import InterfaceError, InternalError, OperationalError
from django.db.backends.signals import connection_created
from dramatiq.errors import BrokerConnectionError

from circuitbreakers import broker
from circuitbreakers.switch import Availability, RedisUnavailable

logger = logging.getLogger(__name__)

POSTGRESQL, REDIS = "PostgreSQL", "Redis"
# SQLSTATE: connection exceptions, too many connections, shutting down or starting, read-only.
READ_ONLY = "25006"
AWAY = ("08", "53300", "57P01", "57P02", "57P03", READ_ONLY)
# How Redis says that it loads, is read-only, is full, cannot save, or has no replica: no fault of the question.
REDIS_AWAY = ("LOADING", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")
# A store that comes and goes is not named again for so long (seconds).
QUIET = 10.0


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code for an error of Django or psycopg; empty when there was no answer."""
    return str(getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or "")


def is_away(error: BaseException) -> bool:
    """Whether it means that PostgreSQL does not answer, or takes no writes for now."""
    if not isinstance(
        error, OperationalError | InterfaceError | InternalError | psycopg.OperationalError | psycopg.InterfaceError
    ):
        return False
    code = sqlstate(error)
    # Without a code it is the connection's end; what is neither from a server nor from psycopg is somebody's own.
    return code.startswith(AWAY) if code else not isinstance(error, InternalError)


def store_of(error: BaseException | None) -> str:
    """The store whose absence the error is, however it was wrapped; empty for anything else."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if is_away(error):
            return POSTGRESQL
        if isinstance(error, RedisUnavailable | redis.ConnectionError | redis.TimeoutError | BrokerConnectionError):
            return REDIS
        if isinstance(error, redis.RedisError) and str(error).startswith(REDIS_AWAY):
            return REDIS
        error = error.__cause__
    return ""


def errors_of(record: logging.LogRecord) -> Iterator[BaseException]:
    """What a record tells of: its traceback, what it quotes, or the error being handled if it names that."""
    if record.exc_info and record.exc_info[1]:
        yield record.exc_info[1]
    if isinstance(record.args, tuple):
        yield from (part for part in record.args if isinstance(part, BaseException))
    handled = sys.exc_info()[1]
    if handled is not None and type(handled).__name__ in record.getMessage():
        yield handled


class PostgreSQL:
    """What this process knows of it. (Of Redis the switch knows it: `Availability`.)"""

    away = False
    refuses = False  # it takes connections, but no writes
    changed = -1e9
    _lock = threading.Lock()

    @classmethod
    def failed(cls, error: BaseException) -> None:
        """Somebody did not get an answer. After a recovery each thread finds its own dead connection: not told."""
        with cls._lock:
            now, cls.refuses = time.monotonic(), sqlstate(error) == READ_ONLY
            tell = not cls.away and now - cls.changed > QUIET
            if tell:
                cls.away, cls.changed = True, now
        if tell:
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.error("PostgreSQL %s: %s", "refuses to write" if cls.refuses else "does not answer", what)

    @classmethod
    def answered(cls, *, wrote: bool) -> None:
        """Somebody got one."""
        with cls._lock:
            tell = cls.away and (wrote or not cls.refuses)
            if tell:
                cls.away, cls.changed = False, time.monotonic()
        if tell:
            logger.info("PostgreSQL answers again")


class Broker:
    """Redis as Dramatiq sees it: named by the switch's own line, and not more often than others are."""

    told = -1e9
    _lock = threading.Lock()

    @classmethod
    def failed(cls) -> None:
        with cls._lock:
            now = time.monotonic()
            tell = not Availability.trouble and now - cls.told > QUIET
            if tell:
                cls.told = now
        if tell:
            Availability.failed("does not answer")


class Outages(logging.Filter):
    """A handler's filter: of an outage it lets one line through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == logger.name or record.levelno < logging.WARNING:
            return True
        for error in errors_of(record):
            store = store_of(error)
            if store == POSTGRESQL:
                PostgreSQL.failed(error)
            elif store == REDIS:
                Broker.failed()
            if store:
                return False
        return True


def watch_for_answers() -> None:
    """A new connection is an answer. Call it once, when the apps are ready."""

    def connected(**kwargs: Any) -> None:
        PostgreSQL.answered(wrote=False)

    connection_created.connect(connected, weak=False, dispatch_uid="outages")


def look_again() -> None:
    """Ask a Redis that was away, so that an idle process says when it is back. Call it now and then."""
    if Availability.trouble:
        with contextlib.suppress(RedisUnavailable):
            broker.ping()
