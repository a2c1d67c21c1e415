"""A CSV file is read here as somebody uploaded it: which encoding and delimiter, and its records, in constant memory.

Whatever is wrong with the file as a whole is an ImportRefused whose text says what to do.
"""

import codecs
import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from django.conf import settings

from campaigns.leads.columns import match
from campaigns.leads.headers import LOOKED_AT, SAMPLE, find_header

ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1")
DELIMITERS = (",", ";", "\t", "|")  # those that are recognised
NAMED_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SIGNATURES = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "a database"),
)
SAVE_AS = "In Excel: File, Save as, “CSV UTF-8 (Comma delimited)”."

HEAD = 1 << 18  # bytes that detection looks at
CHUNK = 1 << 20
MAX_LINE = 1_000_000  # characters; memory stays constant for a file that is one line
EXACT = re.compile(r"[^\s@,;|]+@[^\s@,;|]+")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # Excel's own hint


def name_of(encoding: str) -> str:
    """Return the codec's name as a person chooses it: one of ENCODINGS."""
    return encoding.removesuffix("-sig").removesuffix("-le")


class ImportRefused(ValueError):
    """The file or the campaign cannot be imported as it is. The text says what to do."""


@dataclass(frozen=True)
class Limits:
    """The limits say which file is the largest that is taken: IMPORT_MAX_ROWS, _COLUMNS and _BYTES of the settings."""

    rows: int
    columns: int
    bytes: int


def limits() -> Limits:
    return Limits(
        rows=settings.IMPORT_MAX_ROWS,
        columns=settings.IMPORT_MAX_COLUMNS,
        bytes=settings.IMPORT_MAX_BYTES,
    )


class Counted(io.RawIOBase):
    """This is any object with read(n), counted, and never closed by those who wrap it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class CsvFile:
    """This is an opened file. `encoding` and `delimiter` are settled, `header` is read, nothing else has been checked.

    `header_row`: its number as a spreadsheet shows it; what stands above it is skipped. `sample`: the first rows below.
    """

    def __init__(self, stream: BinaryIO, encoding: str | None = None, delimiter: str | None = None) -> None:
        self.stream = stream
        stream.seek(0)
        head = stream.read(HEAD)
        self.encoding = detect_encoding(head, encoding)
        check_encoding(stream, self.encoding)
        self.delimiter = settle_delimiter(start_of_text(head, self.encoding), delimiter)
        self.bytes_read = 0
        top = list(islice(self._records(), LOOKED_AT + SAMPLE))
        self.header_row, self.header, self.sample = self.find_top(top)

    @staticmethod
    def find_top(top: list[tuple[int, list[str]]]) -> tuple[int, list[str], list[list[str]]]:
        """Return (row number of the header, header, rows below it) of a file's first records, numbered."""
        if not top:
            raise ImportRefused("The file is empty. Export it again; its first row must hold the column names.")
        place = find_header([cells for _, cells in top])
        if place is None:
            raise ImportRefused(
                "The file's first row holds an address already. Put a row with the names of the columns above it."
            )
        number, header = top[place]
        if len(header) > (most := limits().columns):
            raise ImportRefused(
                f"The file has {len(header):,} columns; at most {most:,} are taken. Remove those you do not need."
            )
        return number, header, [cells for _, cells in top[place + 1 :]]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (row number as a spreadsheet shows it, cells), from the start, below the header, without blank rows."""
        records = self._records()
        for number, _ in records:
            if number == self.header_row:
                break
        return records

    def check(self) -> int:
        """Read it all once and count its rows, so that a broken file is refused before anything is written."""
        rows, most = 0, limits().rows
        for _ in self.rows():
            rows += 1
            if rows > most:
                raise ImportRefused(f"The file has more than {most:,} rows. Split it and import the parts.")
        if not rows:
            raise ImportRefused("The file has a header and no rows below it. Export it again with the people in it.")
        return rows

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        self.stream.seek(0)
        counted = Counted(self.stream)
        text = io.TextIOWrapper(io.BufferedReader(counted, CHUNK), self.encoding, newline="")
        pending: list[str] = []  # the lines of the record that is being read
        number, ended = 0, False

        def lines() -> Iterator[str]:
            nonlocal ended
            while line := text.readline(MAX_LINE):
                if len(line) >= MAX_LINE:
                    raise ImportRefused(
                        f"A line of the file is longer than {MAX_LINE:,} characters: this is not a CSV. {SAVE_AS}"
                    )
                if not pending and number == 0 and SEPARATOR_LINE.fullmatch(line):
                    continue
                pending.append(line)
                yield line
            ended = True

        reader = csv.reader(lines(), delimiter=self.delimiter)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise ImportRefused(
                    f"Row {number + 1:,} cannot be read ({error}). A quotation mark before it is probably not closed:"
                    " repair the row, or export the file again."
                ) from error
            if cells is None:
                return
            number += 1
            if ended and len(pending) > 1:  # the reader asked for a line more
                refuse_unclosed(pending, number, self.delimiter)
            pending.clear()
            self.bytes_read = counted.count
            if any(cell.strip() for cell in cells):
                yield number, cells


def detect_encoding(head: bytes, chosen: str | None = None) -> str:
    """Find the encoding: a byte order mark decides, then the caller, then UTF-8: nothing is guessed."""
    if not head.strip():
        raise ImportRefused("The file is empty. Export it again; its first row must hold the column names.")
    for signature, what in SIGNATURES:
        if head.startswith(signature):
            raise ImportRefused(f"This is {what}, not a CSV file. Save the table as CSV. {SAVE_AS}")
    for bom, name in BOMS:
        if head.startswith(bom):
            return name
    if chosen is not None and chosen.lower() not in ENCODINGS:
        raise ImportRefused(f"The encoding {chosen!r} is not known here. Choose one of: {', '.join(ENCODINGS)}.")
    if chosen is not None and chosen.lower() == "utf-16":
        return "utf-16-le"  # what Windows writes, and the bare codec insists on a mark
    encoding = (chosen or "utf-8").lower()
    if head.count(0) * 5 > len(head):
        raise ImportRefused(
            "The file is binary, or UTF-16 without a byte order mark. Choose the encoding utf-16, or save it again."
            f" {SAVE_AS}"
        )
    return encoding


def check_encoding(stream: BinaryIO, encoding: str) -> None:
    """Decode everything once. The refusal names the line and the byte (both counted from 1)."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    consumed, lines, most = 0, 1, limits().bytes
    while True:
        chunk = stream.read(CHUNK)
        try:
            lines += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            held_back = len(error.object) - len(chunk)
            lines += error.object[: error.start].count(b"\n")
            raise ImportRefused(
                f"The file is not valid {name_of(encoding).upper()}: line {lines:,}, byte"
                f" {max(consumed - held_back, 0) + error.start + 1:,} (0x{error.object[error.start]:02X})."
                f" If it came from Excel on Windows, choose the encoding cp1252; otherwise save it again. {SAVE_AS}"
            ) from error
        if not chunk:
            return
        consumed += len(chunk)
        if consumed > most:
            raise ImportRefused(f"The file is larger than {most // 2**20:,} MB. Split it and import the parts.")


