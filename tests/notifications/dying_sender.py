"""A process that kills itself at the n-th of its lines: `python -m tests.notifications.dying_sender`.

It reads `send 17` or `record 17`, and for each forks a process that does so and dies by SIGKILL as soon as it is about
to run so many lines of the code that tells people something. It answers `killed` or `done`, or with what went wrong.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import django

ROOT = Path(__file__).parents[2]
COUNTED = (str(ROOT / "notifications") + os.sep, str(ROOT / "circuitbreakers" / "events.py"))


class Countdown:
    """Counts the lines that are run, and kills this process at the last."""

    def __init__(self, lines: int) -> None:
        self.left = lines

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(COUNTED):
            return None
        if event == "line":
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def send() -> None:
    """Route and send what is due on each channel, as a supervisor's threads do one after the other."""
    from notifications import routing, sending

    routing.route()
    for channel in sending.due_channels():
        sending.send_due(channel)


def record() -> None:
    """Put something on record that is told."""
    from circuitbreakers import events

    events.record("budget", "system", "used_up", actor=events.SUPERVISOR, reason="used up")


def fork(task: Callable[[], None], lines: int) -> str:
    """Run the task in a process of its own; `killed` or `done`."""
    child = os.fork()
    if not child:
        try:
            sys.settrace(Countdown(lines))
            task()
        except BaseException as error:  # noqa: BLE001  (told to the test)
            os.write(1, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {os.WTERMSIG(status)}"
    return "done" if status == 0 else "failed"


def main() -> None:
    django.setup()
    from notifications import apprise_channels, texts

    apprise_channels.wrong_url("mailto://a@example.com")  # each child would load all of its plugins
    texts.register_sentence(lambda: "Paused.")  # it takes half of the time, and is read before anything is written
    for line in sys.stdin:
        task, lines = line.split()
        os.write(1, f"{fork({'send': send, 'record': record}[task], int(lines))}\n".encode())


if __name__ == "__main__":
    main()
