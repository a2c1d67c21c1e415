"""PostgreSQL that is away for a while, told apart from a statement that will fail every time."""

import logging
import threading

from django.db import Error, InterfaceError, OperationalError

logger = logging.getLogger(__name__)

# SQLSTATE classes of what a statement itself is to blame for: the same statement fails again. All others (a connection,
# a failover's read-only seconds, a transaction that idled, resources, a shutdown) are the server's, and pass.
# PostgreSQL's documentation, appendix A.
OWN_FAULT = frozenset({"0A", "20", "21", "22", "23", "26", "2F", "34", "38", "39", "3D", "3F", "42", "44", "P0"})


def away(error: BaseException) -> bool:
    """Whether trying again may help: the server does not answer, refuses for now, or has cut us off."""
    if not isinstance(error, Error):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] not in OWN_FAULT


def row_in_use(error: BaseException) -> bool:
    """Whether it is only a row that somebody else kept locked for too long."""
    return getattr(error.__cause__, "sqlstate", None) == "55P03"


def words(error: BaseException) -> str:
    """One sentence for people on an error that passes, without a word of the statement."""
    if row_in_use(error):
        return "Somebody else is changing what this needs. Nothing was changed; try again in a few seconds."
    return "PostgreSQL does not answer. Try again."


class Availability:
    """Whether PostgreSQL is away, as far as this process knows: one log line per change, not per statement."""

    trouble = ""
    _lock = threading.Lock()

    @classmethod
    def failed(cls, error: BaseException) -> None:
        with cls._lock:
            first, cls.trouble = not cls.trouble, type(error.__cause__ or error).__name__
        if first:
            logger.error("PostgreSQL is away (%s): what cannot be saved is tried again until it is back", cls.trouble)

    @classmethod
    def worked(cls) -> None:
        if not cls.trouble:
            return
        with cls._lock:
            was, cls.trouble = cls.trouble, ""
        if was:
            logger.info("PostgreSQL is back")