def start_of_text(head: bytes, encoding: str) -> str:
    """Decode the head; a character cut in half at its end is left out, a broken one becomes U+FFFD."""
    return codecs.getincrementaldecoder(encoding)("replace").decode(head)


def settle_delimiter(text: str, chosen: str | None) -> str:
    """Return the chosen delimiter (a character, or one of NAMED_DELIMITERS), else the one that the file's top speaks
    for."""
    if not chosen:
        return detect_delimiter(text)
    delimiter = NAMED_DELIMITERS.get(chosen.lower(), chosen)
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n\x00@.':
        raise ImportRefused(
            f"{chosen[:20]!r} cannot separate columns. Choose one character, or {', '.join(NAMED_DELIMITERS)}."
        )
    return delimiter


def detect_delimiter(text: str) -> str:
    """Find the delimiter under which most columns mean something, then most cells are addresses, then the table is
    widest."""
    lines = io.StringIO(text.lstrip("\r\n"), newline="")
    first = lines.readline()
    if hint := SEPARATOR_LINE.fullmatch(first):
        if hint[1] in DELIMITERS:
            return hint[1]
        first = lines.readline()
    start = first + lines.read()
    return max(DELIMITERS, key=lambda delimiter: score(start, delimiter))


def score(text: str, delimiter: str) -> tuple[int, int, int]:
    """Say how well this delimiter makes columns of the first records."""
    records = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            records += [cells] if cells else []
            if len(records) >= LOOKED_AT:
                break
    except csv.Error:
        pass  # what came before counts
    place = find_header(records) or 0
    rows = records[place:]
    return (
        max((len(match(cells).recognised) for cells in rows[:1]), default=0),
        sum(1 for cells in rows for cell in cells if EXACT.fullmatch(cell)),
        max((len(cells) for cells in rows[:1]), default=0),
    )


def refuse_unclosed(lines: list[str], number: int, delimiter: str) -> None:
    """Refuse a record of several lines that ended only because the file did: it has swallowed all rows behind it."""
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise ImportRefused(
                f"A quotation mark in row {number:,} is never closed. Repair the row, or export the file again."
            ) from error


@contextmanager
def seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Return the stream itself, or a copy on disk of one that cannot be read twice (a pipe)."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        yield copy
