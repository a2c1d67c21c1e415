"""A preview shows the top of a file that somebody is about to import, for a form that maps its columns."""

import csv
import io
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from campaigns.leads import csvfile
from campaigns.leads.columns import FIELDS
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.headers import SAMPLE, settle
from campaigns.leads.rows import clean, header_names


@dataclass(frozen=True)
class Preview:
    """A preview is the top of a file, for a form that maps columns. `mapping`: header -> field, '' for what would be
    ignored.

    `encoding` is what to import it with; `guessed` if it is not UTF-8 and nobody has said what it is.
    `guessed_columns`: headers whose meaning only their cells tell, to be confirmed. `header_row`: the header's number
    as a spreadsheet shows it.
    """

    header: list[str]
    mapping: dict[str, str]
    rows: list[list[str]]
    encoding: str
    guessed: bool
    delimiter: str
    fields: dict[str, str]  # field -> label
    guessed_columns: list[str]
    header_row: int


def sniff(stream: BinaryIO, encoding: str | None = None, delimiter: str | None = None, *, rows: int = 5) -> Preview:
    """Read header, meaning and first rows, from the first 256 KB. Leaves the stream at its start.

    ImportRefused for what is no CSV at all; a file without an address column is shown, it may be mapped.
    """
    stream.seek(0)
    head = stream.read(csvfile.HEAD)
    stream.seek(0)
    codec = csvfile.detect_encoding(head, encoding)
    text = csvfile.start_of_text(head, codec)
    if guessed := encoding is None and "\ufffd" in text and "\ufffd".encode() not in head:
        codec = "cp1252"
        text = csvfile.start_of_text(head, codec)
    text = text.removeprefix("\ufeff")
    separator = csvfile.settle_delimiter(text, delimiter)
    hinted = csvfile.SEPARATOR_LINE.fullmatch(text.partition("\n")[0].rstrip("\r"))
    lines = io.StringIO(text.partition("\n")[2] if hinted else text, newline="")
    records: list[tuple[int, list[str]]] = []
    try:
        for number, cells in islice(enumerate(csv.reader(lines, delimiter=separator), 1), SAMPLE):
            records += [(number, cells)] if any(map(str.strip, cells)) else []
    except csv.Error as error:
        if not records:  # what can be read is shown; the import names the row
            raise ImportRefused(f"The file cannot be read as CSV ({error}). {csvfile.SAVE_AS}") from error
    header_row, names, below = csvfile.CsvFile.find_top(records)
    header = header_names(names)
    columns = settle(header, None, below)
    return Preview(
        header=header,
        mapping={name: columns.recognised.get(name, "") for name in header},
        rows=[[clean(cell) for cell in cells] for cells in below[:rows]],
        encoding=csvfile.name_of(codec),
        guessed=guessed,
        delimiter=separator,
        fields=FIELDS,
        guessed_columns=columns.guessed,
        header_row=header_row,
    )
