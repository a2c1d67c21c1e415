"""Commands are told here how to read a CSV, and tell what an import did or would do."""

from argparse import ArgumentParser, ArgumentTypeError

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
