"""The supervisor asks each service every quarter of an hour what the days ahead hold: free calls beside the loop, made
whatever is paused, which no breaker counts. What ends soon is told once at each of its times."""

import logging
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from campaigns import foresight
from campaigns.models import OutlookReading
from circuitbreakers import events
from integrations.errors import VendorError
from integrations.outlooks import OUTLOOKS
from integrations.results import Outlook
from workers import free_calls

logger = logging.getLogger(__name__)

EVERY = 900.0  # seconds
FORETOLD = "foretold"  # the verb of its event


def start(in_background: Callable[[Callable[[], object]], None]) -> int:
    """Have all services asked by `in_background`, which must not wait for it. Always 0: nothing is left behind."""
    in_background(ask_all)
    return 0


def ask_all() -> None:
    """Ask one service after the other; one that does not answer holds up none of the others."""
    for service, outlook in OUTLOOKS.items():
        try:
            note(service, free_calls.ask(service, outlook))
        except free_calls.NotNow:
            continue  # what stands there grows old, and says so
        except VendorError as error:
            note(service, None, error.message)
    tell()


def note(service: str, found: Outlook | None, problem: str = "") -> None:
    """Keep what a service told; where it told nothing, why, beside what was known before."""
    now = timezone.now()
    values: dict[str, object] = {"asked_at": now, "problem": problem}
    if found is not None:
        values |= {"read_at": now, "left": found.left, "unit": found.unit, "model": found.model, "ends": found.ends}
    OutlookReading.objects.update_or_create(service=service, defaults=values)


@transaction.atomic
def tell() -> int:
    """Tell of each end that has come nearer than the last time it was told: a log line and an event; how many."""
    now, told = timezone.now(), 0
    before = dict(OutlookReading.objects.values_list("service", "told_hours"))
    for one in foresight.all_forecasts(now):
        if one.service not in before or before[one.service] == one.told_at:
            continue
        nearer = one.told_at is not None and one.told_at < (before[one.service] or 10**4)
        # Of two supervisors that look at once, the one that changes the row tells.
        rows = OutlookReading.objects.filter(service=one.service, told_hours=before[one.service])
        if rows.update(told_hours=one.told_at) and nearer:
            logger.warning("Foresight: %s: %s", one.service, one.sentence, extra={"service": one.service})
            events.record("breaker", one.service, FORETOLD, actor=events.SUPERVISOR, reason=one.sentence)
            told += 1
    return told
