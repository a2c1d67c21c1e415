"""The supervisor has messages routed and sent beside its loop: each channel on a thread of its own, so that one that is
dead holds up neither the others nor a pause. Where no supervisor lives, a worker does it."""

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial

from django.db import DatabaseError

from notifications import routing, sending, watching

logger = logging.getLogger(__name__)

# Threads of one channel at a time: one more than it needs. One that has been at it for longer than any attempt should
# take, since an answer never ends, is not counted; nor are there ever more of these than so many.
MOST_THREADS, MOST_STUCK = 2, 8
STUCK = 120.0  # seconds
ROUTING = 0  # no channel's number


class Teller:
    """The teller knows which threads of this process are at work, and since when."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.busy: dict[int, list[float]] = {}

    def tell_due(self, begin: Callable[..., None]) -> int:
        """Have what is due routed and sent by `begin`, which must not wait for it; how much it began."""
        begun = 0
        if routing.is_due():
            begun += self._begin(begin, ROUTING, route, most=1)
        for channel in sending.due_channels():
            begun += self._begin(begin, channel, partial(sending.send_due, channel), most=MOST_THREADS)
        return begun

    def _begin(self, begin: Callable[..., None], name: int, task: Callable[[], object], *, most: int) -> bool:
        now = time.monotonic()
        with self.lock:
            since = self.busy.setdefault(name, [])
            if sum(now - began < STUCK for began in since) >= most or len(since) >= MOST_STUCK:
                return False
            since.append(now)
        try:
            begin(partial(self._run, name, now, task), what="Message")
        except RuntimeError:  # no thread could be started
            self._end(name, now)
            raise
        return True

    def _run(self, name: int, began: float, task: Callable[[], object]) -> None:
        try:
            task()
        except DatabaseError:
            raise  # told by whoever began it
        except Exception:
            logger.exception("Messages not sent")
        finally:
            self._end(name, began)

    def _end(self, name: int, began: float) -> None:
        with self.lock:
            self.busy[name].remove(began)


def route() -> int:
    """Route what waits, fold what was over in a storm; how many messages."""
    return routing.route() + routing.fold() + routing.give_up_stale()


def watch() -> int:
    """Look for what is told because it lasts; how many messages."""
    return watching.remind_of_pause() + watching.look_for_processes()


class Books:
    """The books are read every few hours, for that reads every row, and again soon when something seemed wrong."""

    EVERY = 6 * 3600.0  # seconds

    def __init__(self) -> None:
        self.reading = threading.Lock()
        self.looked = -math.inf

    def look(self, begin: Callable[..., None]) -> int:
        """Have the books compared by `begin`, which must not wait for it, if it is time. Always 0: nothing is left
        behind."""
        now = time.monotonic()
        if now - self.looked >= self.EVERY or watching.books_are_suspected():
            self.looked = now
            begin(self._read, what="Reading of the books")
        return 0

    def _read(self) -> None:
        if self.reading.acquire(blocking=False):  # else the last reading is still under way
            try:
                watching.look_at_books()
            finally:
                self.reading.release()


class StandIn:
    """A worker stands in while no supervisor is alive: it tells that, and sends what waits."""

    EVERY = 10.0  # seconds

    def __init__(self) -> None:
        self.teller = Teller()
        self.looked = -math.inf

    def look(self, begin: Callable[..., None]) -> int:
        """Have what waits sent by `begin` if nobody else does; how much it began. Called as often as one likes."""
        now = time.monotonic()
        if now - self.looked < self.EVERY:
            return 0
        self.looked = now
        return self.teller.tell_due(begin) if watching.supervisor_is_missed() else 0
