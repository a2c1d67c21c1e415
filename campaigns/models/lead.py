"""A lead is one person in one campaign."""

import re

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQueryField, SearchVector
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Collate, Lower, Replace, Reverse
from django.utils import timezone

from campaigns import outcomes
from campaigns.models.campaign import Campaign
from campaigns.models.choices import STAGE_CHOICES

# What a lead is found by: name, company, domain, and both halves of the address. As the index `lead_words` has them.
WORDS = SearchVector(
    *("first_name", "last_name", "company", "company_domain"),
    Replace("email", Value("@"), Value(" ")),
    config="simple",
)
MOST_WORDS, LONGEST_TEXT = 6, 320


class Found(Func):
    """Say whether a text has all words of a query: PostgreSQL's `@@`."""

    template, arg_joiner = "(%(expressions)s)", " @@ "
    output_field = models.BooleanField()


class LeadQuerySet(models.QuerySet["Lead"]):
    def with_outcome(self, outcome: str) -> "LeadQuerySet":
        """Narrow to the leads that show this outcome: it came, and none that outweighs it. None for any other word."""
        if outcome not in outcomes.OUTCOMES:
            return self.none()
        place = outcomes.OUTCOMES.index(outcome)
        came = {f"{outcomes.COLUMNS[place]}__isnull": False}
        return self.filter(**came, **{f"{column}__isnull": True for column in outcomes.COLUMNS[:place]})

    def found_by(self, text: str) -> "LeadQuerySet":
        """Narrow to the leads that have every word, or the beginning of one, in name, company, domain or address; by an
        index. A whole address finds itself alone. None for a text without words."""
        text = text.strip()[:LONGEST_TEXT]
        local, at, domain = text.partition("@")
        if at and local and "." in domain and not re.search(r"\s", text):
            return self.filter(email=text.lower())
        words = re.findall(r"[\w.+-]*\w[\w.+-]*", text)[:MOST_WORDS]
        if not words:
            return self.none()
        return self.filter(Found(WORDS, Cast(Value(" & ".join(map(_beginning, words))), SearchQueryField())))


def _beginning(word: str) -> str:
    """Write a word as a query for all that begins so. In three spellings: how a database lowers what is beyond ASCII
    depends on its locale."""
    spellings = dict.fromkeys((word.lower(), word, word.capitalize()))
    return "(" + " | ".join(f"'{one}':*" for one in spellings) + ")"


class Lead(models.Model):
    """A lead is one person in one campaign, with all that was paid for: nothing of it is bought again."""

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
    # The kind of its current or last job, `review` while its mail waits to be read; '' until it is taken in.
    stage = models.CharField(max_length=10, blank=True, choices=STAGE_CHOICES)
    # For an index that a lead's later stages do not touch: a change of what no index holds writes no index.
    unfed = models.GeneratedField(
        expression=Q(stage=""),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )
    end_reason = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=20, blank=True)
    research = models.TextField(blank=True)
    sources = models.JSONField(default=list, blank=True)
    mail_subject = models.CharField(max_length=300, blank=True)
    mail_body = models.TextField(blank=True)
    mail_as_written = models.JSONField(
        null=True, blank=True, editable=False, help_text="Subject and body before somebody edited them."
    )
    instantly_lead_id = models.CharField(max_length=64, blank=True)
    # What came of the push: each the first of its kind, so that the order in which they are told does not matter.
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    bounced_at = models.DateTimeField(null=True, blank=True, editable=False)
    replied_at = models.DateTimeField(null=True, blank=True, editable=False)
    unsubscribed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LeadQuerySet.as_manager()

    class Meta:
        db_table = "leads"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["campaign", "state", "-id"], name="lead_campaign"),  # lists, counters, completion
            models.Index(fields=["campaign"], condition=Q(state="OPEN", unfed=True), name="lead_unfed"),  # feed
            models.Index(fields=["email"], name="lead_email"),  # search
            GinIndex(WORDS, name="lead_words"),  # search
            models.Index(
                Collate(Reverse(Func(F("email"), Value("@"), Value(2), function="split_part")), "C"),
                condition=Q(state="OPEN"),
                name="lead_domain",
            ),  # whom a suppressed domain ends
            models.Index(
                fields=["campaign", "sent_at"], condition=Q(sent_at__isnull=False), name="lead_sent"
            ),  # the bounce guard, lists, the funnel
            # Lists by outcome, the funnel.
            models.Index(fields=["campaign", "-id"], condition=Q(bounced_at__isnull=False), name="lead_bounced"),
            models.Index(fields=["campaign", "-id"], condition=Q(replied_at__isnull=False), name="lead_replied"),
            models.Index(
                fields=["campaign", "-id"], condition=Q(unsubscribed_at__isnull=False), name="lead_unsubscribed"
            ),
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

    @property
    def outcome(self) -> str:
        """Return what came of its push, beside its state: one of `outcomes.OUTCOMES`, '' when nothing came."""
        return outcomes.outcome_of({column: getattr(self, column) for column in outcomes.COLUMNS})
