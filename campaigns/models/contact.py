"""One person is in one conversation: whoever writes to somebody holds this row."""

from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from campaigns.models.lead import Lead


class Contact(models.Model):
    """A contact is one person by one name: a normalised address, or `apollo:` and Apollo's id. It has one holder.

    Its key, and no query, is what keeps two campaigns from writing to the same person. It is held as long as its lead
    is OPEN; a row that nobody holds any more remembers the last push and what came of it.
    """

    key = models.CharField(max_length=320, primary_key=True)
    domain = models.CharField(max_length=255, blank=True, help_text="The registrable one; none for an Apollo id.")
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="contacts", db_index=False
    )
    lead = models.ForeignKey(
        Lead, null=True, blank=True, on_delete=models.SET_NULL, related_name="contacts", db_index=False
    )
    held_since = models.DateTimeField(null=True, blank=True)
    # The claim whose push may be under way: who suppresses waits for it. '' before the first push.
    pushing = models.CharField(max_length=40, blank=True)
    pushed_at = models.DateTimeField(null=True, blank=True)
    pushed_by = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    outcome = models.CharField(max_length=20, blank=True, help_text="The last: sent, bounced, replied, unsubscribed.")
    outcome_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "contacts"
        ordering = ["key"]
        indexes = [
            models.Index(
                fields=["domain", "pushed_at"], condition=~Q(domain=""), name="contact_domain"
            ),  # how many people of one company
            models.Index(fields=["lead"], condition=Q(lead__isnull=False), name="contact_lead"),
            models.Index(fields=["campaign"], condition=Q(campaign__isnull=False), name="contact_campaign"),
        ]
        constraints = [models.CheckConstraint(condition=~Q(key=""), name="contact_has_key")]

    def __str__(self) -> str:
        return self.key
