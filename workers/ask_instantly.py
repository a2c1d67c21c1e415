"""The supervisor asks Instantly beside its loop: what came back, and that nobody suppressed is mailed there.

One at a time in the fleet, by an advisory lock: a supervisor that has lost the lead may still be at it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from workers import block_list, reconcile_outcomes

logger = logging.getLogger(__name__)

# Any fixed number that is neither the switch lock's nor the leader's.
LOCK = 0x5017C6
RECONCILE_EVERY = 900.0  # seconds; an opt-out is in force within twenty minutes without a webhook


class Asked:
    """When this process last asked what came back (monotonic)."""

    at = -1e9


def due() -> bool:
    """Say whether there is something to ask."""
    return block_list.waiting().exists() or reconciliation_due()


def reconciliation_due() -> bool:
    return time.monotonic() - Asked.at >= RECONCILE_EVERY and bool(reconcile_outcomes.targets(timezone.now()))


def start(begin: Callable[[Callable[[], object]], None]) -> int:
    """Begin to ask if something is due. Always 0: it is no work of the round's own."""
    if due():
        begin(ask)
    return 0


def ask() -> None:
    """Send the suppressions that wait and, every fifteen minutes, read what came back; nothing if somebody is at it."""
    with alone() as ours:
        if not ours:
            return
        block_list.block()
        if reconciliation_due():
            Asked.at = time.monotonic()
            reconcile_outcomes.reconcile()
        # A bounce or an opt-out that was just read is applied by the loop, and sent to the list next time.


@contextmanager
def alone() -> Iterator[bool]:
    """Hold the fleet's lock on this thread's session in here; False when somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        ours = bool(cursor.fetchone()[0])
    try:
        yield ours
    finally:
        if ours and connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
