"""The switch lock orders everything that changes who may run."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Any fixed number; it names the lock in pg_locks.
SWITCH_LOCK = 0x5017C4
# Whoever holds it waits for no row longer than this: everybody who pauses something waits behind.
ROW_WAIT = "500ms"


@contextmanager
def switch_lock() -> Iterator[None]:
    """Open a transaction that holds the switch lock until it ends.

    Taken in a statement of its own, before anything is read: under READ COMMITTED each later statement then sees all
    that the last holder committed. Covers status flips only; nothing slow happens inside, and nothing waits: a row that
    somebody else keeps locked raises OperationalError, and nothing has changed.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # In this order: the wait for the switch lock itself has no such limit.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s), set_config('lock_timeout', %s, true)", [SWITCH_LOCK, ROW_WAIT]
            )
        yield
