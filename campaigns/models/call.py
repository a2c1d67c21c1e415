"""The ledger of vendor calls is this table."""

from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from campaigns.models.choices import KIND_CHOICES, OUTCOME_CHOICES, SERVICE_CHOICES
from campaigns.models.job import JobRow


class VendorCall(models.Model):
    """The ledger has one row per admitted call, written in any case. `unknown`: nobody knows how it ended."""

    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    kind = models.CharField(max_length=10, choices=KIND_CHOICES)
    job = models.ForeignKey(JobRow, null=True, on_delete=models.CASCADE, related_name="calls", db_index=False)
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.CASCADE, related_name="calls", db_index=False)
    fence = models.PositiveIntegerField()
    admitted_at = models.DateTimeField(help_text="Redis's clock.")
    duration_ms = models.PositiveIntegerField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=20, choices=OUTCOME_CHOICES)
    error = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    credits = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    may_be_charged = models.BooleanField(
        default=False,
        db_default=False,
        help_text="It was sent and its answer lost: it may have been charged beyond what is booked.",
    )
    may_cost_usd = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        default=0,
        db_default=0,
        help_text="How much more it can have cost at most.",
    )
    worker = models.CharField(max_length=100, blank=True)

    class Meta:
        db_table = "vendor_calls"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["job", "fence"], name="call_once_per_claim")]
        indexes = [
            models.Index(fields=["service", "-admitted_at"], name="call_service"),  # rates, charts, totals by day
            models.Index(fields=["campaign", "service", "-id"], name="call_campaign"),  # refusals in a row
            models.Index(fields=["-admitted_at"], name="call_time"),
            models.Index(
                fields=["outcome", "-id"], condition=~Q(outcome="success"), name="call_outcome"
            ),  # the console
            models.Index(fields=["-id"], condition=Q(may_be_charged=True), name="call_may_be_charged"),  # lists
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.admitted_at:%Y-%m-%d %H:%M:%S}"
