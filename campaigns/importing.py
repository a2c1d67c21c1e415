"""Leads from a CSV file, streamed, a transaction per batch: an import that broke off is simply repeated."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import BinaryIO, TextIO

from django.db import Error, connection, transaction
from django.utils import timezone

from campaigns.columns import Columns, list_of, match
from campaigns.csvfile import CsvFile, ImportRefused, name_of, seekable
from campaigns.exporting import defuse
from campaigns.models import Campaign, Lead
from campaigns.rows import KNOWN, SUPPRESSED, TWICE, Row, clean, parse
from campaigns.suppression import suppressed_among
from circuitbreakers import events
from circuitbreakers.events import Actor

BATCH = 5000
EXAMPLES = 20
FINISHED = (Campaign.Status.COMPLETED, Campaign.Status.FAILED, Campaign.Status.CANCELLED)
# Orders the batches of two imports into one campaign, which could deadlock on each other's new addresses.
IMPORT_LOCK = 0x1EAD5

FILLED = ("email", "apollo_id", "first_name", "last_name", "title", "company", "company_domain", "data")
# The model's defaults live in Python; the statement below has to name them.
DEFAULTS = {
    str(column.column): column.get_db_prep_save(column.get_default(), connection)
    for column in Lead._meta.concrete_fields
    if column.name not in {*FILLED, "id", "campaign", "created_at"}
}
# One statement with one JSON parameter, whatever the size of the batch (psycopg writes arrays in Python, json in C).
# bulk_create(ignore_conflicts=True) cannot say which rows it inserted. Names of columns only: nothing of the file is in
# the text.
INSERT = (
    f"INSERT INTO leads (campaign_id, created_at, {', '.join([*DEFAULTS, *FILLED])})"  # noqa: S608
    f" SELECT %s, %s, {'%s, ' * len(DEFAULTS)} {', '.join(FILLED)}"
    f" FROM json_to_recordset(%s::json) AS rows ({' text, '.join(FILLED)} jsonb)"
    " ON CONFLICT DO NOTHING RETURNING email"
)
# A scalar subquery per row always goes through the unique index. A join or = ANY reads the whole campaign for each
# batch as long as the planner's statistics are older than the import.
OURS = (
    "SELECT wanted.{0} FROM json_to_recordset(%s::json) AS wanted ({0} text)"
    " WHERE (SELECT l.created_at FROM leads l WHERE l.campaign_id = %s AND l.{0} = wanted.{0} AND l.{0} <> '') = %s"
)


class CampaignEnded(ImportRefused):
    """The campaign takes no more leads, whatever the file is like."""


@dataclass
class ImportReport:
    """`rows` == `taken` + the sum of `skipped` (reason -> rows).

    `examples`: the first 20 skipped (row number as a spreadsheet shows it, reason). `shortened`: field -> cells that
    were cut to the field's length. `recognised`: header -> field; `ignored`: headers without a meaning here.
    """

    rows: int = 0
    taken: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[int, str]] = field(default_factory=list)
    shortened: dict[str, int] = field(default_factory=dict)
    recognised: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""


def import_csv(
    campaign: Campaign,
    stream: BinaryIO,
    *,
    actor: Actor,
    reason: str = "",
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    skipped_to: TextIO | None = None,
) -> ImportReport:
    """Add the people of a CSV file to a campaign. The same file a second time adds nothing.

    `mapping`: header -> field of `columns.FIELDS`, '' to ignore the column. `encoding`: one of `csvfile.ENCODINGS`;
    without it the file is UTF-8 or begins with a byte order mark. `progress(bytes read, rows read)` after each batch of
    5,000. `skipped_to` receives the skipped rows as CSV, row number and reason in front, to be mended and imported.

    Reads the file three times (encoding, structure, import), so ImportRefused means that nothing was written, with one
    exception: a campaign that ends meanwhile keeps what came before. A pipe is copied to disk first.
    """
    # As of now, not as of when the caller read it.
    refuse_finished(campaign, Campaign.objects.filter(pk=campaign.pk).values_list("status").first())
    with seekable(stream) as readable:
        file = CsvFile(readable, encoding)
        header = [clean(name) or f"Column {number}" for number, name in enumerate(file.header, 1)]
        columns = recognise(header, mapping)
        file.check()
        report = ImportReport(
            recognised=columns.recognised,
            ignored=columns.ignored,
            encoding=name_of(file.encoding),
            delimiter=file.delimiter,
        )
        try:
            _import(
                campaign, file, columns, report, progress=progress, write_skipped=skipped_writer(skipped_to, header)
            )
        except BaseException:
            # What was taken before an interruption belongs to the campaign's history. Without a database there is
            # nothing to write to, and the first error is the one to show.
            with suppress(Error):
                record(campaign, report, actor, reason, interrupted=True)
            raise
    record(campaign, report, actor, reason)
    return report


def recognise(header: list[str], mapping: Mapping[str, str] | None) -> Columns:
    """What the columns mean; ImportRefused if none holds addresses or the mapping does not fit."""
    try:
        columns = match(header, mapping)
    except ValueError as error:
        raise ImportRefused(str(error)) from error
    if "email" not in columns.positions:
        raise ImportRefused(
            "No column holds e-mail addresses. Name it “Email”, or say which one it is."
            f" The file's first row has: {list_of(header)}."
        )
    return columns


def _import(
    campaign: Campaign,
    file: CsvFile,
    columns: Columns,
    report: ImportReport,
    *,
    progress: Callable[[int, int], None] | None,
    write_skipped: Callable[[Row], object],
) -> None:
    """All batches; `report` is complete after each."""
    skipped: Counter[str] = Counter()
    shortened: Counter[str] = Counter()
    # Also the mark of this import's rows: it tells a duplicate in the file from a lead that was there before.
    started_at = timezone.now()
    rows = (parse(number, cells, columns, len(file.header), shortened) for number, cells in file.rows())
    for batch in batches(rows):
        report.taken += take(campaign, batch, started_at)
        report.rows += len(batch)
        for row in batch:
            if row.reason:
                skipped[row.reason] += 1
                if len(report.examples) < EXAMPLES:
                    report.examples.append((row.number, row.reason))
                write_skipped(row)
        report.skipped, report.shortened = dict(skipped), dict(shortened)
        if progress:
            progress(file.bytes_read, report.rows)


def record(campaign: Campaign, report: ImportReport, actor: Actor, reason: str, **more: object) -> None:
    """The import's one event."""
    counts = {"rows": report.rows, "taken": report.taken, "skipped": report.skipped, **more}
    events.record("campaign", campaign.pk, "leads_imported", actor=actor, reason=reason, after=counts)


