"""A file or a pasted text is put on the suppression list here: a plain list, or a CSV with a column of addresses or
domains."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from campaigns.leads.columns import key, list_of, meaning
from campaigns.leads.csvfile import DELIMITERS, CsvFile, ImportRefused, name_of, seekable
from campaigns.leads.exporting import undefuse
from campaigns.leads.headers import LOOKED_AT, SAMPLE
from campaigns.leads.rows import header_names
from campaigns.leads.suppression import BATCH, ValueRefused, parse_value, suppress
from campaigns.models import Suppression
from circuitbreakers.characters import UNSTORABLE
from circuitbreakers.events import Actor

# Headers of a column that may hold both, as `columns.key` makes them; `blvalue` is Instantly's own block list.
EITHER = frozenset({"value", "blvalue", "entry", "addressordomain", "emailordomain", "domainoremail"})
CAUSES = {str(cause): cause for cause in Suppression.Cause}
KEPT = 1000  # refused values that the report names
LONGEST = 200  # characters of a refused value in the report
BETWEEN = re.compile(r"[,;\t]")  # in a pasted line


@dataclass(frozen=True)
class Entry:
    """An entry is a value as it was given, and its row, as a spreadsheet shows it. `cause`: the file's own word for it,
    None if it has none."""

    row: int
    value: str
    cause: Suppression.Cause | None = None


@dataclass
class ListReport:
    """A report counts values: `values` == `added` + `already` + `refused`. `raised`: those of `already` that have a
    stronger cause from now on. `leads`: open leads that ended.

    `refusals`: the first 1,000 refused (row, value, reason). `columns`: the headers that were read, none in a plain
    list.
    """

    values: int = 0
    added: int = 0
    already: int = 0
    raised: int = 0
    refused: int = 0
    leads: int = 0
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report for JSON."""
        return asdict(self)

    @property
    def summary(self) -> str:
        """The counts as one line."""
        return f"{self.added:,} added, {self.already:,} already there, {self.refused:,} refused; {ended(self.leads)}."


def ended(leads: int) -> str:
    """Say how many open leads ended."""
    return f"{leads:,} open lead{'' if leads == 1 else 's'} ended"


def suppress_file(
    stream: BinaryIO,
    reason: str,
    actor: Actor,
    *,
    cause: Suppression.Cause = Suppression.Cause.OPERATOR,
    encoding: str | None = None,
    delimiter: str | None = None,
    most: int | None = None,
) -> ListReport:
    """Put a file's values on the list, in batches of 5,000; harmless to repeat. A column `cause`, as our own export has
    it, beats `cause`.

    It is read to its end before anything is written: ImportRefused for one that cannot be read, holds no such values,
    or has more than `most` rows.
    """
    with seekable(stream) as readable:
        file = ListFile(readable, encoding, delimiter)
        places = file.places()
        rows = file.check()
        if most is not None and rows > most:
            raise ImportRefused(
                f"The file has more than {most:,} rows. Import it with `manage.py suppression import FILE`."
            )
        report = ListReport(
            columns=[file.header[place] for place in places if file.header_row],
            encoding=name_of(file.encoding),
            delimiter=file.delimiter,
        )
        return suppress_entries(file.entries(places), reason, actor, cause=cause, report=report)


def suppress_text(
    text: str, reason: str, actor: Actor, *, cause: Suppression.Cause = Suppression.Cause.OPERATOR
) -> ListReport:
    """Put a pasted text's values on the list: one a line, or several with commas, semicolons or tabs between them."""
    lines = enumerate(text.splitlines(), 1)
    entries = (Entry(number, piece.strip()) for number, line in lines for piece in BETWEEN.split(line) if piece.strip())
    return suppress_entries(entries, reason, actor, cause=cause, report=ListReport())


