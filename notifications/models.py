"""PostgreSQL keeps here what is to be told, whom, and what became of it."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from circuitbreakers.models import Incident
from circuitbreakers.storable import REASON_LENGTH
from notifications.kinds import SEVERITIES


class Channel(models.Model):
    """A channel is a way to people: an Apprise URL, or a webhook with its secret. Both are sealed, and shown nowhere.

    `severity` is the least that it is told. `kinds` are those that it is told of; none: all of them.
    """

    class Kind(models.TextChoices):
        APPRISE = "apprise", "Apprise (mail, chat, pager)"
        WEBHOOK = "webhook", "Signed webhook"

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    sealed = models.TextField(editable=False, help_text="Encrypted by SECRET_KEY: notifications/sealing.py.")
    hint = models.CharField(max_length=60, editable=False, help_text="As much of its target as may be shown.")
    severity = models.CharField(
        max_length=10, choices=[(name, name) for name in SEVERITIES], default="info", help_text="The least it is told."
    )
    kinds = models.JSONField(default=list, blank=True, help_text="Told of these kinds alone; none: of all.")
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "channels"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=("apprise", "webhook")), name="channel_kind_known"),
            models.CheckConstraint(condition=Q(severity__in=SEVERITIES), name="channel_severity_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def wants(self, kind: str, severity: str) -> bool:
        """Say whether it is to be told of that; a test reaches it whatever it wants."""
        enough = SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)
        return enough and (not self.kinds or kind in self.kinds)


class Message(models.Model):
    """A row of the outbox, written in the transaction of what it tells of. Its id is what receivers know it by.

    `key` names what is told: it is written once. `body` is empty until the message is routed to its channels.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=30, help_text="One of notifications/kinds.py, which may get more.")
    severity = models.CharField(max_length=10)
    subject = models.CharField(max_length=200)
    facts = models.CharField(max_length=REASON_LENGTH, blank=True, help_text="A sentence on what happened.")
    body = models.TextField(blank=True)
    path = models.CharField(max_length=200, blank=True, help_text="Of the page where something can be done.")
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="messages", db_constraint=False
    )
    channel = models.ForeignKey(
        Channel, null=True, blank=True, on_delete=models.CASCADE, help_text="Told there alone: a test, or a digest."
    )
    at = models.DateTimeField(default=timezone.now)
    routed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "messages"
        ordering = ["-at"]
        indexes = [
            models.Index("at", condition=Q(routed_at=None), name="message_unrouted"),
            models.Index("at", name="message_at"),
        ]
        constraints = [models.CheckConstraint(condition=Q(severity__in=SEVERITIES), name="message_severity_known")]

    def __str__(self) -> str:
        return self.subject


class Delivery(models.Model):
    """A delivery is one message on its way to one channel. FOLDED: part of a digest instead."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        SENT = "SENT"
        GIVEN_UP = "GIVEN_UP"
        FOLDED = "FOLDED"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Begun; it also names who may note how one ended.")
    next_at = models.DateTimeField(default=timezone.now, help_text="Not before; while one is made, its lease.")
    last_error = models.CharField(max_length=300, blank=True)
    queued_at = models.DateTimeField(default=timezone.now, help_text="When it was routed, or replayed.")
    sent_at = models.DateTimeField(null=True, blank=True)
    digest = models.ForeignKey(
        Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="folded", help_text="What it became."
    )

    class Meta:
        db_table = "deliveries"
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("replay_delivery", "Can send a message again")]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["message", "channel"], name="delivery_once_per_channel"),
            models.CheckConstraint(
                condition=Q(state__in=("PENDING", "SENT", "GIVEN_UP", "FOLDED")), name="delivery_state_known"
            ),
            models.CheckConstraint(condition=Q(sent_at=None) | Q(state="SENT"), name="delivery_sent_at_when_sent"),
        ]
        indexes = [
            models.Index("channel", "next_at", condition=Q(state="PENDING"), name="delivery_due"),
            models.Index("channel", "queued_at", name="delivery_lately"),  # a storm
            models.Index("channel", condition=Q(state="FOLDED", digest=None), name="delivery_unfolded"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Condition(models.Model):
    """A row is something that is wrong at present: since when, and whether it was told."""

    name = models.CharField(primary_key=True, max_length=40)
    since = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "conditions"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Swept(models.Model):
    """The one row says up to which event it is certain that each has its message."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    event = models.BigIntegerField()

    class Meta:
        db_table = "messages_swept"
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="swept_one_row")]

    def __str__(self) -> str:
        return f"up to event {self.event}"
