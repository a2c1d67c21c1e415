"""Processes run jobs and watch over them; this says which of them are alive."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

# How long an overrun of a supervisor's step is worth showing.
OVERRUN_SHOWN = timedelta(minutes=15)


# A process without a sign of life for so long has died, whatever held up its signs (seconds; it gives one every two).
SILENCE = 10


class ProcessQuerySet(models.QuerySet["Process"]):
    def alive(self) -> Self:
        """Narrow to those that gave a sign of life lately, by the database's clock, which wrote it."""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=SILENCE))


class Process(models.Model):
    """A row is a worker or supervisor process, as of its last sign of life. Recovery and reclaiming read it."""

    class Role(models.TextChoices):
        WORKER = "worker"
        SUPERVISOR = "supervisor"

    name = models.CharField(primary_key=True, max_length=100, help_text="host:pid")
    role = models.CharField(max_length=12, choices=Role.choices)
    queues = models.JSONField(default=list)
    leading = models.BooleanField(default=False)
    steps = models.JSONField(
        default=dict, db_default={}, help_text="A supervisor's: seconds of the last run, and of the last overrun."
    )
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    objects = ProcessQuerySet.as_manager()

    class Meta:
        db_table = "processes"
        ordering = ["role", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(seen_at__gte=F("started_at")), name="process_seen_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    def overruns(self, now: datetime) -> list[str]:
        """Write a sentence for each of its steps that lately took longer than the others should wait."""
        sentences = []
        for name, step in self.steps.items():
            with suppress(TypeError, ValueError, KeyError):
                last = step["overrun"]
                at, seconds = datetime.fromisoformat(last["at"]), float(last["seconds"])
                if now - at < OVERRUN_SHOWN:
                    how = "was cut off after" if last.get("cut_off") else "took"
                    sentences.append(f"The supervisor's step '{name}' {how} {seconds:.0f} s ({at:%H:%M})")
        return sentences
