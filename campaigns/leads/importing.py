"""Leads are imported from a CSV, streamed, a transaction per batch: an import that broke off is simply repeated."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO, TextIO

from django.db import Error, connection, transaction
from django.utils import timezone

from campaigns.contacts.conversations import standings
from campaigns.contacts.names import keys_of
from campaigns.contacts.policy import policy_of, refusal
from campaigns.leads.csvfile import ImportRefused, name_of
from campaigns.leads.exporting import defuse
from campaigns.leads.rows import KNOWN, SUPPRESSED, TWICE, Row
from campaigns.leads.source import Source, opened
from campaigns.leads.suppression import listed_among, suppressed_among
from campaigns.models import Campaign, Lead
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
    if not column.generated and column.name not in {*FILLED, "id", "campaign", "created_at"}
}
texts_of = attrgetter(*FILLED[:-1])
# A batch is sent by COPY, which is cheapest for both sides, into a table of its transaction, and inserted from there in
# one statement: COPY itself can leave out no row, and bulk_create(ignore_conflicts=True) cannot say which rows it
# inserted. Names of columns only: nothing of the file is in the text.
INCOMING = f"CREATE TEMPORARY TABLE incoming ({' text, '.join(FILLED)} jsonb) ON COMMIT DROP"
SEND = f"COPY incoming ({', '.join(FILLED)}) FROM STDIN"
INSERT = (
    f"INSERT INTO leads (campaign_id, created_at, {', '.join([*DEFAULTS, *FILLED])})"  # noqa: S608
    f" SELECT %s, %s, {'%s, ' * len(DEFAULTS)} {', '.join(FILLED)} FROM incoming"
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
    """A report counts rows: `rows` == `taken` + the sum of `skipped` (reason -> rows).

    `examples`: the first 20 skipped (row number as a spreadsheet shows it, reason). `shortened`: field -> cells that
    were cut to the field's length. `recognised`: header -> field; `guessed`: those of them whose cells were looked at
    because their header says nothing; `ignored`: headers without a meaning here. `header_row`: the header's row number.
    """

    rows: int = 0
    taken: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[int, str]] = field(default_factory=list)
    shortened: dict[str, int] = field(default_factory=dict)
    recognised: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    header_row: int = 1
    encoding: str = ""
    delimiter: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report for JSON: what API, command and page show of it."""
        return asdict(self)


def import_csv(
    campaign: Campaign,
    stream: BinaryIO,
    *,
    actor: Actor,
    reason: str = "",
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    skipped_to: TextIO | None = None,
) -> ImportReport:
    """Open a file and import it: `opened` and `import_source` in one. Reads the file three times (encoding, structure,
    import), so ImportRefused means that nothing was written, with one exception: a campaign that ends meanwhile keeps
    what came before."""
    refuse_finished(campaign, status_now(campaign))
    with opened(stream, mapping=mapping, encoding=encoding, delimiter=delimiter) as source:
        return import_source(campaign, source, actor=actor, reason=reason, progress=progress, skipped_to=skipped_to)


def import_source(
    campaign: Campaign,
    source: Source,
    *,
    actor: Actor,
    reason: str = "",
    progress: Callable[[int, int], None] | None = None,
    skipped_to: TextIO | None = None,
) -> ImportReport:
    """Add the people of a file to a campaign. The same file a second time adds nothing.

    `progress(bytes read, rows read)` after each batch of 5,000. `skipped_to` receives the skipped rows as CSV, row
    number and reason in front, to be mended and imported. Raises CampaignEnded.
    """
    refuse_finished(campaign, status_now(campaign))
    # Also the mark of this import's rows: it tells a duplicate in the file from a lead that was there before.
    started_at = timezone.now()
    report = report_of(source)
    try:
        read_into(
            report,
            source,
            lambda batch: take(campaign, batch, started_at),
            progress=progress,
            write_skipped=skipped_writer(skipped_to, source.header),
        )
    except BaseException:
        # What was taken before an interruption belongs to the campaign's history. Without a database there is
        # nothing to write to, and the first error is the one to show.
        with suppress(Error):
            record(campaign, report, actor, reason, interrupted=True)
        raise
    record(campaign, report, actor, reason)
    return report


def status_now(campaign: Campaign) -> tuple[str] | None:
    """Read the campaign's status as of now, not as of when the caller read it."""
    return Campaign.objects.filter(pk=campaign.pk).values_list("status").first()