def refuse_finished(campaign: Campaign, found: tuple[str] | None) -> None:
    """Raise CampaignEnded for a campaign that takes no more leads; `found` holds its status, None: it is gone."""
    if found is None:
        raise CampaignEnded(f"Campaign {campaign.pk} does not exist any more. Import into another one.")
    if found[0] in FINISHED:
        raise CampaignEnded(f"Campaign {campaign.pk} is {found[0]} and takes no more leads. Import into another one.")


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch


def take(campaign: Campaign, batch: list[Row], started_at: datetime) -> int:
    """Insert a batch in one transaction; how many were new. The others get their reason."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [IMPORT_LOCK, campaign.pk % 2**31])
        # Pauses and resumes (UPDATE) pass this lock; what ends a campaign for want of open leads takes its row FOR
        # UPDATE and so waits for the leads of this batch.
        cursor.execute("SELECT status FROM campaigns WHERE id = %s FOR KEY SHARE", [campaign.pk])
        refuse_finished(campaign, cursor.fetchone())
        rows = [row for row in batch if not row.reason]
        suppressed = suppressed_among(row.email for row in rows)
        fresh: dict[str, Row] = {}
        for row in rows:
            if row.email in suppressed:
                row.reason = SUPPRESSED
            elif fresh.setdefault(row.email, row) is not row:
                row.reason = TWICE
        values = json.dumps([{name: getattr(row, name) for name in FILLED} for row in fresh.values()])
        cursor.execute(INSERT, [campaign.pk, started_at, *DEFAULTS.values(), values])
        taken = {email for (email,) in cursor.fetchall()}
        if left := [row for row in fresh.values() if row.email not in taken]:
            explain(campaign, left, started_at)
    return len(taken)


def explain(campaign: Campaign, rows: list[Row], started_at: datetime) -> None:
    """Say which rows met a lead of this very import, and which one that was there before."""
    ours: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        for name in ("email", "apollo_id"):
            wanted = json.dumps([{name: getattr(row, name)} for row in rows])
            cursor.execute(OURS.format(name), [wanted, campaign.pk, started_at])
            ours[name] = {value for (value,) in cursor.fetchall()}
    for row in rows:
        row.reason = TWICE if row.email in ours["email"] or row.apollo_id in ours["apollo_id"] else KNOWN


def skipped_writer(target: TextIO | None, header: list[str]) -> Callable[[Row], object]:
    """Writes a skipped row, formula cells defused; does nothing without a target."""
    if target is None:
        return lambda _: None
    writer = csv.writer(target)
    writer.writerow(["Row", "Reason", *map(defuse, header)])
    return lambda row: writer.writerow([row.number, row.reason, *map(defuse, row.cells)])
