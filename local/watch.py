"""A thread starts again what falls: at once, then after 1, 2, 4 ... 30 seconds while it keeps falling."""

import threading
import time
from collections.abc import Callable, Iterable

from local.folder import nice
from local.processes import Child, StartError

LONGEST_WAIT = 30.0
STEADY = 60.0


class Watcher:
    """A Watcher is started with `start`, paused before the children are stopped, and ended when they are.

    The thread must outlive what it started: the kernel ends a child together with the thread that started it.
    """

    def __init__(self, children: Iterable[Child], say: Callable[[str], None]) -> None:
        self.children = list(children)
        self.say = say
        self.paused = threading.Event()
        self.ended = threading.Event()
        self.waits: dict[str, float] = {}
        self.due: dict[str, float] = {}
        self.thread = threading.Thread(target=self.run, name="watch", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def pause(self) -> None:
        self.paused.set()

    def end(self) -> None:
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join(5)

    def run(self) -> None:
        while not self.ended.wait(0.2):
            for child in self.children:
                with child.lock:
                    if child.fell and not self.paused.is_set():
                        self.consider(child, time.monotonic())

    def consider(self, child: Child, now: float) -> None:
        """Announce a fall and say when it starts again, or start it because that time has come."""
        name = child.name
        if name not in self.due:
            steady = now - child.started_at > STEADY
            wait = 0.0 if steady or name not in self.waits else min(LONGEST_WAIT, self.waits[name] * 2 or 1)
            self.waits[name], self.due[name] = wait, now + wait
            when = f"starts again in {wait:g} s" if wait else "starts again"
            self.say(f"{name:<11} {child.how_it_ended()}; {when} (log: {nice(child.log)})")
        if now >= self.due[name]:
            del self.due[name]
            try:
                child.start(wait=False)
            except StartError as error:
                self.say(f"{name:<11} {error}")
