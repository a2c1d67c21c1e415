"""An import is foretold here: the same file is read in the same way, and nothing is written or locked."""

import json
from collections.abc import Callable, Mapping
from typing import BinaryIO, TextIO

from django.db import connection

from campaigns.leads.importing import (
    ImportReport,
    mark_contacts,
    mark_suppressed,
    read_into,
    refuse_finished,
    report_of,
    skipped_writer,
    status_now,
)
from campaigns.leads.rows import KNOWN, TWICE, Row
from campaigns.leads.source import Source, opened
from campaigns.models import Campaign

# As in `importing.OURS`: through the unique index, whatever the planner's statistics.
THERE = (
    "SELECT wanted.{0} FROM json_to_recordset(%s::json) AS wanted ({0} text)"
    " WHERE (SELECT l.id FROM leads l WHERE l.campaign_id = %s AND l.{0} = wanted.{0} AND l.{0} <> '') IS NOT NULL"
)


def foretell(
    source: Source,
    campaign: Campaign | None,
    *,
    progress: Callable[[int, int], None] | None = None,
    skipped_to: TextIO | None = None,
) -> ImportReport:
    """Return the report that an import into `campaign` would give now; None: into a new one. Raises CampaignEnded.

    `progress` and `skipped_to` as in `import_source`. Remembers the addresses that it has seen: memory grows with the
    file.
    """
    if campaign is not None:
        refuse_finished(campaign, status_now(campaign))
    report = report_of(source)
    earlier: set[str] = set()

    def take_batch(batch: list[Row]) -> int:
        rows = [row for row in batch if not row.reason]
        mark_suppressed(rows)
        mark_contacts(campaign, rows)
        there = in_campaign(campaign, rows) if campaign else set()
        of_batch: set[str] = set()
        taken = 0
        for row in rows:
            if row.reason:
                continue
            keys = {row.email, row.apollo_id} - {""}
            if row.email in of_batch or keys & earlier:
                row.reason = TWICE
            elif keys & there:
                row.reason = KNOWN
            else:
                earlier.update(keys)
                taken += 1
            of_batch.add(row.email)
        return taken

    read_into(report, source, take_batch, progress=progress, write_skipped=skipped_writer(skipped_to, source.header))
    return report


def foretell_csv(
    campaign: Campaign,
    stream: BinaryIO,
    *,
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    skipped_to: TextIO | None = None,
) -> ImportReport:
    """Open a file and foretell its import: `opened` and `foretell` in one. Raises ImportRefused."""
    refuse_finished(campaign, status_now(campaign))
    with opened(stream, mapping=mapping, encoding=encoding, delimiter=delimiter) as source:
        return foretell(source, campaign, progress=progress, skipped_to=skipped_to)


def in_campaign(campaign: Campaign, rows: list[Row]) -> set[str]:
    """Find the addresses and Apollo ids of these rows that the campaign has already."""
    keys: set[str] = set()
    with connection.cursor() as cursor:
        for name in ("email", "apollo_id"):
            cursor.execute(THERE.format(name), [json.dumps([{name: getattr(row, name)} for row in rows]), campaign.pk])
            keys |= {value for (value,) in cursor.fetchall()}
    return keys
