"""A source is a file that can be imported: read to its end once, its columns settled."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypedDict

from campaigns.leads.columns import Columns, list_of
from campaigns.leads.csvfile import CsvFile, ImportRefused, seekable
from campaigns.leads.headers import settle
from campaigns.leads.rows import Row, header_names, parse


class Reading(TypedDict):
    """Somebody says here how a file is to be read; None: recognise it."""

    encoding: str | None
    delimiter: str | None


@dataclass(frozen=True)
class Source:
    """This is a file that has been read to its end and can be imported. `header`: the names of its columns."""

    file: CsvFile
    header: list[str]
    columns: Columns

    def rows(self, shortened: Counter[str]) -> Iterator[Row]:
        """Yield each row as a lead would have it, or with the reason why not; `shortened` is counted up."""
        width = len(self.file.header)
        return (parse(number, cells, self.columns, width, shortened) for number, cells in self.file.rows())


@contextmanager
def opened(
    stream: BinaryIO,
    *,
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[Source]:
    """Open the file and check it to its end: ImportRefused comes before anything is made for it. A pipe is copied to
    disk first.

    `mapping`: header -> field of `columns.FIELDS`, '' to ignore the column. `encoding`: one of `csvfile.ENCODINGS`;
    without it the file is UTF-8 or begins with a byte order mark. `delimiter`: a character, or one of
    `csvfile.NAMED_DELIMITERS`; without it the file's top decides.
    """
    with seekable(stream) as readable:
        file = CsvFile(readable, encoding, delimiter)
        header = header_names(file.header)
        columns = recognise(header, mapping, file.sample)
        file.check()
        yield Source(file, header, columns)


def recognise(header: list[str], mapping: Mapping[str, str] | None, sample: list[list[str]]) -> Columns:
    """Say what the columns mean; ImportRefused if none holds addresses or the mapping does not fit."""
    try:
        columns = settle(header, mapping, sample)
    except ValueError as error:
        raise ImportRefused(str(error)) from error
    if "email" not in columns.positions:
        raise ImportRefused(
            "No column holds e-mail addresses. Name it “Email”, or say which one it is."
            f" Its header has: {list_of(header)}."
        )
    return columns
