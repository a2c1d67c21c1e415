"""A lead file is a CSV that somebody has handed in for a campaign, and that waits for its import."""

from django.db import models
from django.utils import timezone

from campaigns.models.campaign import Campaign


class LeadFile(models.Model):
    """A lead file is kept, as text, until its people are taken in, another file takes its place, or a day is over.

    As text, so that whoever is erased goes out of it as out of every other text of ours.
    """

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="lead_file")
    name = models.CharField(max_length=200)
    text = models.TextField()
    encoding = models.CharField(max_length=20)
    encoding_guessed = models.BooleanField(default=False)
    delimiter = models.CharField(max_length=1)
    mapping = models.JSONField(default=dict, help_text="Header -> field, '' to ignore the column.")
    # What an import would do, as of the last look: who is taken, who is left out and why; or why it is refused.
    foretold = models.JSONField(null=True, blank=True)
    refused = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "lead_files"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
