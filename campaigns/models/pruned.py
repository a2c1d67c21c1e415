"""What pruned jobs and calls added up to is kept here, so that no count and no money goes with the rows."""

from django.db import models

from campaigns.models.choices import SERVICE_CHOICES


class PrunedJobs(models.Model):
    """A row is the number of pruned jobs of one campaign, service and status, and the cost that they avoided."""

    campaign_id = models.BigIntegerField()
    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    status = models.CharField(max_length=10)
    number = models.BigIntegerField()
    avoided_usd = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        db_table = "pruned_jobs"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["campaign_id", "service", "status"], name="pruned_jobs_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.service} {self.status}"


class PrunedCalls(models.Model):
    """A row is the sum of the pruned calls of one campaign (0: none), service and day (UTC)."""

    campaign_id = models.BigIntegerField()
    service = models.CharField(max_length=20, choices=SERVICE_CHOICES)
    day = models.DateField()
    number = models.BigIntegerField()
    failed = models.BigIntegerField()
    unknown = models.BigIntegerField()
    credits = models.DecimalField(max_digits=20, decimal_places=4)
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    may_be_charged = models.BigIntegerField()
    may_cost_usd = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        db_table = "pruned_calls"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["campaign_id", "service", "day"], name="pruned_calls_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.service} {self.day}"
