"""A CSV comes in as leads and goes out again at 20,000 rows a second, in the same memory whatever its size.

Beside it stands what PostgreSQL and Python's `csv` need for the same rows when nothing is asked of them.
"""

import csv
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.db import connection

from bench.measured import Cell, Limit, Measured
from campaigns.leads import importing
from campaigns.leads.exporting import export_csv
from campaigns.leads.importing import import_csv
from campaigns.models import Campaign
from circuitbreakers.events import Actor

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "people.csv"
SIZES = (50_000, 200_000)
NARROW = ["First Name", "Company", "Email"]
GOAL, GROWTH = 20_000, 1.1  # rows a second; times the peak of the smaller file

# Without indexes, constraints and triggers.
BARE = "DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE leads INCLUDING GENERATED INCLUDING IDENTITY)"
COPIED = ("campaign_id", "created_at", *importing.DEFAULTS, *importing.FILLED)
OUT = "COPY (SELECT * FROM leads WHERE campaign_id = {} ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"


def run() -> Measured:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        rows = [row for size in SIZES for row in measure(folder, size)]
    at = {(str(row["what"]), int(row["rows"])): row for row in rows}
    fewer, more = SIZES
    limits = []
    for what in ("import", "export"):
        limits.append(Limit(f"{what} of {more:,} rows", rate(at[what, more]), GOAL, "rows/s", at_least=True))
        limits.append(
            Limit(
                f"peak memory of the {what} of {more:,} rows against {fewer:,}",
                float(at[what, more]["peak MB"]) / float(at[what, fewer]["peak MB"]),
                GROWTH,
                "times",
            )
        )
    return Measured(
        limits,
        rows,
        [
            "The file has the 33 columns of Apollo's export, with the people of samples/people.csv over and over under "
            "other addresses; the one of 3 columns has first name, company and address. All are taken.",
            "COPY reads the file with `csv` and sends six columns and the rest as JSON: nothing is checked, nothing is "
            "asked, no row is refused. Into a bare table there are no indexes and constraints, into `leads` there are.",
            "COPY out is PostgreSQL's own CSV of all columns: no cell is made safe for a spreadsheet.",
            "CPU is that of the measuring process; PostgreSQL's is not in it. Each measurement has a process of its "
            "own, whose peak is its largest resident memory.",
        ],
    )


def measure(folder: Path, size: int) -> Iterator[dict[str, Cell]]:
    """Let each way in and out move so many rows."""
    wide, narrow = folder / f"wide{size}.csv", folder / f"narrow{size}.csv"
    with wide.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target).writerows(people(size))
    with narrow.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target).writerows(few_columns(size))
    connection.close()
    for what, work, file in (
        ("COPY into a bare table", copy_bare, wide),
        ("COPY into leads", copy_leads, wide),
        ("import", take, wide),
        ("import of 3 columns", take, narrow),
        ("COPY out", copy_out, wide),
        ("export", give, wide),
    ):
        with multiprocessing.get_context("fork").Pool(1) as process:
            seconds, cpu, peak = process.apply(timed, (work, file, size))
        yield {
            "what": what,
            "rows": size,
            "rows/s": size / seconds,
            "CPU us a row": cpu / size * 1e6,
            "peak MB": peak,
        }


def rate(row: dict[str, Cell]) -> float:
    return float(row["rows/s"])


def timed(work: Callable[[Path, int], None], file: Path, size: int) -> tuple[float, float, float]:
    """Do it in this process: seconds, seconds of its CPU, and its largest resident memory in MB."""
    connection.ensure_connection()
    began, used = time.perf_counter(), time.process_time()
    work(file, size)
    took, cpu = time.perf_counter() - began, time.process_time() - used
    return took, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def people(size: int) -> Iterator[list[str]]:
    """Yield a header and so many rows as Apollo exports them, each person once and with an address as it should be."""
    with SAMPLE.open(newline="", encoding="utf-8") as source:
        header, *rows = csv.reader(source)
    email, apollo_id = header.index("Email"), header.index("Apollo Contact Id")
    sound = [row for row in rows if importable(row[email])]
    yield header
    for number in range(size):
        row = list(sound[number % len(sound)])
        row[email], row[apollo_id] = f"{number}.{row[email]}", f"{number:024x}"
        yield row


def importable(email: str) -> bool:
    local, _, domain = email.partition("@")
    return bool(local) and email.isascii() and email == email.strip().lower() and "." in domain and "@" not in domain


def few_columns(size: int) -> Iterator[list[str]]:
    yield NARROW
    for number in range(size):
        yield [f"Ida{number}", f"Acme {number}", f"ida{number}@acme{number}.example"]


def take(file: Path, size: int) -> None:
    with file.open("rb") as stream:
        report = import_csv(campaign(), stream, actor=Actor("bench", "command"))
    assert report.taken == size, report


def give(_: Path, size: int) -> None:
    lines = sum(piece.count(b"\r\n") for piece in export_csv(largest()))
    assert lines == size + 1, lines


def copy_out(_: Path, size: int) -> None:
    with connection.cursor() as cursor, cursor.copy(OUT.format(largest().pk)) as copy:
        lines = sum(bytes(piece).count(b"\n") for piece in copy)
    assert lines > size, lines


def copy_bare(file: Path, size: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(BARE)
    copy_into("bare", file, 0)


def copy_leads(file: Path, size: int) -> None:
    copy_into("leads", file, campaign().pk)


def copy_into(table: str, file: Path, campaign_id: int) -> None:
    """Send the file's rows to a table, as they are."""
    statement = f"COPY {table} ({', '.join(COPIED)}) FROM STDIN"
    with (
        file.open(newline="", encoding="utf-8") as source,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in as_leads(csv.DictReader(source)):
            copy.write_row([campaign_id, "2026-11-02T08:00:00Z", *importing.DEFAULTS.values(), *row])


def as_leads(rows: Iterable[dict[str, str]]) -> Iterator[list[str]]:
    """Yield a row's cells in the order of `importing.FILLED`."""
    for row in rows:
        yield [
            row.pop("Email"),
            row.pop("Apollo Contact Id"),
            row.pop("First Name"),
            row.pop("Last Name"),
            row.pop("Title")[:500],
            row.pop("Company Name"),
            row.pop("Website"),
            json.dumps(row),
        ]


def campaign() -> Campaign:
    return Campaign.objects.create(name="Bench", instantly_campaign_id="x")


def largest() -> Campaign:
    """Return the campaign of the last import with all columns, whose leads have most in them."""
    return Campaign.objects.filter(leads__apollo_id__gt="").latest("pk")
