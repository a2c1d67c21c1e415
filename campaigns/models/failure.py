"""What failed is kept here by the database itself: a row a FAILED job, with the key of its group and what it cost."""

from django.db import models

from campaigns.models.choices import KIND_CHOICES, SERVICE_CHOICES


class Failure(models.Model):
    """A failure is a FAILED job, as the triage of failures reads it; written by triggers alone (migration 0029).

    It has plain numbers, as the tallies have: it goes with its job. `cost_usd`: what the ledger says of all calls of
    its lead, or of the job, if it belongs to no lead. `ended`: its lead had ended otherwise when it failed. `mark`
    names this one failure: the sum of a group's marks says which failures are in it.
    """

    job_id = models.BigIntegerField(primary_key=True)
    campaign_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=KIND_CHOICES)
    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    failure_type = models.CharField(max_length=20, blank=True)
    group_key = models.UUIDField()
    ended = models.BooleanField()
    failed_at = models.DateTimeField()
    cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    may_cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    mark = models.BigIntegerField()

    class Meta:
        db_table = "failures"
        default_permissions = ()
        indexes = [
            # A group's first and last, its examples, a drop; the same in one campaign.
            models.Index(fields=["group_key", "failed_at", "job_id"], name="failure_group"),
            models.Index(fields=["campaign_id", "group_key", "failed_at", "job_id"], name="failure_campaign"),
            models.Index(fields=["campaign_id", "group_key", "job_id"], name="failure_retry"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.failure_type} {self.job_id}"
