"""A reading is what a service's free calls last told of the days ahead; one row for each service that was asked."""

from django.db import models
from django.db.models import Q


class OutlookReading(models.Model):
    """A reading keeps the last good answer, and beside it why the latest one is missing, if it is."""

    service = models.CharField(primary_key=True, max_length=20)
    asked_at = models.DateTimeField(help_text="When the service answered last, well or not.")
    read_at = models.DateTimeField(null=True, help_text="When what stands here was read.")
    left = models.DecimalField(max_digits=20, decimal_places=4, null=True, help_text="In the vendor's own unit.")
    unit = models.CharField(max_length=20, blank=True)
    model = models.CharField(max_length=100, blank=True)
    ends = models.DateField(null=True, help_text="The day on which the model is shut down.")
    problem = models.CharField(max_length=300, blank=True, help_text="Why it could not be read the last time.")
    told_hours = models.PositiveSmallIntegerField(
        null=True, help_text="The nearest of the times before the end (hours) at which it was told."
    )

    class Meta:
        db_table = "outlooks"
        constraints = [
            models.CheckConstraint(condition=Q(left=None) | Q(left__gte=0), name="outlook_left_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.left if self.left is not None else '-'} {self.unit}"
