"""A campaign's row has its search, its prompts, its two causes of a pause and its times."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from campaigns.prompt_templates import clean_template
from circuitbreakers.storable import REASON_LENGTH


class Campaign(models.Model):
    """A campaign says where its leads come from, what is written to them, where they are pushed.

    A pause has a cause: the system's, an operator's, or both; it is PAUSED as long as either stands.
    """

    class Status(models.TextChoices):
        CREATED = "CREATED"
        RUNNING = "RUNNING"
        PAUSED = "PAUSED"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    class Review(models.TextChoices):
        """Which of its mails somebody must read before they are pushed (campaigns/review.py)."""

        OFF = "off", "none"
        ALL = "all", "all of them"
        SAMPLE = "sample", "the first 20, then 5 %"
        FINDINGS = "findings", "those that claim what nobody has said"

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
    # Instantly answers HTTP 200 to a push into a campaign that sends nothing: this is what its own status says of it.
    target_halt = models.CharField(
        max_length=300,
        blank=True,
        editable=False,
        default="",
        db_default="",
        help_text="Why its campaign at Instantly does not send; '': it does.",
    )
    target_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    budget_halt = models.CharField(
        max_length=200,
        blank=True,
        editable=False,
        default="",
        db_default="",
        help_text="Why it waits for its budget; '': it does not.",
    )
    # It holds after these, so that somebody reads their mails first (campaigns/first_leads.py).
    first_leads = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="Only so many of its leads for now; none: all of them."
    )
    first_left = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="How many of the first leads are not taken in yet."
    )
    contact_policy = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="Where it departs from the installation's.",
    )
    contact_policy_reason = models.CharField(
        max_length=REASON_LENGTH, blank=True, editable=False, default="", db_default=""
    )
    research_prompt = models.TextField(blank=True, help_text="Empty for the standard one.")
    mail_prompt = models.TextField(blank=True, help_text="Empty for the standard one.")
    review = models.CharField(
        "mails to read",
        max_length=10,
        choices=Review.choices,
        default=Review.OFF,
        db_default=Review.OFF,
        help_text="Which mails somebody must read and approve before they are pushed.",
    )
    system_paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    operator_paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    operator_paused_by = models.CharField(max_length=150, blank=True, editable=False)
    operator_pause_reason = models.CharField(max_length=REASON_LENGTH, blank=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    running_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Its last start or resume: earlier messages do not count."
    )
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Nothing of it can be put back from then on (campaigns/pruning).
    jobs_pruned_at = models.DateTimeField(null=True, blank=True, editable=False)
    texts_pruned_at = models.DateTimeField(null=True, blank=True, editable=False)

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
            models.CheckConstraint(
                condition=Q(first_leads=None, first_left=None)
                | Q(first_leads__isnull=False, first_left__isnull=False)
                & Q(first_leads__range=(1, 100), first_left__lte=F("first_leads")),
                name="campaign_first_leads",
            ),
            models.CheckConstraint(
                condition=Q(review__in=["off", "all", "sample", "findings"]), name="campaign_review_known"
            ),
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
    def waits_for_target(self) -> str:
        """Return why it waits for its target, '' if it does not: one that has ended waits for nothing."""
        return "" if self.finished else self.target_halt

    @property
    def waits_for_budget(self) -> str:
        """Return why it waits for its budget, '' if it does not: one that has ended waits for nothing."""
        return "" if self.finished else self.budget_halt

    @property
    def finished(self) -> bool:
        return self.status in (self.Status.COMPLETED, self.Status.FAILED, self.Status.CANCELLED)
