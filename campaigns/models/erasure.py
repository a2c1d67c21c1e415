"""Whoever asks to be forgotten gets a numbered receipt: these are they."""

from django.db import models
from django.utils import timezone


class Erasure(models.Model):
    """A receipt says when a person was erased, by whom and why, what went, and what we could not reach. It says nothing
    of the person: `digests` are keyed hashes, by which a request for a receipt can be answered."""

    at = models.DateTimeField(default=timezone.now)
    erased_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=300, blank=True)
    digests = models.JSONField(default=list)
    erased = models.JSONField(default=dict, help_text="What went: table -> rows.")
    not_reached = models.JSONField(default=list, help_text="Where else it may be, in sentences.")

    class Meta:
        db_table = "erasures"
        ordering = ["-id"]
        default_permissions = ("view", "add")

    def __str__(self) -> str:
        return f"receipt {self.pk}"
