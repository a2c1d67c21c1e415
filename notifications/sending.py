"""A delivery is claimed, sent and noted. Whoever dies in between is followed by another after the lease; the receiver
knows the message by its id. So it is sent at least once, and told once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from notifications import apprise_channels, retries, sealing, webhooks
from notifications.models import Channel, Delivery, Message
from notifications.sealing import Target
from notifications.webhooks import DeliveryFailed
from telemetry import counters

logger = logging.getLogger(__name__)

# Seconds that a delivery is somebody's. Longer than any attempt takes, or it is sent twice.
LEASE = 60
NEVER_ENDED = "No attempt has come to its end: whoever sent it died."
SENDERS: dict[str, Callable[[Target, Message], None]] = {
    Channel.Kind.APPRISE: apprise_channels.send,
    Channel.Kind.WEBHOOK: webhooks.send,
}

CLAIM = """
UPDATE deliveries SET attempts = attempts + 1, next_at = statement_timestamp() + make_interval(secs => %s) WHERE id = (
    SELECT id FROM deliveries WHERE channel_id = %s AND state = 'PENDING' AND next_at <= statement_timestamp()
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, message_id, channel_id, attempts
"""


@dataclass(frozen=True)
class Claim:
    """A claim is one attempt at a delivery; its number says who may note how it ended."""

    delivery: int
    message: Message
    channel: Channel
    attempt: int


def due_channels() -> list[int]:
    """Return the channels that have something to send now."""
    due = Delivery.objects.filter(state=Delivery.State.PENDING, next_at__lte=Now(), channel__enabled=True)
    return list(due.order_by().values_list("channel", flat=True).distinct())


def send_due(channel: int) -> int:
    """Send what is due on one channel, one after the other, up to the first failure; how many attempts."""
    attempts = 0
    while claimed := claim(channel):
        attempts += 1
        error = attempt(claimed) if claimed.attempt <= retries.MOST else NEVER_ENDED
        note(claimed, error)
        if error:
            break
    return attempts


def claim(channel: int) -> Claim | None:
    """Take the next due delivery of a channel, under a lease; None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [LEASE, channel])
        row = cursor.fetchone()
    if row is None:
        return None
    return Claim(row[0], Message.objects.get(pk=row[1]), Channel.objects.get(pk=row[2]), row[3])


def attempt(claimed: Claim) -> str:
    """Send one message; '' if it was taken, else why not."""
    channel = claimed.channel
    try:
        target = sealing.unseal(channel.sealed)
        if sealing.is_of_an_old_key(channel.sealed):
            Channel.objects.filter(pk=channel.pk, sealed=channel.sealed).update(sealed=sealing.seal(target))
        SENDERS[channel.kind](target, claimed.message)
    except (DeliveryFailed, sealing.CannotOpen) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is tried again and given up one day)
        # Without its text and traceback: they may hold the target.
        return f"Sending failed ({type(error).__name__})."
    return ""


def note(claimed: Claim, error: str) -> bool:
    """Note how an attempt ended; False if another has begun since."""
    mine = Delivery.objects.filter(pk=claimed.delivery, attempts=claimed.attempt, state=Delivery.State.PENDING)
    extra = {"channel": claimed.channel.name, "message_id": claimed.message.pk.hex}
    if not error:
        counters.DELIVERIES.labels("sent").inc()
        return bool(mine.update(sent_at=timezone.now(), state=Delivery.State.SENT, last_error=""))
    wait = retries.wait_after(claimed.attempt)
    text = error[:300]
    counters.DELIVERIES.labels("given_up" if wait is None else "failed").inc()
    if wait is None:
        logger.error(
            "Message '%s' to channel %s is given up: %s", claimed.message.subject, claimed.channel, text, extra=extra
        )
        return bool(mine.update(last_error=text, state=Delivery.State.GIVEN_UP))
    logger.warning(
        "Message '%s' to channel %s not sent, again in %d s: %s",
        *(claimed.message.subject, claimed.channel, wait, text),
        extra=extra,
    )
    return bool(mine.update(next_at=Now() + timedelta(seconds=wait), last_error=text))


def replay(delivery: Delivery) -> bool:
    """Send a message once more, under the same id; False while it is on its way anyway."""
    done = Delivery.objects.filter(pk=delivery.pk).exclude(state=Delivery.State.PENDING)
    return bool(
        done.update(
            attempts=0,
            state=Delivery.State.PENDING,
            next_at=Now(),
            queued_at=Now(),
            sent_at=None,
            digest=None,
        )
    )
