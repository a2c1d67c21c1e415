"""A prune takes one kind of row after the other, in batches, and rests after each, so that paid work hardly notices."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from campaigns.pruning import jobs, records, texts
from circuitbreakers import events
from circuitbreakers.models import Incident

# Any fixed number that is no other lock's.
LOCK = 0x5017C6
# The setting that says how long each kind is kept; '' for what is of no use once it has expired.
KINDS = {
    "texts": "KEEP_TEXTS_DAYS",
    "jobs": "KEEP_JOBS_DAYS",
    "events": "KEEP_EVENTS_DAYS",
    "outcomes": "KEEP_OUTCOMES_DAYS",
    "facts": "KEEP_FACTS_DAYS",
    "logins": "",
}


class PruneRefused(Exception):
    """Another prune is running; nothing was done."""


@dataclass
class Pruned:
    """What a prune did, or would do: rows by kind (calls go with the jobs), since when each kind is kept, and whether
    it came to its end."""

    rows: Counter[str] = field(default_factory=Counter)
    before: dict[str, datetime] = field(default_factory=dict)
    whole: bool = True


def cutoff(kind: str, now: datetime, incident_since: datetime | None) -> datetime | None:
    """Return the instant before which rows of that kind go; None: they are kept for ever.

    Nothing since the beginning of an incident that is not reset goes: `incident_since` is that of the oldest one.
    """
    setting = KINDS[kind]
    if not setting:
        return now
    days: int = getattr(settings, setting)
    if not days:
        return None
    before = now - timedelta(days=days)
    return before if incident_since is None else min(before, incident_since)


def cutoffs(kinds: list[str], now: datetime) -> dict[str, datetime]:
    """Return the cut-off of each of these kinds that is not kept for ever."""
    opened = Incident.objects.filter(reset_at=None).order_by("opened_at").values_list("opened_at", flat=True).first()
    found = {kind: cutoff(kind, now, opened) for kind in kinds}
    return {kind: before for kind, before in found.items() if before is not None}


def foretell(kinds: list[str]) -> Pruned:
    """Count what would go now; nothing is changed."""
    pruned = Pruned(before=cutoffs(kinds, timezone.now()))
    for kind, before in pruned.before.items():
        pruned.rows[kind] = 0
        if kind in ("jobs", "texts"):
            pruned.rows.update({"jobs": jobs.count, "texts": texts.count}[kind](before))
        else:
            for number in getattr(records, kind)(before, dry_run=True):
                pruned.rows.update(number)
    return pruned


def prune(
    kinds: list[str],
    *,
    actor: events.Actor,
    reason: str = "",
    share: int = 20,
    stopping: Callable[[], bool] = lambda: False,
    rest: Callable[[float], None] = time.sleep,
) -> Pruned:
    """Delete what is older than its retention, and record an event with the numbers; an interrupted one goes on next
    time.

    It works `share` per cent of the time, and ends after a batch when `stopping` says so. Raises PruneRefused.
    """
    with _alone():
        pruned = Pruned(before=cutoffs(kinds, timezone.now()))
        try:
            for kind, before in pruned.before.items():
                pruned.rows[kind] = 0
                batches, started = _batches(kind, before, actor), time.monotonic()
                for gone in batches:
                    pruned.rows.update(gone)
                    rest((time.monotonic() - started) * (100 / share - 1))
                    if stopping():
                        pruned.whole = False
                        return pruned
                    started = time.monotonic()
        finally:
            if any(pruned.rows.values()):
                after = {**pruned.rows, "whole": pruned.whole}
                events.record("retention", "all", "pruned", actor=actor, reason=reason, after=after)
    return pruned


def _batches(kind: str, before: datetime, actor: events.Actor) -> Iterator[Counter[str]]:
    if kind == "jobs":
        return jobs.batches(before, actor)
    if kind == "texts":
        return texts.batches(before)
    walk: Iterator[Counter[str]] = getattr(records, kind)(before)
    return walk


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise PruneRefused("Another prune is running. Nothing was done.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
