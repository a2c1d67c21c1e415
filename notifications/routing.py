"""A message is routed once: its text is composed, and each channel that wants it gets a delivery. Of a storm, what is
over becomes one message."""

import logging
from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Min, Q
from django.utils import timezone

from notifications import kinds, outbox, texts
from notifications.kinds import CRITICAL, SEVERITIES
from notifications.models import Channel, Delivery, Message

logger = logging.getLogger(__name__)

# A storm: so many messages to one channel within the window. Critical ones are counted for themselves, so that an
# opening is not held up by fifty budgets.
MOST = 10
WINDOW = timedelta(minutes=5)
# What was folded is told when so much time has passed, or so long nothing has come.
LONGEST_FOLDED, QUIET = timedelta(minutes=5), timedelta(minutes=1)
BATCH = 200
NAMED = 30  # messages of a digest
# A delivery that nobody made for so long is out of date: its channel was switched off.
STALE = timedelta(days=2)


def is_due() -> bool:
    """Say whether anything waits to be routed or folded."""
    return Message.objects.filter(routed_at=None).exists() or bool(_folded())


def route() -> int:
    """Route what waits; how many. The text is read outside of the transaction that holds the rows."""
    waiting = list(Message.objects.filter(routed_at=None).order_by("at").values_list("pk", flat=True)[:BATCH])
    if not waiting:
        return 0
    now = texts.sentence()
    return sum(_route(pk, now) for pk in waiting)


def _route(pk: UUID, sentence: str) -> bool:
    with transaction.atomic():
        # Another process may route it at this moment; then it is done.
        rows = Message.objects.select_for_update(skip_locked=True).select_related(None)
        message = rows.filter(pk=pk, routed_at=None).first()
        if message is None:
            return False
        message.body = message.body or texts.body_of(message, sentence)
        message.routed_at = timezone.now()
        message.save(update_fields=["body", "routed_at"])
        for channel in _channels_of(message):
            folded = message.channel_id is None and _is_storm(channel, message)
            state = Delivery.State.FOLDED if folded else Delivery.State.PENDING
            Delivery.objects.get_or_create(message=message, channel=channel, defaults={"state": state})
    return True


def _channels_of(message: Message) -> list[Channel]:
    if message.channel_id:
        return list(Channel.objects.filter(pk=message.channel_id))
    return [row for row in Channel.objects.filter(enabled=True) if row.wants(message.kind, message.severity)]


def _is_storm(channel: Channel, message: Message) -> bool:
    lately = Delivery.objects.filter(channel=channel, queued_at__gt=timezone.now() - WINDOW, message__channel=None)
    alike = Q(message__severity=CRITICAL) if message.severity == CRITICAL else ~Q(message__severity=CRITICAL)
    return lately.filter(alike).exclude(state=Delivery.State.FOLDED).count() >= MOST


def _folded() -> list[int]:
    """Return the channels whose folded messages are to be told now."""
    now = timezone.now()
    rows = Delivery.objects.filter(state=Delivery.State.FOLDED, digest=None).values("channel")
    due = rows.annotate(first=Min("queued_at"), last=Max("queued_at")).filter(
        Q(first__lt=now - LONGEST_FOLDED) | Q(last__lt=now - QUIET)
    )
    return [row["channel"] for row in due.order_by()]


def fold() -> int:
    """Make one message of what was over in a storm, for each channel where it is time; how many digests."""
    return sum(_fold(pk) for pk in _folded())


def _fold(channel: int) -> bool:
    with transaction.atomic():
        folded = Delivery.objects.filter(channel=channel, state=Delivery.State.FOLDED, digest=None)
        rows = list(folded.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
        if not rows:
            return False
        told = list(Message.objects.filter(deliveries__in=rows).order_by("at"))
        kind = kinds.DIGEST
        digest = Message(
            key=f"digest:{channel}:{rows[0]}",
            kind=kind.name,
            severity=max((row.severity for row in told), key=SEVERITIES.index),
            subject=kind.subject.format(id=len(told)),
            facts=_counted(told),
            path=outbox.path_of(kind),
            channel_id=channel,
        )
        digest.body = _listed(digest, told)
        digest.save(force_insert=True)
        Delivery.objects.filter(pk__in=rows).update(digest=digest)
    logger.warning("A storm: %d messages to channel %s became one", len(told), channel)
    return True


def _counted(told: list[Message]) -> str:
    counts = Counter(row.kind.replace("_", " ") for row in told)
    return f"Too many to tell one by one: {', '.join(f'{number} {kind}' for kind, number in counts.items())}."


def _listed(digest: Message, told: list[Message]) -> str:
    lines = [f"{row.at:%H:%M:%S} UTC  {row.subject}" for row in told[:NAMED]]
    if len(told) > NAMED:
        lines.append(f"and {len(told) - NAMED} more")
    return "\n\n".join([digest.facts, "\n".join(lines), texts.link_of(digest)])


def give_up_stale() -> int:
    """Give up what waits for a channel that was switched off; how many. It would be yesterday's news."""
    stale = Delivery.objects.filter(state=Delivery.State.PENDING, queued_at__lt=timezone.now() - STALE)
    return stale.update(last_error="It waited too long: was its channel switched off?", state=Delivery.State.GIVEN_UP)
