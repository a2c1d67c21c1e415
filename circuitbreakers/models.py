"""PostgreSQL knows this of the switch: policies, incidents, pauses and the append-only events."""

from dataclasses import fields
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from circuitbreakers.budget import DAY, MONTH, MOST_CALLS, MOST_USD, SYSTEM, TOTAL, KnownBudget, halt_of, micro
from circuitbreakers.confirmation_models import Confirmation
from circuitbreakers.pause_models import PAUSE_KEYS, PlannedPause, QueuePause
from circuitbreakers.policy import Limits, Policy
from circuitbreakers.services import SERVICES
from circuitbreakers.storable import REASON_LENGTH

__all__ = ["PAUSE_KEYS", "Breaker", "Budget", "Confirmation", "Event", "Incident", "PlannedPause", "QueuePause"]

SERVICE_CHOICES = [(name, name) for name in SERVICES]
DEFAULT = Policy()
DOORS = ["admin", "api", "command", "worker", "supervisor", "breaker"]
MOST_MESSAGES = 10_000  # of a dispatch window: a pause finds so many to refuse
# A pattern of what `rates.typed` lets pass, for hands that type SQL: the gate reads this column before each call.
RATE_LIMITS = r"^((tokens=)?[1-9][0-9]*/[1-9][0-9]*(:[1-9][0-9]*)?(,|$))*$"


def at_least(minimum: int) -> list[MinValueValidator]:
    return [MinValueValidator(minimum)]


class Breaker(models.Model):
    """A row holds the policy of one service, its limits as far as they are set by hand, and its hold. The state itself
    is in Redis."""

    service = models.CharField(primary_key=True, max_length=20, choices=SERVICE_CHOICES)
    failure_threshold = models.PositiveIntegerField(
        default=DEFAULT.failure_threshold, validators=at_least(1), help_text="Consecutive failures that open it."
    )
    reset_timeout = models.PositiveIntegerField(
        default=DEFAULT.reset_timeout, validators=at_least(1), help_text="Seconds from open to half-open."
    )
    reset_timeout_ceiling = models.PositiveIntegerField(
        default=DEFAULT.reset_timeout_ceiling,
        validators=at_least(1),
        help_text="Longest wait between failed probes, in seconds.",
    )
    rate_trip_percent = models.PositiveIntegerField(
        default=DEFAULT.rate_trip_percent,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Share of failed calls that opens it, in per cent.",
    )
    rate_trip_calls = models.PositiveIntegerField(
        default=DEFAULT.rate_trip_calls, validators=at_least(1), help_text="Fewest calls for the failure rate to count."
    )
    rate_trip_window = models.PositiveIntegerField(
        default=DEFAULT.rate_trip_window, validators=at_least(12), help_text="Seconds the failure rate looks back."
    )
    throttle_trip_after = models.PositiveIntegerField(
        default=DEFAULT.throttle_trip_after,
        validators=at_least(1),
        help_text="Seconds of 429 without one success that open it.",
    )
    rate_limits = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="COUNT/SECONDS, such as 200/60,6000/3600,tokens=30000/60. Empty: the environment's.",
    )
    dispatch_window = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MESSAGES)],
        help_text="Most messages that may wait in its queue. Empty: the environment's.",
    )
    speed = models.PositiveSmallIntegerField(
        default=100, db_default=100, editable=False, help_text="Per cent of all its rate limits."
    )
    version = models.PositiveIntegerField(
        default=1, db_default=1, editable=False, help_text="Rises with each edit, so that two editors see each other."
    )
    held_at = models.DateTimeField(null=True, blank=True, editable=False)
    held_by = models.CharField(max_length=150, blank=True, editable=False)
    hold_reason = models.CharField(max_length=REASON_LENGTH, blank=True, editable=False)
    remind_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "breakers"
        ordering = ["service"]
        permissions = [
            ("operate_breaker", "Can reset, probe, hold and release breakers"),
            ("operate_queue", "Can pause and resume the queue"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(service__in=SERVICES), name="breaker_service_known"),
            models.CheckConstraint(
                condition=Q(failure_threshold__gte=1, reset_timeout__gte=1, rate_trip_percent__range=(1, 100)),
                name="breaker_policy_sane",
            ),
            models.CheckConstraint(
                condition=Q(rate_limits__regex=RATE_LIMITS, speed__range=(1, 100))
                & (Q(dispatch_window=None) | Q(dispatch_window__range=(1, MOST_MESSAGES))),
                name="breaker_limits_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"breaker of {self.service}"

    @property
    def policy(self) -> Policy:
        return Policy(**{f.name: getattr(self, f.name) for f in fields(Policy)})

    @property
    def limits(self) -> Limits:
        return Limits(**{f.name: getattr(self, f.name) for f in fields(Limits)})


class Budget(models.Model):
    """A row limits what a scope may spend in a period (UTC, by Redis's clock). What was spent is counted in Redis.

    `scope`: `system`, `service:NAME` or `campaign:ID`. `halt`: why work of the scope waits, '' if it does not.
    """

    scope = models.CharField(max_length=40)
    period = models.CharField(max_length=5, choices=[(name, name) for name in (DAY, MONTH, TOTAL)])
    limit_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    limit_calls = models.PositiveIntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Grows with each edit.")
    reason = models.CharField(max_length=REASON_LENGTH)
    set_by = models.CharField(max_length=150, editable=False)
    set_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    halt = models.CharField(max_length=200, blank=True, default="", editable=False)
    halt_needs = models.BigIntegerField(
        default=0, editable=False, help_text="What the refused call may have cost at most, in micro-USD."
    )
    halt_start = models.CharField(max_length=10, blank=True, default="", editable=False)
    told_start = models.CharField(
        max_length=10, blank=True, default="", editable=False, help_text="The period that the last message was about."
    )
    told_percent = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        db_table = "budgets"
        default_permissions = ("view", "change")
        ordering = ["scope", "period"]
        constraints = [
            models.UniqueConstraint(fields=["scope", "period"], name="budget_once_per_scope_and_period"),
            models.CheckConstraint(
                condition=Q(limit_usd__isnull=False) | Q(limit_calls__isnull=False), name="budget_has_a_limit"
            ),
            models.CheckConstraint(
                condition=Q(limit_usd=None) | Q(limit_usd__gt=0, limit_usd__lte=MOST_USD), name="budget_usd_sane"
            ),
            models.CheckConstraint(
                condition=Q(limit_calls=None) | Q(limit_calls__range=(1, MOST_CALLS)), name="budget_calls_sane"
            ),
            models.CheckConstraint(
                condition=Q(scope=SYSTEM, period__in=(DAY, MONTH))
                | Q(scope__in=[f"service:{name}" for name in SERVICES], period=DAY)
                | Q(scope__regex="^campaign:[1-9][0-9]*$", period__in=(TOTAL, DAY)),
                name="budget_scope_has_period",
            ),
        ]

    def __str__(self) -> str:
        return f"budget of {self.scope} ({self.period})"

    @property
    def known(self) -> KnownBudget:
        usd = None if self.limit_usd is None else micro(self.limit_usd)
        return KnownBudget(self.pk, self.version, self.scope, self.period, usd, self.limit_calls)

    @property
    def halt_sentence(self) -> str:
        """Return why work would wait, were it used up."""
        return halt_of(self.scope, self.period, self.limit_usd, self.limit_calls)


class Incident(models.Model):
    """An incident is one opening of one breaker, from the first failure to the reset; the epoch names it in both
    stores.

    An opening that stops its resume continues it: epoch, cause and pause are those of the last one then.
    """

    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    epoch = models.BigIntegerField()
    first_epoch = models.BigIntegerField(
        null=True, editable=False, help_text="Of the opening that it began with, if later ones have stopped its resume."
    )
    opened_at = models.DateTimeField(help_text="Redis's clock.")
    reason = models.CharField(max_length=200)
    failure_type = models.CharField(max_length=30)
    failures = models.PositiveIntegerField(default=0)
    evidence = models.JSONField(default=list, help_text="The last failures, newest first.")
    pause = models.ForeignKey(QueuePause, on_delete=models.PROTECT, related_name="incidents")
    campaigns_paused = models.PositiveIntegerField(default=0)
    jobs_paused = models.PositiveIntegerField(default=0)
    cascade_seconds = models.FloatField(
        null=True, help_text="From the opening, by Redis's clock, to all campaigns paused."
    )
    reset_at = models.DateTimeField(null=True, blank=True)
    reset_by = models.CharField(max_length=150, blank=True)
    reset_reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    assigned_to = models.CharField(max_length=150, blank=True, default="", db_default="")

    class Meta:
        db_table = "incidents"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["service", "epoch"], name="incident_once_per_opening"),
        ]
        indexes = [models.Index("service", condition=Q(reset_at=None), name="incident_open")]

    def __str__(self) -> str:
        return f"incident {self.pk}, {self.service} {self.opened_at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("admin:circuitbreakers_incident_change", args=[self.pk])


