"""These are the verbs on channels and deliveries: make, change, remove, test, replay. What a channel leads to goes in
and never comes out."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.events import Actor
from notifications import apprise_channels, guard, kinds, outbox, sealing, sending, webhooks
from notifications.models import Channel, Delivery, Message
from notifications.sealing import Target

LONGEST_URL = 2000
SUBJECT = "channel"  # of the events
# As much of a target's end as may be shown, so that people tell two of them apart.
SHOWN = 4
SHORTEST_SHOWN = 24


class ChannelRefused(Exception):
    """The channel's state forbids it; the text says what to do."""


def save(channel: Channel, *, url: str, secret: str, actor: Actor) -> str:
    """Make a channel or change one, and say so; an empty `url` or `secret` leaves what is there. A new secret signs
    from now on, and the old one for a day along with it. Raises ValidationError, with the fields' names."""
    before = Channel.objects.filter(pk=channel.pk).first() if channel.pk else None
    old = _opened(before) if before else None
    target = _target(channel.kind, url.strip() or (old.url if old else ""), secret.strip(), old)
    channel.sealed, channel.hint = sealing.seal(target), hint_of(target.url)
    if wrong := sorted(set(channel.kinds) - set(kinds.KINDS)):
        raise ValidationError({"kinds": f"There is no kind {', '.join(map(str, wrong))}."})
    channel.created_by = before.created_by if before else actor.name
    with transaction.atomic():
        channel.full_clean(exclude=["sealed", "hint", "created_by"])
        channel.save()
        after = {**_settings_of(channel), "target": "new" if url else "as before", "secret": "new" if secret else "-"}
        events.record(
            SUBJECT,
            channel.pk,
            "changed" if before else "created",
            actor=actor,
            before=_settings_of(before) if before else None,
            after=after,
        )
    return f"Channel {channel.name} {'is changed' if before else 'is made: send it a test message'}."


def _opened(channel: Channel) -> Target | None:
    """Return what it leads to; None when no key of ours opens it any more: it is typed anew."""
    try:
        return sealing.unseal(channel.sealed)
    except sealing.CannotOpen:
        return None


def _target(kind: str, url: str, secret: str, old: Target | None) -> Target:
    errors = {"url": wrong_url(kind, url)}
    if kind == Channel.Kind.WEBHOOK:
        if secret:
            errors["secret"] = webhooks.wrong_secret(secret)
        elif old is None or not old.secrets:
            errors["secret"] = "A webhook needs a secret, with which it is signed."  # noqa: S105
    elif secret:
        errors["secret"] = "Only a webhook has a secret of its own."  # noqa: S105
    if any(errors.values()):
        raise ValidationError({field: error for field, error in errors.items() if error})
    secrets = list(old.secrets) if old else []
    if secret and [secret] != [one for one, _ in secrets[:1]]:
        until = time.time() + webhooks.ROTATION
        secrets = [(secret, None), *((one, until) for one, ends in secrets if ends is None)]
    return Target(url, secrets if kind == Channel.Kind.WEBHOOK else [])


def wrong_url(kind: str, url: str) -> str:
    """Say why a channel cannot lead there; '' if nothing speaks against it."""
    if not url:
        return "Where does it lead?"
    if len(url) > LONGEST_URL or not url.isprintable() or any(map(str.isspace, url)):
        return f"A URL has at most {LONGEST_URL:,} characters, and no white space."
    if kind == Channel.Kind.APPRISE:
        return apprise_channels.wrong_url(url)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("https", "http") or parts.username or parts.password:
        return "A webhook looks like https://host.example/path, without user and password."
    if guard.is_forbidden_name(host):
        return str(guard.Forbidden(host))
    if parts.scheme == "http" and not guard.is_private_name(host):
        return "Beyond our own network a webhook needs https."
    return ""


def hint_of(url: str) -> str:
    """Return as much of a URL as may be shown: its scheme, and the end of a long one."""
    scheme = url.partition("://")[0][:20]
    return f"{scheme}://, ends in {url[-SHOWN:]}" if len(url) >= SHORTEST_SHOWN else f"{scheme}://"


def _settings_of(channel: Channel) -> dict[str, Any]:
    names = ("name", "kind", "severity", "kinds", "enabled")
    return {name: getattr(channel, name) for name in names}


def remove(channel: Channel, *, actor: Actor, reason: str = "") -> None:
    """Remove a channel with the log of its deliveries."""
    with transaction.atomic():
        events.record(
            SUBJECT, channel.pk, "removed", actor=actor, reason=reason, before={**_settings_of(channel), "target": "-"}
        )
        channel.delete()


def test(channel: Channel, *, actor: Actor) -> Message:
    """Have a test message sent to one channel, whatever else it wants. Raises ChannelRefused when it is off."""
    if not channel.enabled:
        raise ChannelRefused(f"Channel {channel.name} is switched off.")
    with transaction.atomic():
        event = events.record(SUBJECT, channel.pk, "tested", actor=actor)
        key = f"test:{event.pk}"
        outbox.write(kinds.TEST, key=key, subject=kinds.TEST.subject.format(actor=actor.name), channel=channel)
        wake_supervisor()
    return Message.objects.get(key=key)


def replay(delivery: Delivery, *, actor: Actor, reason: str = "") -> None:
    """Send a message again to one channel, under its old id. Raises ChannelRefused while it is on its way, or when its
    channel is off."""
    if not delivery.channel.enabled:
        raise ChannelRefused(f"Channel {delivery.channel.name} is switched off.")
    with transaction.atomic():
        if not sending.replay(delivery):
            raise ChannelRefused(f"Delivery {delivery.pk} is on its way.")
        events.record("delivery", delivery.pk, "replayed", actor=actor, reason=reason)
        wake_supervisor()


def as_dict(channel: Channel) -> dict[str, Any]:
    """Return a channel as API and command show it; of its target nothing but the hint."""
    return {
        "id": channel.pk,
        **_settings_of(channel),
        "hint": channel.hint,
        "created_by": channel.created_by,
        "created_at": channel.created_at,
    }


def troubles(rows: Sequence[Channel] | None = None) -> list[str]:
    """Write a sentence on each channel that does not get through at present: something is given up or failing."""
    sentences = []
    for channel in Channel.objects.filter(enabled=True) if rows is None else rows:
        last = channel.deliveries.exclude(state=Delivery.State.FOLDED).exclude(attempts=0).order_by("-queued_at", "-id")
        latest = last.first()
        if latest and latest.last_error and latest.state != Delivery.State.SENT:
            sentences.append(f"Channel {channel.name} does not get through: {latest.last_error}")
    return sentences
