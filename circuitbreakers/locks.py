"""The switch lock: it orders everything that changes who may run."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Any fixed number; it names the lock in pg_locks.
SWITCH_LOCK = 0x5017C4


@contextmanager
def switch_lock() -> Iterator[None]:
    """A transaction that holds the switch lock until it ends.

    Taken in a statement of its own, before anything is read: under READ COMMITTED each later statement then sees all
    that the last holder committed. Covers status flips only; nothing slow happens inside.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SWITCH_LOCK])
        yield
