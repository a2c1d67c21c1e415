"""Commands are told here how to read a CSV, and tell what an import did or would do."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from campaigns.first_leads import MOST
from campaigns.leads.columns import FIELDS
from campaigns.leads.importing import ImportReport


def add_reading(parser: ArgumentParser) -> None:
    """Add the options that say how a CSV is to be read, where what is recognised will not do."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pair,
        metavar="COLUMN=FIELD",
        help=f"what a column means; `COLUMN=` ignores it; repeatable. Fields: {', '.join(FIELDS)}",
    )
    parser.add_argument("--delimiter", help="a character or comma, semicolon, tab, pipe; recognised when not given")
    parser.add_argument("--encoding", help="of the file, if it is not UTF-8 (latin-1, cp1252, ...)")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")


def add_first(parser: ArgumentParser) -> None:
    """Add the option of a start that holds after the first leads."""
    text = f"hold after the first N leads (1 to {MOST}), so that their mails can be read; then `go-on`"
    parser.add_argument("--first", type=_first, metavar="N", help=text)


def _first(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 4 else 0
    if not 1 <= number <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}.")
    return number


def _pair(text: str) -> tuple[str, str]:
    column, equals, name = text.rpartition("=")
    if not (equals and column):
        raise ArgumentTypeError(f"{text!r} is not COLUMN=FIELD.")
    return column, name


def report_lines(report: ImportReport, *, dry_run: bool = False) -> list[str]:
    """Write an import's report for people."""
    would = "would be " if dry_run else ""
    lines = [f"{report.rows} rows: {report.taken} {would}taken, {sum(report.skipped.values())} {would}skipped"]
    lines += [f"  {count} {reason}" for reason, count in report.skipped.items()]
    if report.header_row > 1:
        lines.append(f"The columns are named in row {report.header_row}; what stands above it was left out.")
    for header in report.guessed:
        lines.append(f"Guessed from its cells: {header} is {report.recognised[header]}. --map says otherwise.")
    if dry_run:
        lines += [f"  {header} is {name}" for header, name in report.recognised.items() if header not in report.guessed]
    if report.ignored:
        lines.append(f"Ignored columns: {', '.join(report.ignored)}")
    return lines


def progress_bar(stderr: Any, size: int) -> Callable[[int, int], None] | None:
    """Return what shows on a terminal how far the reading of so many bytes is; None where nobody looks."""
    if not sys.stderr.isatty():
        return None

    def show(read: int, rows: int) -> None:
        share = min(read / size, 1.0) if size else 1.0
        bar = ("#" * round(share * 30)).ljust(30)
        stderr.write(f"\r[{bar}] {share:4.0%} {rows:,} rows", ending="\n" if share >= 1 else "")

    return show
