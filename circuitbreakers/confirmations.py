"""The two-person rule has what is dangerous wait for a second person, who confirms what the first one asked.

A verb raises Needed where it stands; `asking` around it writes the row. Nothing is done until somebody else confirms,
and then by the same verb, which compares what was shown with what is there.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from circuitbreakers import events
from circuitbreakers.models import Confirmation
from circuitbreakers.permissions import OPERATE_BREAKER, OPERATE_QUEUE
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

FORCED_RESET, ALL_AT_ONCE = "forced-reset", "all-at-once"
# What a second person must be allowed to do, as the first one must.
PERMISSION = {
    Confirmation.RESET: OPERATE_BREAKER,
    Confirmation.RESUME: OPERATE_QUEUE,
    Confirmation.FULL_SPEED: OPERATE_QUEUE,
}


class SecondPersonNeeded(Exception):
    """Nothing was done: it waits for a second person, or nobody is signed in who could ask. The text says which."""


class ConfirmationRefused(Exception):
    """The order was not confirmed or taken back; the text says why and what to do."""


@dataclass(eq=False)
class Needed(Exception):
    """A verb raises this where it would act: what is asked for, bound to what is `shown`, and why one is too few."""

    act: str
    why: str
    service: str = ""
    shown: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def rules(name: str) -> bool:
    """Say whether this installation asks for two persons for a forced reset, or for all at once."""
    return name in settings.TWO_PERSONS_FOR


@contextmanager
def asking(*, actor: events.Actor, reason: str) -> Iterator[None]:
    """Write down what the block needs a second person for, outside of its transaction, and raise SecondPersonNeeded."""
    try:
        yield
    except Needed as need:
        if actor.user is None:
            raise SecondPersonNeeded(
                f"Not done: {need.why}. That takes two persons who are signed in, and a command knows of none: "
                "ask for it in the console or through the API."
            ) from None
        row = _ask(need, actor, actor.user, reason)
        raise SecondPersonNeeded(
            f"Not done yet: {need.why}. Somebody else must confirm number {row.pk} before "
            f"{row.expires_at:%Y-%m-%d %H:%M} UTC: console, Recovery, Second person."
        ) from None


def _ask(need: Needed, actor: events.Actor, asker: int, reason: str) -> Confirmation:
    """Write the row; the same person's older one for the same act gives way to it."""
    now = timezone.now()
    with transaction.atomic():
        older = waiting().filter(act=need.act, service=need.service, asker=asker)
        older.update(ended_at=now, ended_by=actor.name, ended_how=Confirmation.WITHDRAWN)
        row = Confirmation.objects.create(
            act=need.act,
            service=need.service,
            options=need.options,
            shown=need.shown,
            why=fit(need.why, Confirmation, "why"),
            reason=fit(reason, Confirmation, "reason"),
            asker=asker,
            asked_by=actor.name,
            asked_at=now,
            expires_at=now + timedelta(minutes=settings.TWO_PERSONS_MINUTES),
        )
        _record(row, "asked", actor, reason)
    logger.warning("Confirmation %d asked by %s: %s", row.pk, actor.name, row, extra={"actor": actor.name})
    return row


def _record(row: Confirmation, verb: str, actor: events.Actor, reason: str = "") -> None:
    after = {"act": row.act, "service": row.service, "asked_by": row.asked_by, "shown": row.shown}
    events.record("confirmation", row.pk, verb, actor=actor, reason=reason, after=after)


def waiting() -> QuerySet[Confirmation]:
    """Return what waits for a second person now."""
    return Confirmation.objects.filter(ended_at=None, expires_at__gt=timezone.now())


def claim(row: Confirmation, *, actor: events.Actor) -> None:
    """Take the row for its one use by a second person. Raises ConfirmationRefused: oneself, nobody, too late."""
    if actor.user is None:
        raise ConfirmationRefused("Who confirms must be signed in: in the console, or through the API.")
    if actor.user == row.asker:
        raise ConfirmationRefused("You asked for this yourself: somebody else must confirm it.")
    if actor.name == settings.BREAK_GLASS_USER:
        raise ConfirmationRefused("The break-glass login is nobody's own: it cannot be the second person.")
    with transaction.atomic():
        values = {"ended_at": timezone.now(), "ended_by": actor.name, "ended_how": Confirmation.CONFIRMED}
        if waiting().filter(pk=row.pk).update(**values) != 1:
            raise ConfirmationRefused("It no longer waits: confirmed, taken back, or too old. Ask for it again.")
        _record(row, "confirmed", actor)


def mark_refused(row: Confirmation, *, actor: events.Actor, reason: str) -> None:
    """Write down that what was confirmed was refused when it should be done: its use is up."""
    Confirmation.objects.filter(pk=row.pk).update(ended_how=Confirmation.REFUSED)
    _record(row, "refused", actor, reason)


def decline(row: Confirmation, *, actor: events.Actor, reason: str = "") -> None:
    """Say no to it, or take back one's own. Raises ConfirmationRefused when it no longer waits."""
    how = Confirmation.WITHDRAWN if actor.user == row.asker else Confirmation.DECLINED
    with transaction.atomic():
        values = {"ended_at": timezone.now(), "ended_by": actor.name, "ended_how": how}
        if waiting().filter(pk=row.pk).update(**values) != 1:
            raise ConfirmationRefused("It no longer waits: there is nothing to take back.")
        _record(row, how, actor, reason)
