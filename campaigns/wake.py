"""The supervisor is woken by NOTIFY, a hint that saves it up to a second of waiting, never a guarantee."""

import time

from django.db import connection

CHANNEL = "holdfast_wake"


class Woken:
    """When this process last woke the supervisor for a job that was done. It looks again soon by itself while there is
    work, and a NOTIFY makes every commit wait for every other's."""

    EVERY = 0.05  # seconds; no round of the supervisor begins sooner
    at = -1e9

    @classmethod
    def due(cls) -> bool:
        """Whether it is time again; it counts as done."""
        now = time.monotonic()
        due = now - cls.at >= cls.EVERY
        if due:
            cls.at = now
        return due


def wake_supervisor() -> None:
    """Wake the leading supervisor when the caller's transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
