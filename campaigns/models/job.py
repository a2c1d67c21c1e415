"""A job is one vendor call to be made: the row that is written is `JobRow`, the view that everybody reads is `Job`."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from campaigns.models.campaign import Campaign
from campaigns.models.choices import KIND_CHOICES, SERVICE_CHOICES
from campaigns.models.lead import Lead
from campaigns.pipeline import OF_CAMPAIGN


class JobColumns(models.Model):
    """A job's row and the view of all jobs have these columns in common."""

    kind = models.CharField(max_length=10, choices=KIND_CHOICES)
    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    part = models.PositiveIntegerField(default=0, help_text="find: page; reveal: page and tens.")
    payload = models.JSONField(default=dict, blank=True, help_text="reveal: the people to reveal.")
    error = models.TextField(null=True, blank=True)
    failure_type = models.CharField(max_length=20, blank=True, help_text="Of its last failed call.")
    without_call = models.BooleanField(default=False, help_text="Done without a vendor call: nothing was paid.")
    avoided_usd = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        default=0,
        db_default=0,
        help_text="What it would have cost, had its answer not been known.",
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Spent on vendor failures; five are allowed.")
    crashes = models.PositiveSmallIntegerField(
        default=0, help_text="Worker deaths with this very job; three are allowed."
    )
    fence = models.PositiveIntegerField(default=0, help_text="Number of the last claim.")
    worker = models.CharField(max_length=100, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    run_at = models.DateTimeField(default=timezone.now, help_text="Not before this instant.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="Its message was sent; a lease of 30 s.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def call(self) -> str:
        """Return the id of this claim's vendor call, in Redis and in the ledger."""
        return f"{self.pk}:{self.fence}"


class JobRow(JobColumns):
    """A row is a job as it is stored: what workers claim and verbs change. PROCESSING rows belong to their worker;
    `fence` numbers its claims.

    No row says PAUSED: whoever asks for a job's state asks `Job`.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING"
        PROCESSING = "PROCESSING"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    UNFINISHED = (Status.PENDING, Status.PROCESSING)

    # Whether its lead was on the suppression list when it was claimed. No column: the claim asks, each time.
    suppressed = False

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="job_rows", db_index=False)
    lead = models.ForeignKey(
        Lead, null=True, blank=True, on_delete=models.CASCADE, related_name="job_rows", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)

    class Meta:
        db_table = "job_rows"
        ordering = ["-id"]
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["campaign", "service", "id"], condition=Q(status="PENDING"), name="job_pending"
            ),  # dispatch, what is paused
            models.Index(
                fields=["service", "id"], condition=Q(status="PENDING") & ~Q(failure_type=""), name="job_failed_before"
            ),  # a canary, one call while the system is paused
            models.Index(fields=["lease_until"], condition=Q(status="PROCESSING"), name="job_leases"),  # reclaim
            models.Index(fields=["campaign", "-id"], name="job_campaign"),
            models.Index(fields=["status", "-id"], name="job_status"),
            models.Index(fields=["service", "-id"], name="job_service"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["lead", "kind"], condition=Q(lead__isnull=False), name="job_once_per_lead"),
            models.UniqueConstraint(
                fields=["campaign", "kind", "part"], condition=Q(lead=None), name="job_once_per_part"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]),
                name="job_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status="PROCESSING", lease_until__isnull=False, claimed_at__isnull=False)
                | (~Q(status="PROCESSING") & Q(lease_until=None)),
                name="job_processing_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["COMPLETED", "FAILED", "CANCELLED"], completed_at__isnull=False)
                | (~Q(status__in=["COMPLETED", "FAILED", "CANCELLED"]) & Q(completed_at=None)),
                name="job_ended_has_time",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=OF_CAMPAIGN, lead=None) | (~Q(kind__in=OF_CAMPAIGN) & Q(lead__isnull=False)),
                name="job_belongs_to_campaign_or_lead",
            ),
        ]


class JobQuerySet(models.QuerySet["Job"]):
    """These are jobs as everybody sees them."""

    def in_status(self, *statuses: str) -> "JobQuerySet":
        """Narrow to jobs in any of these states. As `filter(status=...)`, but by what is stored, which has indexes and
        is known to the planner."""
        campaign_paused = Q(campaign__status=Campaign.Status.PAUSED)
        wanted = Q(stored__in=[status for status in statuses if status not in ("PENDING", "PAUSED")])
        if {"PENDING", "PAUSED"} <= set(statuses):
            wanted |= Q(stored="PENDING")
        elif "PAUSED" in statuses:
            wanted |= Q(stored="PENDING") & campaign_paused
        elif "PENDING" in statuses:
            wanted |= Q(stored="PENDING") & ~campaign_paused
        return self.filter(wanted)


class Job(JobColumns):
    """A job is one vendor call to be made, as everybody sees it: a waiting one is PAUSED exactly as long as its
    campaign is, and its error says so meanwhile. For reading only (a view, migration 0011); `JobRow` is what is stored.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING"
        PROCESSING = "PROCESSING"
        PAUSED = "PAUSED"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    UNFINISHED = (Status.PENDING, Status.PROCESSING, Status.PAUSED)

    campaign = models.ForeignKey(Campaign, on_delete=models.DO_NOTHING, related_name="jobs", db_constraint=False)
    lead = models.ForeignKey(
        Lead, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="jobs", db_constraint=False
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stored = models.CharField(max_length=10, choices=JobRow.Status.choices, editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "jobs"
        ordering = ["-id"]
        permissions = [("operate_job", "Can retry and cancel jobs")]