def suppress_entries(
    entries: Iterable[Entry], reason: str, actor: Actor, *, cause: Suppression.Cause, report: ListReport
) -> ListReport:
    """Put all entries on the list and count them in `report`, which is complete after each batch."""
    rest = iter(entries)
    while batch := list(islice(rest, BATCH)):
        by_cause: dict[Suppression.Cause, list[str]] = {}
        for entry in batch:
            report.values += 1
            try:
                by_cause.setdefault(entry.cause or cause, []).append(parse_value(entry.value))
            except ValueRefused as error:
                report.refused += 1
                if len(report.refusals) < KEPT:
                    shown = UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", entry.value)[:LONGEST]
                    report.refusals.append((entry.row, shown, str(error)))
        for of_cause, values in by_cause.items():
            result = suppress(values, reason, actor, cause=of_cause)
            for name in ("added", "already", "raised", "leads"):
                setattr(report, name, getattr(report, name) + getattr(result, name))
    return report


class ListFile(CsvFile):
    """This is a file whose header may be missing: `header_row` is 0 then, and every row holds values."""

    def __init__(self, stream: BinaryIO, encoding: str | None = None, delimiter: str | None = None) -> None:
        super().__init__(stream, encoding, delimiter)
        if not delimiter:
            # Recognised by what is looked for here; the leads' columns say little about such a file.
            self.delimiter = max((self.delimiter, *DELIMITERS), key=self._values_at_top)
            self.header_row, self.header, self.sample = self.find_top(list(islice(self._records(), LOOKED_AT + SAMPLE)))

    def _values_at_top(self, delimiter: str) -> int:
        self.delimiter = delimiter
        try:
            return sum(is_value(cell) for _, cells in islice(self._records(), LOOKED_AT) for cell in cells)
        except ImportRefused:
            return 0

    @staticmethod
    def find_top(top: list[tuple[int, list[str]]]) -> tuple[int, list[str], list[list[str]]]:
        place = header_place([cells for _, cells in top])
        if place is None:
            return 0, [], [cells for _, cells in top]
        number, header = top[place]
        return number, header_names(header), [cells for _, cells in top[place + 1 :]]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        return super().rows() if self.header_row else self._records()

    def places(self) -> list[int]:
        """Say which columns hold the values: by their names, else by their cells. Addresses come before domains: a list
        of people names their companies, too, and those are not meant.

        ImportRefused if there is none.
        """
        for fields in (EITHER, {"email"}, {"website"}):
            if named := [place for place, name in enumerate(self.header) if field_of(name) in fields]:
                return named
        width = max((len(cells) for cells in self.sample), default=0)
        for addresses in (True, False):
            if guessed := [place for place in range(width) if self._mostly_values(place, addresses)]:
                return guessed
        raise ImportRefused(
            "No column holds addresses or domains. Name it “Email” or “Domain”, or give one value a row."
            + (f" Its header has: {list_of(self.header)}." if self.header else "")
        )

    def _mostly_values(self, place: int, addresses: bool) -> bool:
        cells = [cells[place] for cells in self.sample if place < len(cells) and cells[place].strip()]
        return 2 * sum(1 for cell in cells if is_value(cell) and ("@" in cell) >= addresses) > len(cells)

    def entries(self, places: Sequence[int]) -> Iterator[Entry]:
        """Yield each value of these columns; a row in which all of them are empty is one without a value."""
        causes = [place for place, name in enumerate(self.header) if key(name) == "cause"]
        for number, cells in self.rows():
            filled = [undefuse(cells[place]).strip() for place in places if place < len(cells)]
            cause = next((CAUSES.get(cells[place].strip().lower()) for place in causes if place < len(cells)), None)
            for value in [text for text in filled if text] or [""]:
                yield Entry(number, value, cause)


def header_place(records: Sequence[Sequence[str]]) -> int | None:
    """Find which of the first records names a column that we know; it stands above all values. None: a plain list."""
    for place, cells in enumerate(records[:LOOKED_AT]):
        if any(is_value(cell) for cell in cells):
            return None
        if any(field_of(name) for name in cells):
            return place
    return None


def field_of(header: str) -> str:
    """Return `email`, `website`, or the header itself if such a column may hold both; '' for any other."""
    if key(header) in EITHER:
        return key(header)
    name = (meaning(header) or ("", 0))[0]
    return name if name in ("email", "website") else ""


def is_value(cell: str) -> bool:
    """Say whether a cell can be put on the list."""
    try:
        parse_value(undefuse(cell))
    except ValueRefused:
        return False
    return True
