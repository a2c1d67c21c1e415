"""Nobody writes to the addresses and domains in this table."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class Suppression(models.Model):
    """A row is an address, or a whole domain, that nobody writes to. Asked at import and before each paid step.

    Whoever opted out themselves stays on the list: FINAL. An erased person's row holds a keyed hash of the address.
    """

    class Cause(models.TextChoices):
        OPERATOR = "operator", "Put here by a person"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
        NOT_INTERESTED = "not_interested", "Not interested"
        WRONG_PERSON = "wrong_person", "Wrong person"
        BOUNCED = "bounced", "Bounced"
        ERASED = "erased", "Erased on request"

    # Those that somebody may give. A person is erased by another verb, which leaves a hash and no address.
    GIVEN = (Cause.OPERATOR, Cause.UNSUBSCRIBED, Cause.NOT_INTERESTED, Cause.WRONG_PERSON, Cause.BOUNCED)
    FINAL = (Cause.UNSUBSCRIBED, Cause.NOT_INTERESTED, Cause.ERASED)

    value = models.CharField(max_length=320, unique=True, help_text="An address, or a domain such as acme.example.")
    cause = models.CharField(
        max_length=20, choices=Cause.choices, default=Cause.OPERATOR, editable=False, db_default="operator"
    )
    reason = models.CharField(max_length=300, blank=True)
    source = models.CharField(
        max_length=20, blank=True, editable=False, default="", db_default="", help_text="The door that it came through."
    )
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    blocked_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when Instantly's own block list has it too."
    )

    class Meta:
        db_table = "suppressions"
        ordering = ["value"]
        indexes = [models.Index(fields=["id"], condition=Q(blocked_at=None), name="suppression_unblocked")]
        constraints = [
            models.CheckConstraint(condition=Q(value=Lower("value")) & ~Q(value=""), name="suppression_normalised"),
            models.CheckConstraint(
                condition=Q(
                    cause__in=["operator", "unsubscribed", "not_interested", "wrong_person", "bounced", "erased"]
                ),
                name="suppression_cause_known",
            ),
        ]

    def __str__(self) -> str:
        return self.value

    @property
    def final(self) -> bool:
        """Whether nobody may take it off the list: it is the person's own wish."""
        return self.cause in self.FINAL

    @property
    def why_final(self) -> str:
        """The sentence why nobody may take it off the list; '' for a row that may be lifted."""
        on = f"on {self.created_at:%Y-%m-%d}"
        whose = {
            self.Cause.UNSUBSCRIBED: f"{self.value} unsubscribed {on}",
            self.Cause.NOT_INTERESTED: f"{self.value} wanted to hear no more {on}",
            self.Cause.ERASED: f"This person was erased on request {on}",
        }
        act = whose.get(self.Cause(self.cause))
        return f"{act}: nobody can take that off the list." if act else ""
