"""Any number of supervisors may run: an advisory lock of PostgreSQL says which one leads."""

import logging
import time

import psycopg
from django.db import connection

from campaigns.wake import CHANNEL

logger = logging.getLogger(__name__)

# Any fixed number that is not the switch lock's.
LEADER_LOCK = 0x5017C5
# A leader that is frozen or cut off is disconnected by the server after this long, and loses the lock.
SESSION_TIMEOUTS = (
    "-c idle_session_timeout=10s -c idle_in_transaction_session_timeout=10s "
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10s"
)
# These of a connection's parameters are for Django's queries; all others (addresses, TLS) say how to get there.
DJANGOS_OWN = ("cursor_factory", "row_factory", "context", "prepare_threshold", "autocommit")


class Leadership:
    """The supervisor that leads holds an advisory lock, on a connection of its own: a pooled one would change between
    rounds or lock itself out."""

    def __init__(self) -> None:
        self.session: psycopg.Connection | None = None

    def held(self) -> bool:
        """Say whether this process leads, tried anew if it does not. Any doubt means no."""
        led = self.session is not None
        try:
            if self.session is None or self.session.closed:
                self.session = connect()
                # After a cut, the old session's lock may stand for some seconds yet.
                row = self.session.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
                if row and row[0]:
                    self.session.execute(f"LISTEN {CHANNEL}")
                    logger.info("This supervisor leads")
                    return True
                self.session.close()
                return False
            self.session.execute("SELECT 1")
        except psycopg.Error as error:
            logger.warning("Leadership %s: %s", "lost" if led else "not tried for", error)
            self.give_up()
            return False
        return True

    def wait(self, seconds: float) -> None:
        """Wait until somebody wakes us, at most so long; a burst of wake-ups counts as one."""
        if self.session is None or self.session.closed:
            time.sleep(seconds)
            return
        try:
            for _ in self.session.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self.give_up()

    def give_up(self) -> None:
        if self.session is not None:
            self.session.close()
        self.session = None


def connect() -> psycopg.Connection:
    """Open a session for the lock alone, which the server ends when we fall silent."""
    params = {key: value for key, value in connection.get_connection_params().items() if key not in DJANGOS_OWN}
    params["options"] = f"{params.get('options', '')} {SESSION_TIMEOUTS}".strip()  # the server takes the last of a name
    return psycopg.connect(**params, autocommit=True)
