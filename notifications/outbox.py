"""Each event that is told has a row in the outbox, written in the event's own transaction. Where that failed, for a
pause must never wait for its message, the supervisor's sweep writes it."""

import logging
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.urls import reverse

from campaigns.wake import wake_supervisor
from circuitbreakers.models import Event
from circuitbreakers.storable import fit
from notifications import kinds, texts
from notifications.kinds import Kind
from notifications.models import Channel, Message, Swept

logger = logging.getLogger(__name__)

# Transactions that were open longer when they wrote an event may have it overlooked by the sweep.
LONGEST_TRANSACTION = timedelta(minutes=2)
# A first sweep does not go back beyond this: nobody is told of last year's openings.
FIRST = timedelta(hours=1)
BATCH = 5000


def hear(event: Event, **kwargs: Any) -> None:
    """Write the message of an event, in the caller's transaction, unless it is not told: the receiver of
    `event_recorded`. Whatever goes wrong here undoes nothing but the message."""
    kind = kinds.of_event(event.subject_type, event.verb)
    if kind is None:
        return
    try:
        with transaction.atomic():
            write_of(event, kind)
            wake_supervisor()
    except DatabaseError as error:
        logger.warning("The message of event %s was not written, the sweep will: %s", event.pk, error)


def write_of(event: Event, kind: Kind) -> bool:
    """Write the message of one event; False if it is there."""
    return write(
        kind,
        key=kinds.key_of(kind.name, event.pk, event.incident_id),
        subject=kind.subject.format(id=event.subject_id, actor=event.actor),
        facts=event.reason if kind.facts else "",
        incident=event.incident_id,
    )


def write(
    kind: Kind, *, key: str, subject: str, facts: str = "", incident: int | None = None, channel: Channel | None = None
) -> bool:
    """Write one message, in the caller's transaction; False if what `key` names was told before."""
    message = Message(
        key=fit(key, Message, "key"),
        kind=kind.name,
        severity=kind.severity,
        subject=fit(texts.safe(subject), Message, "subject"),
        facts=fit(texts.safe(facts), Message, "facts"),
        path=path_of(kind),
        incident_id=incident,
        channel=channel,
    )
    before = Message.objects.filter(key=message.key).exists()
    Message.objects.bulk_create([message], ignore_conflicts=True)
    return not before


def path_of(kind: Kind) -> str:
    return reverse(kind.page)


def sweep() -> int:
    """Write the messages that events of lately lack; how many."""
    swept = Swept.objects.first() or _begin()
    events = Event.objects.filter(pk__gt=swept.event).order_by("pk")
    newest = events[:BATCH].aggregate(newest=Max("pk"))["newest"]
    if newest is None:
        return 0
    written = 0
    wanted = {
        kinds.key_of(kind.name, event.pk, event.incident_id): (event, kind)
        for event in events.filter(pk__lte=newest, verb__in={verb for _, verb in kinds.OF_EVENTS})
        if (kind := kinds.of_event(event.subject_type, event.verb))
    }
    there = set(Message.objects.filter(key__in=wanted).values_list("key", flat=True))
    for key, (event, kind) in wanted.items():
        if key not in there and write_of(event, kind):
            written += 1
            logger.info("The message of event %s was written by the sweep", event.pk)
    # Beyond this, an event with a lower number may yet be committed.
    certain = events.filter(pk__lte=newest, at__lt=Now() - LONGEST_TRANSACTION).aggregate(last=Max("pk"))["last"]
    if certain:
        Swept.objects.filter(pk=swept.pk, event__lt=certain).update(event=certain)
    return written


def _begin() -> Swept:
    old = Event.objects.filter(at__lt=Now() - FIRST).aggregate(last=Max("pk"))["last"]
    row, _ = Swept.objects.get_or_create(pk=Swept.ONLY, defaults={"event": old or 0})
    return row
