"""These verbs set by hand how fast a service is called: its rate limits, its dispatch window, its speed. Edits of a
policy go the same way, so that two editors see each other."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from circuitbreakers import events, policies, rates, switch
from circuitbreakers.breaker import BreakerRefused
from circuitbreakers.models import MOST_MESSAGES, Breaker, Event
from circuitbreakers.policy import Limits
from circuitbreakers.services import validate
from circuitbreakers.signals import limits_changed
from circuitbreakers.storable import storable

logger = logging.getLogger(__name__)

SLOW = 20  # per cent
FULL = 100
KNOBS = ("rate_limits", "dispatch_window")
# The new limits are in force everywhere after this (seconds): jobs that waited for the old ones are asked again then.
IN_FORCE = policies.CACHE_SECONDS + 1


class EditedMeanwhile(BreakerRefused):
    """Somebody else has edited the row since it was read; the text says who, when and what."""


def change(
    service: str,
    values: Mapping[str, Any],
    *,
    actor: events.Actor,
    reason: str,
    version: int | None = None,
    above_published: bool = False,
) -> dict[str, Any]:
    """Set columns of the service's row in `breakers`, and return what each changed one held before; {} if nothing
    changed.

    An empty `rate_limits` ('') or `dispatch_window` (None) is the environment's. With the `version` that was read, an
    edit that came since is not written over. Raises UnknownService, EditedMeanwhile, ValidationError by field.
    """
    values = dict(values)
    knobs = {name: values[name] for name in KNOBS if name in values}
    values |= checked(validate(service), knobs, above_published=above_published)
    with transaction.atomic():
        row = _locked(service)
        if version is not None and version != row.version:
            raise EditedMeanwhile(edited_meanwhile(service))
        before = {name: getattr(row, name) for name in values if getattr(row, name) != values[name]}
        if before.keys() & set(KNOBS) and not reason.strip():
            raise ValidationError({"reason": "A reason is needed: it becomes part of the record."})
        after = {name: values[name] for name in before}
        if before:
            _write(row, "changed", after, actor=actor, reason=reason)
    return before


def slow(service: str, *, actor: events.Actor, reason: str, percent: int = SLOW) -> bool:
    """Slow the service to so many per cent of all its rate limits; False when it was so already.

    Raises UnknownService, ValidationError (a speed that is none; no reason), BreakerRefused (it has no rate limits).
    """
    if not 1 <= percent < FULL:
        raise ValidationError({"percent": f"{percent} is no slower speed: give 1 to 99 per cent."})
    if not reason.strip():
        raise ValidationError({"reason": "A reason is needed: it becomes part of the record."})
    return _at_speed(validate(service), percent, "slowed", actor, reason)


def full_speed(service: str, *, actor: events.Actor, reason: str = "") -> bool:
    """Bring the service back to its full rate limits; False when it was not slowed. Raises UnknownService."""
    return _at_speed(validate(service), FULL, "full_speed", actor, reason)


def checked(service: str, knobs: Mapping[str, Any], *, above_published: bool = False) -> dict[str, Any]:
    """Return the knobs as they are stored; raises ValidationError by field, with a sentence that says what to do."""
    result, errors = dict(knobs), {}
    if text := storable(knobs.get("rate_limits") or "").strip():
        try:
            limits = rates.typed(text)
            result["rate_limits"] = rates.text_of(limits)
            if not above_published and (broken := rates.above(limits, published(service))):
                errors["rate_limits"] = (
                    f"Above what is published: {'; '.join(broken)}. Lower it, or say that it is above on purpose "
                    "(your plan allows more)."
                )
            elif len(result["rate_limits"]) > 200:
                errors["rate_limits"] = "These are more limits than anybody needs: at most 200 characters."
        except ValueError as error:
            errors["rate_limits"] = str(error)
    elif "rate_limits" in knobs:
        result["rate_limits"] = ""
    window = knobs.get("dispatch_window")
    if window is not None and not 1 <= window <= MOST_MESSAGES:
        errors["dispatch_window"] = (
            f"A dispatch window is 1 to {MOST_MESSAGES:,} messages, not {window:,}. "
            "To stop the service, pause its queue."
        )
    if errors:
        raise ValidationError(errors)
    return result


def published(service: str) -> tuple[rates.RateLimit, ...]:
    """Return the limits that the service's vendor publishes."""
    return rates.parse(settings.RATE_LIMIT_DEFAULTS[service])


def edited_meanwhile(service: str) -> str:
    """Say who edited the service's row last: to whoever edits what it was before."""
    last = Event.objects.filter(subject_type="policy", subject_id=service, verb="changed").first()
    who = f"{last.actor} at {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else "somebody"
    why = f" ({last.reason})" if last and last.reason else ""
    return f"{service} was edited meanwhile by {who}{why}. Nothing was changed: look at it again, then repeat yours."


def _locked(service: str) -> Breaker:
    # A lock and no conditional UPDATE: what was there before, and who won, must be the same in row and event.
    return Breaker.objects.select_for_update().get(service=service)


def _at_speed(service: str, percent: int, verb: str, actor: events.Actor, reason: str) -> bool:
    with transaction.atomic():
        row = _locked(service)
        if row.speed == percent:
            return False
        if percent != FULL and not policies.at_full_speed(service, row.limits):
            raise BreakerRefused(f"{service} has no rate limits to be slowed to {percent} % of: set some first.")
        _write(row, verb, {"speed": percent}, actor=actor, reason=reason)
    return True


def _write(row: Breaker, verb: str, after: dict[str, Any], *, actor: events.Actor, reason: str) -> None:
    """Write columns of a locked row, with the event; tell of new limits once that is committed."""
    limits, before = row.limits, {name: getattr(row, name) for name in after}
    for name, value in after.items():
        setattr(row, name, value)
    # A speed is no edit: it takes nobody's edit away.
    row.version += verb == "changed"
    row.updated_at = timezone.now()
    Breaker.objects.filter(pk=row.pk).update(**after, version=row.version, updated_at=row.updated_at)
    events.record("policy", row.pk, verb, actor=actor, reason=reason.strip(), before=before, after=after)
    transaction.on_commit(policies.forget)
    if row.limits != limits:
        _begin(row.service, limits, row.limits)
        transaction.on_commit(partial(_tell, row.service, actor))


def _begin(service: str, before: Limits, after: Limits) -> None:
    """Let the gate remember windows that it did not have: written before the edit is, when nobody reads them yet."""
    known = {limit.name for limit in policies.at_full_speed(service, before)}
    begun = [limit.scaled(after.speed) for limit in policies.at_full_speed(service, after) if limit.name not in known]
    pairs = [part for limit in begun for part in (limit.name, limit.tolerance_us + limit.interval_us)]
    if not pairs:
        return
    try:
        switch.run("begin_limits", service, pairs)
    except switch.RedisUnavailable:
        # Nothing is admitted meanwhile, and by then the burst is the windows' own again.
        logger.warning("Limits of %s begin without memory: Redis does not answer", service)


def _tell(service: str, actor: events.Actor) -> None:
    logger.info("Limits of %s changed by %s", service, actor.name, extra={"service": service})
    for _, result in limits_changed.send_robust(sender=None, service=service, within=IN_FORCE):
        if isinstance(result, Exception):
            logger.error("A listener failed on the limits of %s: %r", service, result, extra={"service": service})