def report_of(source: Source) -> ImportReport:
    """Make an empty report that says how the file is read."""
    return ImportReport(
        recognised=source.columns.recognised,
        ignored=source.columns.ignored,
        guessed=source.columns.guessed,
        header_row=source.file.header_row,
        encoding=name_of(source.file.encoding),
        delimiter=source.file.delimiter,
    )


def read_into(
    report: ImportReport,
    source: Source,
    take_batch: Callable[[list[Row]], int],
    *,
    progress: Callable[[int, int], None] | None = None,
    write_skipped: Callable[[Row], object] = lambda _: None,
) -> None:
    """Import all batches; `report` is complete after each. `take_batch` says how many it took and gives the rest a
    reason."""
    skipped: Counter[str] = Counter()
    shortened: Counter[str] = Counter()
    for batch in batches(source.rows(shortened)):
        report.taken += take_batch(batch)
        report.rows += len(batch)
        for row in batch:
            if row.reason:
                skipped[row.reason] += 1
                if len(report.examples) < EXAMPLES:
                    report.examples.append((row.number, row.reason))
                write_skipped(row)
        report.skipped, report.shortened = dict(skipped), dict(shortened)
        if progress:
            progress(source.file.bytes_read, report.rows)


def record(campaign: Campaign, report: ImportReport, actor: Actor, reason: str, **more: object) -> None:
    """Record the import's one event."""
    counts = {"rows": report.rows, "taken": report.taken, "skipped": report.skipped, **more}
    events.record("campaign", campaign.pk, "leads_imported", actor=actor, reason=reason, after=counts)


def refuse_finished(campaign: Campaign, status: tuple[str] | None) -> None:
    """Raise CampaignEnded for a campaign that takes no more leads; `status` is the row with it, None: it is gone."""
    if status is None:
        raise CampaignEnded(f"Campaign {campaign.pk} does not exist any more. Import into another one.")
    if status[0] in FINISHED:
        raise CampaignEnded(f"Campaign {campaign.pk} is {status[0]} and takes no more leads. Import into another one.")


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
        mark_suppressed(rows)
        mark_contacts(campaign, rows)
        fresh: dict[str, Row] = {}
        for row in rows:
            if row.reason:
                continue
            if fresh.setdefault(row.email, row) is not row:
                row.reason = TWICE
        cursor.execute(INCOMING)
        with cursor.copy(SEND) as copy:
            for row in fresh.values():
                copy.write_row((*texts_of(row), json.dumps(row.data)))
        cursor.execute(INSERT, [campaign.pk, started_at, *DEFAULTS.values()])
        taken = {email for (email,) in cursor.fetchall()}
        cursor.execute("DROP TABLE incoming")  # the caller may have a transaction around all batches
        if left := [row for row in fresh.values() if row.email not in taken]:
            explain(campaign, left, started_at)
    return len(taken)


def mark_suppressed(rows: list[Row]) -> None:
    """Give the suppressed their reason: by the address that would be written to or its domain, or by another address of
    the same person, if that itself is on the list."""
    suppressed = suppressed_among(row.email for row in rows)
    listed = listed_among(others) if (others := [address for row in rows for address in row.others]) else set()
    for row in rows:
        if row.email in suppressed or not listed.isdisjoint(row.others):
            row.reason = SUPPRESSED


def mark_contacts(campaign: Campaign | None, rows: list[Row]) -> None:
    """Give those their reason who are in another campaign's conversation or were written to lately; None: the campaign
    is not made yet. Whoever comes into a conversation after this is found when the lead is fed."""
    asked = [(row, keys_of(row.email, row.apollo_id)) for row in rows if not row.reason]
    known = standings(key for _, keys in asked for key in keys)
    if not known:
        return
    policy, now = policy_of(campaign.contact_policy if campaign else None), timezone.now()
    pk = campaign.pk if campaign else None
    for row, keys in asked:
        row.reason = refusal(policy, pk, [known[key] for key in keys if key in known], now, dated=False)


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
    """Return a function that writes a skipped row, formula cells defused; it does nothing without a target."""
    if target is None:
        return lambda _: None
    writer = csv.writer(target)
    writer.writerow(["Row", "Reason", *map(defuse, header)])
    return lambda row: writer.writerow([row.number, row.reason, *map(defuse, row.cells)])
