"""This process leaves signs of life in PostgreSQL, where recovery and the reclaiming of leases read them, and with each
what it has counted."""

import logging
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models.functions import Now

from campaigns.models import Process
from circuitbreakers.gate import process_name
from telemetry import kept

logger = logging.getLogger(__name__)

# Seconds between two signs; a process that misses all of models.SILENCE counts as dead.
INTERVAL = 2.0


def register(role: str, *, queues: list[str] | None = None, leading: bool = False) -> None:
    """Say that this process begins, in a new row, even if an earlier process of that name left one."""
    Process.objects.update_or_create(
        name=process_name(),
        defaults={
            "role": role,
            "queues": queues or [],
            "leading": leading,
            "steps": {},
            "started_at": Now(),
            "seen_at": Now(),
        },
    )


def sign(
    role: str, *, queues: list[str] | None = None, leading: bool = False, steps: dict[str, Any] | None = None
) -> None:
    """Say that this process is alive, by the database's clock, and how long a supervisor's steps took."""
    fields: dict[str, Any] = {"leading": leading} if steps is None else {"leading": leading, "steps": steps}
    if not Process.objects.filter(name=process_name(), role=role).update(seen_at=Now(), **fields):
        register(role, queues=queues, leading=leading)
    add_counts()


def sign_off() -> None:
    """Say that this process ends in good order."""
    Process.objects.filter(name=process_name()).delete()
    add_counts()


def add_counts() -> None:
    """Add what this process has counted. Numbers hold up nobody: what cannot be added now is added with the next."""
    try:
        kept.add()
    except DatabaseError as error:
        logger.warning("Counts not written: %s", error)


def forget_dead() -> int:
    """Drop the rows of processes that have been silent for a day; how many."""
    return Process.objects.filter(seen_at__lt=Now() - timedelta(days=1)).delete()[0]
