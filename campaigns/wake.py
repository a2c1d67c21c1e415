"""The supervisor is woken by NOTIFY, a hint that saves it up to a second of waiting, never a guarantee."""

from django.db import connection

CHANNEL = "holdfast_wake"


def wake_supervisor() -> None:
    """Wake the leading supervisor when the caller's transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
