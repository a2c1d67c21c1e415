"""A PostgreSQL that is away for a while is told apart here from a statement that will fail every time."""

import logging
import threading
import time

import psycopg
from django.db import Error, InterfaceError, InternalError, OperationalError

logger = logging.getLogger(__name__)

# SQLSTATE: connection exceptions, too many connections, shutting down or starting, read-only.
READ_ONLY = "25006"
SERVER_AWAY = ("08", "53300", "57P01", "57P02", "57P03", READ_ONLY)
# A server that comes and goes is not named again for so long (seconds).
QUIET = 10.0

# SQLSTATE classes of what a statement itself is to blame for: the same statement fails again. All others (a connection,
# a failover's read-only seconds, a transaction that idled, resources, a shutdown) are the server's, and pass.
# PostgreSQL's documentation, appendix A.
OWN_FAULT = frozenset({"0A", "20", "21", "22", "23", "26", "2F", "34", "38", "39", "3D", "3F", "42", "44", "P0"})


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code for an error of Django or psycopg; empty when there was no answer."""
    return str(getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or "")


def away(error: BaseException) -> bool:
    """Say whether trying again may help: the server does not answer, refuses for now, or has cut us off."""
    if not isinstance(error, Error):
        return False
    state = sqlstate(error)
    return state[:2] not in OWN_FAULT if state else isinstance(error, OperationalError | InterfaceError)


def server_away(error: BaseException) -> bool:
    """Say whether the server itself does not answer, or takes no writes for now: an outage, to be told once."""
    if not isinstance(
        error, OperationalError | InterfaceError | InternalError | psycopg.OperationalError | psycopg.InterfaceError
    ):
        return False
    state = sqlstate(error)
    # Without a code it is the connection's end; what is neither from a server nor from psycopg is somebody's own.
    return state.startswith(SERVER_AWAY) if state else not isinstance(error, InternalError)


def row_in_use(error: BaseException) -> bool:
    """Say whether it is only a row that somebody else kept locked for too long."""
    return sqlstate(error) == "55P03"


def words(error: BaseException) -> str:
    """Put an error that passes into one sentence for people, without a word of the statement."""
    if row_in_use(error):
        return "Somebody else is changing what this needs. Nothing was changed; try again in a few seconds."
    return "PostgreSQL does not answer. Try again."


class Availability:
    """This process knows here whether PostgreSQL is there: it logs one line when it goes away, one when it answers
    again, however many ask."""

    trouble = False
    refuses = False  # it takes connections, but no writes
    changed = -1e9
    _lock = threading.Lock()

    @classmethod
    def failed(cls, error: BaseException) -> None:
        """Note that somebody did not get an answer. After a recovery each thread finds its own dead connection: not
        told."""
        with cls._lock:
            now, cls.refuses = time.monotonic(), sqlstate(error) == READ_ONLY
            tell = not cls.trouble and now - cls.changed > QUIET
            if tell:
                cls.trouble, cls.changed = True, now
        if tell:
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.error("PostgreSQL %s: %s", "refuses to write" if cls.refuses else "does not answer", what)

    @classmethod
    def answered(cls, *, wrote: bool) -> None:
        """Note that somebody got an answer."""
        with cls._lock:
            tell = cls.trouble and (wrote or not cls.refuses)
            if tell:
                cls.trouble, cls.changed = False, time.monotonic()
        if tell:
            logger.info("PostgreSQL answers again")
