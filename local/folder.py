"""A run keeps a lock and private files in its folder. `python -m local.folder` says whether `.local` is idle.

Standard library only: `make clean` asks before there is a virtual environment, or while it is being removed.
"""

import contextlib
import fcntl
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Locked(Exception):
    """Another run holds the folder; the message says which and what to do."""


class FolderLock:
    """A FolderLock allows one run per folder. Children inherit `descriptor`, so one that outlives its parent counts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.descriptor = -1

    def take(self, patience: float = 10, give_up: Callable[[], bool] = lambda: False) -> None:
        """Take the lock, or raise Locked: at once if its owner lives, after `patience` seconds if only children do."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while not try_lock(descriptor):
            owner = self.owner()
            if owner or give_up() or time.monotonic() > deadline:
                os.close(descriptor)
                if owner:
                    raise Locked(
                        f"Holdfast runs here already (process {owner}); Ctrl-C there or `kill {owner}` stops it."
                    )
                raise Locked(
                    f"Processes of an earlier run still hold {self.path}; `fuser -v '{self.path}'` names them."
                )
            time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self.descriptor = descriptor

    def owner(self) -> int:
        """Return the living process that wrote its number into the lock (0: none)."""
        try:
            pid = int(self.path.read_text())
            os.kill(pid, 0)
        except PermissionError:
            return pid
        except (OSError, ValueError):
            return 0
        return pid

    def release(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str) -> None:
    """Write all of it or nothing, mode 0600."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def kept_secret(path: Path, length: int = 32) -> str:
    """Return the random value in that file, made the first time."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(length))
    return path.read_text().strip()


def nice(path: Path) -> str:
    """Write a path relative to the current folder, if it is inside."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def main() -> int:
    """Return 1, with a message, when something runs in `.local` or in a folder inside it, else 0."""
    local = Path(__file__).resolve().parent.parent / ".local"
    for path in [local / "lock", *local.glob("*/lock")]:
        if path.exists():
            lock = FolderLock(path.parent)
            try:
                lock.take(patience=0)
            except Locked as error:
                sys.stderr.write(f"{error}\n")
                return 1
            lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
