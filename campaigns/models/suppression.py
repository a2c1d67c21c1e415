"""Nobody writes to the addresses and domains in this table."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class Suppression(models.Model):
    """A row is an address, or a whole domain, that nobody writes to. Checked at import and again before the push."""

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
