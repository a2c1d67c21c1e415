"""The record of what changed is exported as CSV: streamed by key, formula cells defused."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet

from campaigns.leads.exporting import csv_block, defuse
from circuitbreakers.models import Event

COLUMNS = (
    *("id", "at", "subject_type", "subject_id", "verb", "actor"),
    *("door", "reason", "before", "after", "incident_id"),
)
BATCH = 2000


def events_csv(events: QuerySet[Event]) -> Iterator[bytes]:
    """Yield the events as CSV, oldest first, a piece per 2,000 of them, so that memory stays constant.

    UTF-8 with a byte order mark: Excel needs it.
    """
    yield b"\xef\xbb\xbf" + csv_block([list(COLUMNS)])
    last = 0
    while batch := list(events.filter(pk__gt=last).order_by("pk").values(*COLUMNS)[:BATCH]):
        yield csv_block([[defuse(_cell(event[name])) for name in COLUMNS] for event in batch])
        last = batch[-1]["id"]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
