"""Commands read and write files here: what the system says against one is a refusal, and a file appears when it is
whole."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from circuitbreakers.commands import REFUSED


@contextmanager
def files_or_refusal(path: Path) -> Iterator[None]:
    """Make what the system says against reading or writing `path` a refusal: no traceback, exit status 1."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}.", returncode=REFUSED) from None


def require_file(path: Path) -> None:
    """Refuse a path at which there is no file."""
    if not path.is_file():
        raise CommandError(f"There is no file {path}.", returncode=REFUSED)


def write(blocks: Iterable[bytes], path: Path | None) -> None:
    """Write the blocks to standard output, or to a file that appears under its name only when it is whole."""
    if path is None:
        for block in blocks:
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return
    partial = path.with_name(path.name + ".part")
    with files_or_refusal(path):
        try:
            with partial.open("wb") as target:
                for block in blocks:
                    target.write(block)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
