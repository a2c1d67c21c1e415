"""Whoever is suppressed here goes to Instantly's own block list: it mails nobody on it, whoever pushed them there."""

import logging
from collections.abc import Sequence
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from campaigns.models import Suppression
from integrations import instantly_outcomes as instantly
from integrations.errors import FailureType, VendorError
from workers.free_calls import NotNow, ask

logger = logging.getLogger(__name__)

SERVICE = "instantly"
NOT_FOUND = 404
# Rows that Instantly refused by themselves; they are tried again by the next process.
_refused: set[int] = set()


def waiting() -> QuerySet[Suppression]:
    """Select what Instantly's list has not got yet. Of an erased person only a hash is left, which tells it nothing."""
    rows = Suppression.objects.filter(blocked_at=None).exclude(cause=Suppression.Cause.ERASED)
    return rows.exclude(pk__in=_refused).order_by("pk")


def block() -> int:
    """Send what waits, a thousand a call; how many were taken. A failure is logged, and the rest goes next time."""
    taken = 0
    try:
        while batch := list(waiting().values_list("pk", "value")[: instantly.MAX_BLOCKED]):
            taken += send(batch)
    except NotNow as error:
        logger.info("Suppressions not sent to the block list: %s", error)
    except VendorError as error:
        logger.warning("Suppressions not sent to the block list: %s", error.message)
    return taken


def send(batch: Sequence[tuple[int, str]]) -> int:
    """Block these (key, value); how many were taken. A batch that is refused goes in halves, so that one value holds up
    no other. Raises VendorError."""
    try:
        answer = ask(SERVICE, partial(instantly.block, [value for _, value in batch]))
        whole = not answer.invalid
    except VendorError as error:
        if error.failure_type != FailureType.INVALID_REQUEST or error.http_status == NOT_FOUND:
            raise
        whole = False
    if whole:
        # Repeated after a lost answer it does no harm.
        return Suppression.objects.filter(pk__in=[pk for pk, _ in batch], blocked_at=None).update(
            blocked_at=timezone.now()
        )
    if len(batch) == 1:
        _refused.add(batch[0][0])
        logger.warning("Suppression %s is not taken by the block list", batch[0][0])
        return 0
    middle = len(batch) // 2
    return send(batch[:middle]) + send(batch[middle:])
