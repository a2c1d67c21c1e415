"""A file waits for its import while somebody looks at its columns and at who would be left out; nothing is paid."""

import io
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import BinaryIO

from django.utils import timezone

from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.foretell import foretell_csv
from campaigns.leads.importing import ImportReport, import_csv
from campaigns.leads.preview import Preview, sniff
from campaigns.models import Campaign, LeadFile
from circuitbreakers.events import Actor
from circuitbreakers.storable import fit

KEPT = timedelta(days=1)


def keep(
    campaign: Campaign, stream: BinaryIO, *, name: str, encoding: str | None = None, delimiter: str | None = None
) -> LeadFile:
    """Keep a file for a campaign, in place of an earlier one, read as it will be imported. Raises ImportRefused."""
    forget_old()
    preview = sniff(stream, encoding, delimiter)
    codec = "utf-8-sig" if preview.encoding == "utf-8" else preview.encoding
    try:
        text = stream.read().decode(codec)
    except UnicodeError as error:
        raise ImportRefused(f"The file cannot be read as {preview.encoding}: say which encoding it has.") from error
    fields = {
        "name": fit(name, LeadFile, "name"),
        "text": text.replace("\0", ""),
        "encoding": preview.encoding,
        "encoding_guessed": preview.guessed,
        "delimiter": preview.delimiter,
        "mapping": preview.mapping,
        "created_at": timezone.now(),
    }
    file, _ = LeadFile.objects.update_or_create(campaign=campaign, defaults=fields)
    look(file)
    return file


def read_as(file: LeadFile, mapping: Mapping[str, str]) -> None:
    """Give columns other meanings (header -> field), and look again."""
    file.mapping = {header: mapping.get(header, field) for header, field in file.mapping.items()}
    file.save(update_fields=["mapping"])
    look(file)


def look(file: LeadFile) -> None:
    """Foretell the import and keep what it says, so that a page that is opened again need not read it all."""
    file.foretold, file.refused = None, ""
    try:
        file.foretold = _foretell(file).as_dict()
    except ImportRefused as error:
        file.refused = fit(str(error), LeadFile, "refused")
    file.save(update_fields=["foretold", "refused"])


def preview_of(file: LeadFile) -> Preview:
    """Return the top of the file with its columns as they are read now."""
    return sniff(_stream(file), "utf-8", file.delimiter)


def left_out(file: LeadFile) -> Iterator[bytes]:
    """Yield the rows that an import would leave out, as CSV with row number and reason, to be mended."""
    rows = io.StringIO(newline="")
    _foretell(file, rows)
    yield b"\xef\xbb\xbf" + rows.getvalue().encode()


def take_in(file: LeadFile, *, actor: Actor) -> ImportReport:
    """Import the file and forget it. Raises ImportRefused, and keeps it then."""
    report = import_csv(
        file.campaign, _stream(file), actor=actor, mapping=_mapping(file), encoding="utf-8", delimiter=file.delimiter
    )
    file.delete()
    return report


def forget_old() -> int:
    """Delete the files that nobody has imported within a day; how many."""
    return LeadFile.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _foretell(file: LeadFile, skipped_to: io.StringIO | None = None) -> ImportReport:
    return foretell_csv(
        file.campaign,
        _stream(file),
        mapping=_mapping(file),
        encoding="utf-8",
        delimiter=file.delimiter,
        skipped_to=skipped_to,
    )


def _mapping(file: LeadFile) -> dict[str, str]:
    return {header: field for header, field in file.mapping.items() if isinstance(field, str)}


def _stream(file: LeadFile) -> BinaryIO:
    return io.BytesIO(file.text.encode())
