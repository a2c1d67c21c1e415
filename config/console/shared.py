"""One snapshot for all viewers: in the cache for about a second; while that does not answer, one per process."""

import threading
import time

from django.core.cache import cache

from config.console import snapshot
from config.console.snapshot import Snapshot

KEY = "console:snapshot"
FRESH = 1.0  # seconds that a snapshot is handed out
STALE = 2.0  # and while somebody else is making the next one
_lock = threading.Lock()
_mine: tuple[float, Snapshot] | None = None


def current() -> Snapshot:
    """A snapshot at most two seconds old."""
    known = _known()
    if known and time.time() - known[0] < FRESH:
        return known[1]
    # Whoever gets the key makes the next one; the others go on with the last while it is young enough.
    if known and time.time() - known[0] < STALE and not cache.add(f"{KEY}:making", 1, timeout=2):
        return known[1]
    with _lock:
        again = _known()
        if again and time.time() - again[0] < FRESH:
            return again[1]
        return _make()


def _known() -> tuple[float, Snapshot] | None:
    stored = cache.get(KEY)
    candidates = [one for one in (stored, _mine) if one]
    return max(candidates, key=lambda one: one[0]) if candidates else None


def _make() -> Snapshot:
    global _mine  # noqa: PLW0603 (this process's own copy, for when the cache does not answer)
    at = time.time()
    made = snapshot.read()
    _mine = (at, made)
    cache.set(KEY, _mine, timeout=10)
    cache.delete(f"{KEY}:making")
    return made


def forget() -> None:
    """Make the next one at once: somebody has just changed what it shows."""
    global _mine  # noqa: PLW0603
    _mine = None
    cache.delete(KEY)
