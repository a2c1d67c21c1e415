"""Verdicts on addresses that have been paid for are kept here."""

from django.db import models
from django.utils import timezone


class KnownVerdict(models.Model):
    """A known verdict is MillionVerifier's answer by address, so that a second campaign does not pay for it again.

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
