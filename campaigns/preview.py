"""The top of a file that somebody is about to import, for a form that maps its columns."""

import csv
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from campaigns import csvfile
from campaigns.columns import FIELDS, match
from campaigns.csvfile import ImportRefused
from campaigns.rows import clean


@dataclass(frozen=True)
class Preview:
    """The top of a file, for a form that maps columns. `mapping`: header -> field, '' for what would be ignored.

    `encoding` is what to import it with; `guessed` if it is not UTF-8 and nobody has said what it is.
    """

    header: list[str]
    mapping: dict[str, str]
    rows: list[list[str]]
    encoding: str
    guessed: bool
    delimiter: str
    fields: dict[str, str]  # field -> label


def sniff(stream: BinaryIO, encoding: str | None = None, rows: int = 5) -> Preview:
    """Header, meaning and first rows, from the first 256 KB. Leaves the stream at its start.

    ImportRefused for what is no CSV at all; a file without an address column is shown, it may be mapped.
    """
    stream.seek(0)
    head = stream.read(csvfile.HEAD)
    stream.seek(0)
    found = csvfile.detect_encoding(head, encoding)
    text = csvfile.start_of_text(head, found)
    if guessed := encoding is None and "\ufffd" in text and "\ufffd".encode() not in head:
        found = "cp1252"
        text = csvfile.start_of_text(head, found)
    text = text.removeprefix("\ufeff")
    delimiter = csvfile.detect_delimiter(text)
    lines = [line for line in text.splitlines(keepends=True) if not csvfile.SEPARATOR_LINE.fullmatch(line)]
    try:
        records = [
            [clean(cell) for cell in cells]
            for cells in islice((cells for cells in csv.reader(lines, delimiter=delimiter) if any(cells)), rows + 1)
        ]
    except csv.Error as error:
        raise ImportRefused(f"The file cannot be read as CSV ({error}). {csvfile.SAVE_AS}") from error
    if not records:
        raise ImportRefused("The file is empty. Export it again; its first row must hold the column names.")
    recognised = match(records[0]).recognised
    return Preview(
        header=records[0],
        mapping={name: recognised.get(name, "") for name in records[0]},
        rows=records[1:],
        encoding=csvfile.name_of(found),
        guessed=guessed,
        delimiter=delimiter,
        fields={name: label for name, (label, _) in FIELDS.items()},
    )
