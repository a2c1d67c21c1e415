"""Counts are kept in this table, so that they outlive the processes that have counted."""

from django.db import models


class Count(models.Model):
    """A count is one of Prometheus's samples, to which every process has added its part; it never falls."""

    sample = models.CharField(max_length=100)
    labels = models.CharField(max_length=200, help_text="JSON, its names in order.")
    value = models.FloatField()

    class Meta:
        db_table = "counts"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["sample", "labels"], name="count_once_per_labels")]

    def __str__(self) -> str:
        return f"{self.sample}{self.labels} {self.value:g}"
