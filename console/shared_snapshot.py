"""All viewers of a web process share one snapshot for about a second.

It is made of rows and stays in the process's memory: what could make rows of a cache's bytes could make anything of
bytes that somebody put there. What the processes share are plain numbers: who makes one now, and the last change.
"""

import threading
import time

from django.core.cache import cache

from console import snapshot
from console.snapshot import ConsoleSnapshot

KEY = "console:snapshot"
CHANGED = f"{KEY}:changed"
FRESH = 1.0  # seconds that a snapshot is handed out
STALE = 2.0  # and while somebody else is making the next one
_lock = threading.Lock()
_mine: tuple[float, ConsoleSnapshot] | None = None


def current() -> ConsoleSnapshot:
    """Return a snapshot that is at most two seconds old."""
    kept = _kept()
    if kept and time.time() - kept[0] < FRESH:
        return kept[1]
    # Whoever gets the key makes the next one; the others go on with the last while it is young enough.
    if kept and time.time() - kept[0] < STALE and not cache.add(f"{KEY}:making", 1, timeout=2):
        return kept[1]
    with _lock:
        kept = _kept()
        if kept and time.time() - kept[0] < FRESH:
            return kept[1]
        return _make()


def changed() -> float:
    """Return when somebody last changed what the console shows, in any process; 0 for long ago, or if nobody knows."""
    try:
        at = float(cache.get(CHANGED) or 0)
    except (TypeError, ValueError, OverflowError):  # somebody else's bytes
        return 0.0
    return at if at <= time.time() + FRESH else 0.0


def _kept() -> tuple[float, ConsoleSnapshot] | None:
    return _mine if _mine and _mine[0] > changed() else None


def _make() -> ConsoleSnapshot:
    global _mine  # noqa: PLW0603 (this process's own copy)
    at = time.time()
    fresh = snapshot.read()
    _mine = (at, fresh)
    cache.delete(f"{KEY}:making")
    return fresh


def forget() -> None:
    """Have the next snapshot made at once: somebody has just changed what it shows."""
    global _mine  # noqa: PLW0603
    _mine = None
    cache.set(CHANGED, time.time(), timeout=10)
