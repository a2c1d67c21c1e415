"""The model of the two-person rule is what one person asked for and another one is to confirm."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from circuitbreakers.storable import REASON_LENGTH


class Confirmation(models.Model):
    """A row is an order that waits for a second person, bound to what was shown; `asker` is the user's primary key."""

    RESET, RESUME, FULL_SPEED = "forced-reset", "resume", "full-speed"
    ACTS = (RESET, RESUME, FULL_SPEED)
    CONFIRMED, DECLINED, WITHDRAWN, REFUSED = "confirmed", "declined", "withdrawn", "refused"

    act = models.CharField(max_length=20, choices=[(name, name) for name in ACTS])
    service = models.CharField(max_length=20, blank=True, help_text="Empty: the whole queue.")
    options = models.JSONField(default=dict)
    shown = models.JSONField(default=dict, help_text="What it is bound to: epochs, and numbers that may not grow.")
    why = models.CharField(max_length=200, help_text="Why one person is not enough.")
    reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    asker = models.BigIntegerField()
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)
    ended_how = models.CharField(
        max_length=10, blank=True, choices=[(name, name) for name in (CONFIRMED, DECLINED, WITHDRAWN, REFUSED)]
    )

    class Meta:
        db_table = "confirmations"
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(act__in=["forced-reset", "resume", "full-speed"]), name="act_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_how="") | (~Q(ended_at=None) & ~Q(ended_how="")),
                name="confirmation_ends_somehow",
            ),
        ]
        indexes = [models.Index("expires_at", condition=Q(ended_at=None), name="confirmation_waits")]  # the page

    def __str__(self) -> str:
        return f"{self.act} {self.service}".strip()
