"""Campaigns, leads, jobs and the ledger of vendor calls. The database itself refuses an impossible row."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from campaigns import tallies  # noqa: F401 (its models are this app's)
from campaigns.pipeline import KINDS, OF_CAMPAIGN
from campaigns.prompt_templates import clean_template
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import SERVICES
from circuitbreakers.storable import REASON

SERVICE_CHOICES = [(name, name) for name in SERVICES]
KIND_CHOICES = [(name, name) for name in KINDS]
OUTCOME_CHOICES = [(name, name) for name in OUTCOMES]


class Campaign(models.Model):
    """One outreach campaign: where its leads come from, what is written to them, where they are pushed.

    A pause has a cause: the system's, an operator's, or both; it is PAUSED as long as either stands.
    """

    class Status(models.TextChoices):
        CREATED = "CREATED"
        RUNNING = "RUNNING"
        PAUSED = "PAUSED"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CREATED)
    status_message = models.CharField(max_length=500, blank=True)
    search = models.JSONField(null=True, blank=True, help_text="Apollo people search parameters; none for a CSV.")
    search_url = models.TextField(blank=True, help_text="The URL that was pasted from Apollo's app.")
    max_leads = models.PositiveIntegerField(
        default=100,
        # Apollo shows at most 50,000 records of a search: 500 pages of 100.
        validators=[MinValueValidator(1), MaxValueValidator(50_000)],
    )
    instantly_campaign_id = models.CharField(
        max_length=64, blank=True, help_text="Made at the first push when it is empty."
    )
    research_prompt = models.TextField(blank=True, help_text="Empty for the standard one.")
    mail_prompt = models.TextField(blank=True, help_text="Empty for the standard one.")
    system_paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    operator_paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    operator_paused_by = models.CharField(max_length=150, blank=True, editable=False)
    operator_pause_reason = models.CharField(max_length=REASON, blank=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    running_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Its last start or resume: earlier messages do not count."
    )
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "campaigns"
        ordering = ["-id"]
        permissions = [("operate_campaign", "Can start, pause, resume and cancel campaigns")]
        indexes = [
            models.Index(fields=["status", "-id"], name="campaign_status"),
            models.Index(fields=["name"], name="campaign_name"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["CREATED", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"]),
                name="campaign_status_known",
            ),
            models.CheckConstraint(
                condition=(
                    Q(status="PAUSED") & (Q(system_paused_at__isnull=False) | Q(operator_paused_at__isnull=False))
                )
                | (~Q(status="PAUSED") & Q(system_paused_at=None, operator_paused_at=None)),
                name="campaign_paused_has_cause",
            ),
            models.CheckConstraint(
                condition=Q(status="CREATED") | Q(status="CANCELLED") | Q(started_at__isnull=False),
                name="campaign_started_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["COMPLETED", "FAILED", "CANCELLED"], finished_at__isnull=False)
                | (~Q(status__in=["COMPLETED", "FAILED", "CANCELLED"]) & Q(finished_at=None)),
                name="campaign_finished_has_time",
            ),
            models.CheckConstraint(condition=Q(max_leads__range=(1, 50_000)), name="campaign_max_leads"),
            models.UniqueConstraint(fields=["idempotency_key"], name="campaign_idempotency_key"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Prompts that could not be used are refused when they are saved, not when they are paid for."""
        problems: dict[str, list[str]] = {}
        for kind in ("research", "mail"):
            name = f"{kind}_prompt"
            try:
                setattr(self, name, clean_template(getattr(self, name), kind))
            except ValidationError as error:
                problems[name] = error.messages
        if problems:
            raise ValidationError(problems)

    @property
    def finished(self) -> bool:
        return self.status in (self.Status.COMPLETED, self.Status.FAILED, self.Status.CANCELLED)


class Lead(models.Model):
    """One person in one campaign, with all that was paid for: nothing of it is bought again."""

    class State(models.TextChoices):
        OPEN = "OPEN"
        PUSHED = "PUSHED"
        DROPPED = "DROPPED"
        FAILED = "FAILED"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="leads", db_index=False)
    email = models.CharField(max_length=320, null=True, blank=True, help_text="Normalised; none if nobody knows it.")
    apollo_id = models.CharField(max_length=64, blank=True)
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=500, blank=True)
    company = models.CharField(max_length=300, blank=True)
    company_domain = models.CharField(max_length=255, blank=True)
    data = models.JSONField(default=dict, blank=True, help_text="Further fields of the source.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    # The kind of its current or last job; '' until the pipeline has taken it in.
    stage = models.CharField(max_length=10, blank=True, choices=KIND_CHOICES)
    end_reason = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=20, blank=True)
    research = models.TextField(blank=True)
    sources = models.JSONField(default=list, blank=True)
    mail_subject = models.CharField(max_length=300, blank=True)
    mail_body = models.TextField(blank=True)
    instantly_lead_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "leads"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["campaign", "state", "-id"], name="lead_campaign"),  # lists, counters, completion
            models.Index(fields=["campaign"], condition=Q(state="OPEN", stage=""), name="lead_unfed"),  # feed
            models.Index(fields=["email"], name="lead_email"),  # search
            models.Index(Lower("company"), name="lead_company"),  # search
        ]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "email"], name="lead_once_per_address"),
            models.UniqueConstraint(
                fields=["campaign", "apollo_id"], condition=~Q(apollo_id=""), name="lead_once_per_person"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "PUSHED", "DROPPED", "FAILED"]), name="lead_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="OPEN", ended_at=None) | (~Q(state="OPEN") & Q(ended_at__isnull=False)),
                name="lead_ended_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["DROPPED", "FAILED"]) | ~Q(end_reason=""), name="lead_ended_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["OPEN", "PUSHED"]) | Q(email__isnull=False), name="lead_worked_has_address"
            ),
            models.CheckConstraint(condition=Q(email=None) | Q(email=Lower("email")), name="lead_email_normalised"),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email or f"Lead {self.pk}"


