"""What was bought once, and is still true, is kept here."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class KnownFact(models.Model):
    """A fact is a vendor's answer that a second lead or campaign uses without paying: a verdict, a person, a research.

    Without a `value` it is being asked for by the job `asked_by`, until `asked_until` at most.
    """

    key = models.CharField(primary_key=True, max_length=400, help_text="verdict:…, person:… or research:…")
    about = models.CharField(max_length=320, blank=True, help_text="Whose it is: an address; none of a company.")
    value = models.JSONField(null=True)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    asked_by = models.BigIntegerField(null=True)
    asked_until = models.DateTimeField(null=True)
    bought_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "known_facts"
        indexes = [models.Index(fields=["about"], condition=~Q(about=""), name="fact_about")]  # a person's page

    def __str__(self) -> str:
        return self.key
