"""What comes back from Instantly is kept here as it came, before anything follows from it."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutcomeEvent(models.Model):
    """An outcome is one thing that Instantly told of a lead that was pushed: sent, bounced, replied, unsubscribed.

    It is stored raw and once (`digest`), whichever way it came; the supervisor applies it afterwards.
    """

    class Source(models.TextChoices):
        WEBHOOK = "webhook"
        RECONCILIATION = "reconciliation"

    digest = models.CharField(max_length=64, unique=True, help_text="Of what makes it this very event.")
    source = models.CharField(max_length=20, choices=Source.choices)
    kind = models.CharField(max_length=60, help_text="Instantly's name for it; a name that we do not know is kept.")
    email = models.CharField(max_length=320, blank=True, help_text="Normalised; none if it names nobody.")
    target = models.CharField(max_length=64, blank=True, help_text="The campaign at Instantly.")
    occurred_at = models.DateTimeField(help_text="By the vendor; when it came if that cannot be read.")
    received_at = models.DateTimeField(default=timezone.now)
    payload = models.JSONField(default=dict)
    applied_at = models.DateTimeField(null=True, blank=True)
    effect = models.CharField(max_length=40, blank=True, help_text="What followed from it.")

    class Meta:
        db_table = "outcome_events"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(applied_at=None), name="outcome_to_apply"),
            models.Index(fields=["email"], name="outcome_email"),  # a person's page
            # Lists.
            models.Index(fields=["kind", "-id"], name="outcome_kind"),
            models.Index(fields=["effect", "-id"], name="outcome_effect"),
            models.Index(fields=["source", "-id"], name="outcome_source"),
            models.Index(fields=["-id"], condition=Q(effect__startswith="failed"), name="outcome_failed"),
            # Metrics, of the last day.
            models.Index(fields=["received_at"], condition=Q(source="reconciliation"), name="outcome_missed"),
            models.Index(fields=["received_at"], condition=Q(effect="unknown"), name="outcome_unknown"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.email}".strip()