class JobColumns(models.Model):
    """The columns that a job's row and the view of all jobs have in common."""

    kind = models.CharField(max_length=10, choices=KIND_CHOICES)
    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    part = models.PositiveIntegerField(default=0, help_text="find: page; reveal: page and tens.")
    payload = models.JSONField(default=dict, blank=True, help_text="reveal: the people to reveal.")
    error = models.TextField(null=True, blank=True)
    failure_type = models.CharField(max_length=20, blank=True, help_text="Of its last failed call.")
    without_call = models.BooleanField(default=False, help_text="Done without a vendor call: nothing was paid.")
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
        """The id of this claim's vendor call, in Redis and in the ledger."""
        return f"{self.pk}:{self.fence}"


class JobRow(JobColumns):
    """A job as it is stored: what workers claim and verbs change. PROCESSING rows belong to their worker; `fence`
    numbers its claims.

    No row says PAUSED: whoever asks for a job's state asks `Job`.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING"
        PROCESSING = "PROCESSING"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    UNFINISHED = (Status.PENDING, Status.PROCESSING)

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
    """Jobs as everybody sees them."""

    def in_status(self, *statuses: str) -> "JobQuerySet":
        """Those in any of these states. As `filter(status=...)`, but by what is stored, which has indexes and is known
        to the planner."""
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
    """One vendor call to be made, as everybody sees it: a waiting job is PAUSED exactly as long as its campaign is, and
    its error says so meanwhile. For reading only (a view, migration 0011); `JobRow` is what is stored.
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


class VendorCall(models.Model):
    """The ledger: one row per admitted call, written in any case. `unknown`: nobody knows how it ended."""

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
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.admitted_at:%Y-%m-%d %H:%M:%S}"


class KnownVerdict(models.Model):
    """MillionVerifier's answer by address, so that a second campaign does not pay for it again.

    Without a `result` it is being asked for by the job `asked_by`, until `asked_until` at most.
    """

    email = models.CharField(primary_key=True, max_length=320)
    result = models.CharField(max_length=20, blank=True)
    asked_by = models.BigIntegerField(null=True)
    asked_until = models.DateTimeField(null=True)
    subresult = models.CharField(max_length=40, blank=True)
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "verdicts"

    def __str__(self) -> str:
        return f"{self.email}: {self.result}"


class Suppression(models.Model):
    """An address, or a whole domain, that nobody writes to. Checked at import and again before the push."""

    value = models.CharField(max_length=320, unique=True, help_text="An address, or a domain such as acme.example.")
    reason = models.CharField(max_length=300, blank=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "suppressions"
        ordering = ["value"]
        constraints = [
            models.CheckConstraint(condition=Q(value=Lower("value")) & ~Q(value=""), name="suppression_normalised")
        ]

    def __str__(self) -> str:
        return self.value


# How long an overrun of a supervisor's step is worth showing.
OVERRUN_SHOWN = timedelta(minutes=15)


# A process without a sign of life for so long has died, whatever held up its signs (seconds; it gives one every two).
SILENCE = 10


class ProcessQuerySet(models.QuerySet["Process"]):
    def alive(self) -> Self:
        """Those that gave a sign of life lately, by the database's clock, which wrote it."""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=SILENCE))


class Process(models.Model):
    """A worker or supervisor process, as of its last sign of life. Recovery and reclaiming read it."""

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
        """A sentence for each of its steps that lately took longer than the others should wait."""
        found = []
        for name, step in self.steps.items():
            with suppress(TypeError, ValueError, KeyError):
                last = step["overrun"]
                at, seconds = datetime.fromisoformat(last["at"]), float(last["seconds"])
                if now - at < OVERRUN_SHOWN:
                    how = "was cut off after" if last.get("cut_off") else "took"
                    found.append(f"The supervisor's step '{name}' {how} {seconds:.0f} s ({at:%H:%M})")
        return found
