"""The leads of a group of failures are written as CSV, under the headers that the import reads: to mend them elsewhere,
and to bring them back in a new campaign."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from campaigns.leads.exporting import ASKED, BATCH, COLUMNS, ID, cells, csv_block, values_of
from campaigns.models import Lead

# By index `failure_group` or `failure_campaign`, from the end of the last batch on.
NEXT = """
SELECT f.failed_at, f.job_id, j.lead_id FROM failures f JOIN job_rows j ON j.id = f.job_id
WHERE f.group_key = %(key)s {of_campaign} {after} ORDER BY f.failed_at, f.job_id LIMIT %(limit)s
"""


def group_csv(key: UUID, campaign: int | None = None) -> Iterator[bytes]:
    """Yield the leads of a group as `export_csv` does those of a campaign, in the order in which they failed. Jobs that
    belong to no lead have none."""
    yield b"\xef\xbb\xbf" + csv_block([list(COLUMNS)])
    where: dict[str, Any] = {"key": key, "campaign": campaign, "limit": BATCH}
    of_campaign, after = "" if campaign is None else "AND f.campaign_id = %(campaign)s", ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(NEXT.format(of_campaign=of_campaign, after=after), where)
            batch = cursor.fetchall()
        if not batch:
            return
        leads = {lead[ID]: lead for lead in Lead.objects.filter(pk__in=[row[2] for row in batch]).values_list(*ASKED)}
        yield csv_block(cells(values_of(leads[row[2]])) for row in batch if row[2] in leads)
        after = "AND (f.failed_at, f.job_id) > (%(at)s, %(job)s)"
        where |= {"at": batch[-1][0], "job": batch[-1][1]}
