"""The supervisor has messages routed and sent beside its loop: each channel on a thread of its own, so that one that is
dead holds up neither the others nor a pause. Where no supervisor lives, a worker does it."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from django.db import DatabaseError

from notifications import routing, sending, watching

logger = logging.getLogger(__name__)

# Threads that one channel may hold: one more than it needs, should an answer never end.
MOST_THREADS = 2
ROUTING = 0  # no channel's number


class Teller:
    """The teller knows which threads of this process are at work."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.busy: dict[int, int] = {}

    def tell_due(self, begin: Callable[..., None]) -> int:
        """Have what is due routed and sent by `begin`, which must not wait for it; how much it began."""
        begun = 0
        if routing.is_due():
            begun += self._begin(begin, ROUTING, route, most=1)
        for channel in sending.due_channels():
            begun += self._begin(begin, channel, partial(sending.send_due, channel), most=MOST_THREADS)
        return begun

    def _begin(self, begin: Callable[..., None], name: int, task: Callable[[], object], *, most: int) -> bool:
        with self.lock:
            if self.busy.get(name, 0) >= most:
                return False
            self.busy[name] = self.busy.get(name, 0) + 1
        try:
            begin(partial(self._run, name, task), what="Message")
        except RuntimeError:  # no thread could be started
            self._end(name)
            raise
        return True

    def _run(self, name: int, task: Callable[[], object]) -> None:
        try:
            task()
        except DatabaseError:
            raise  # told by whoever began it
        except Exception:
            logger.exception("Messages not sent")
        finally:
            self._end(name)

    def _end(self, name: int) -> None:
        with self.lock:
            self.busy[name] -= 1


def route() -> int:
    """Route what waits, fold what was over in a storm; how many messages."""
    return routing.route() + routing.fold() + routing.give_up_stale()


def watch() -> int:
    """Look for what is told because it lasts; how many messages."""
    return watching.remind_of_pause() + watching.look_for_processes()


def look_at_books(begin: Callable[..., None]) -> int:
    """Have the books compared by `begin`, which must not wait for it. Always 0: nothing is left behind."""
    begin(watching.look_at_books, what="Reading of the books")
    return 0


class StandIn:
    """A worker stands in while no supervisor is alive: it tells that, and sends what waits."""

    EVERY = 10.0  # seconds

    def __init__(self) -> None:
        self.teller = Teller()
        self.looked = -1e9

    def look(self, begin: Callable[..., None]) -> int:
        """Have what waits sent by `begin` if nobody else does; how much it began. Called as often as one likes."""
        now = time.monotonic()
        if now - self.looked < self.EVERY:
            return 0
        self.looked = now
        return self.teller.tell_due(begin) if watching.supervisor_is_missed() else 0
