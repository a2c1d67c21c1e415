"""The models of pauses are an operator's or the system's pause of the queue, and a pause that is planned."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from circuitbreakers.services import SERVICES
from circuitbreakers.storable import REASON_LENGTH

PAUSE_KEYS = ["system", "operator:all", *(f"operator:{name}" for name in SERVICES)]


class QueuePause(models.Model):
    """A row is one pause of one or all queues: `system`, `operator:all` or `operator:{service}`. It stands until
    lifted."""

    SYSTEM = "system"
    ALL = "operator:all"

    key = models.CharField(max_length=40, choices=[(key, key) for key in PAUSE_KEYS])
    reason = models.CharField(max_length=REASON_LENGTH)
    actor = models.CharField(max_length=150)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)
    end_reason = models.CharField(max_length=REASON_LENGTH, blank=True)

    class Meta:
        db_table = "queue_pauses"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("key", condition=Q(ended_at=None), name="queue_pause_stands_once"),
            models.CheckConstraint(condition=Q(key__in=PAUSE_KEYS), name="queue_pause_key_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=models.F("started_at")), name="queue_pause_ends_after"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} since {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def service(self) -> str | None:
        """Return the one service it concerns; None for all of them."""
        name = self.key.partition(":")[2]
        return name if name in SERVICES else None


class PlannedPause(models.Model):
    """A row is an operator's pause that is to begin by itself, and a time at which to ask whether it may end. Nothing
    but an operator ends the pause."""

    key = models.CharField(max_length=40, choices=[(key, key) for key in PAUSE_KEYS[1:]])
    reason = models.CharField(max_length=REASON_LENGTH)
    actor = models.CharField(max_length=150)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="It has begun, was cancelled or was missed.")
    pause = models.ForeignKey(QueuePause, null=True, blank=True, on_delete=models.PROTECT, related_name="planned")

    class Meta:
        db_table = "planned_pauses"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(key__in=PAUSE_KEYS[1:]), name="planned_pause_key_known"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=models.F("starts_at")), name="planned_pause_ends_after"
            ),
        ]
        indexes = [
            models.Index("starts_at", condition=Q(settled_at=None), name="planned_pause_ahead")
        ]  # the supervisor

    def __str__(self) -> str:
        until = f" until {self.ends_at:%Y-%m-%d %H:%M} UTC" if self.ends_at else ""
        return f"{self.key} from {self.starts_at:%Y-%m-%d %H:%M} UTC{until}"

    @property
    def service(self) -> str:
        """Return the one service it concerns, or `all`."""
        return self.key.partition(":")[2]