class Ramp(models.Model):
    """A ramp is the way of one service from a queue resume back to full speed: a canary, then 10, 25, 50 per cent.

    The switch decides how far it is; a row is what survives the switch.
    """

    FULL, STOPPED, SKIPPED = "full", "stopped", "skipped"

    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    incident = models.ForeignKey(Incident, null=True, on_delete=models.PROTECT, related_name="ramps")
    started_at = models.DateTimeField(help_text="Redis's clock.")
    stage = models.PositiveSmallIntegerField(default=0, help_text="Per cent of its rate limits; 0: the canary.")
    stage_since = models.DateTimeField(help_text="Redis's clock.")
    held_by = models.CharField(max_length=150, blank=True)
    hold_reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_how = models.CharField(max_length=10, blank=True, choices=[(how, how) for how in (FULL, STOPPED, SKIPPED)])
    calls = models.PositiveIntegerField(default=0, help_text="Admitted until an opening stopped it.")

    class Meta:
        db_table = "ramps"
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("service", condition=Q(ended_at=None), name="ramp_one_at_a_time"),
            models.CheckConstraint(condition=Q(stage__in=[0, 10, 25, 50, 100]), name="ramp_stage_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_how="") | (Q(ended_at__isnull=False) & ~Q(ended_how="")),
                name="ramp_ended_has_how",
            ),
        ]

    def __str__(self) -> str:
        return f"ramp of {self.service} since {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def held(self) -> bool:
        return self.held_by != ""

    @property
    def place(self) -> str:
        """Return where it is, in words."""
        return place(self.stage)


def place(stage: int) -> str:
    """Return a stage in words."""
    return "the canary" if stage == 0 else f"{stage} %"


class Event(models.Model):
    """An event is a change, by whichever door it came. Append-only: the database refuses updates and deletions."""

    at = models.DateTimeField(default=timezone.now)
    subject_type = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=60)
    verb = models.CharField(max_length=40)
    actor = models.CharField(max_length=150)
    door = models.CharField(max_length=20, choices=[(name, name) for name in DOORS])
    reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="events", db_constraint=False
    )

    class Meta:
        db_table = "events"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "-id"], name="event_subject"),  # a thing's history
            models.Index(fields=["incident", "id"], condition=~Q(incident=None), name="event_incident"),  # a timeline
        ]

    def __str__(self) -> str:
        return f"{self.subject_type} {self.subject_id}: {self.verb}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)
