"""A second person's confirmation is carried out by the verb that was asked for, with what two persons saw."""

from typing import Any

from django.contrib.auth import get_user_model

from campaigns import recovery
from circuitbreakers import breaker, confirmations, events, ramp_verbs
from circuitbreakers.confirmations import ConfirmationRefused
from circuitbreakers.models import Confirmation
from circuitbreakers.storable import REASON_LENGTH
from circuitbreakers.switch import RedisUnavailable

# Why the verb may refuse what two persons want.
REFUSALS = (breaker.BreakerRefused, recovery.ResumeRefused, ramp_verbs.RampRefused)


def confirm(row: Confirmation, *, actor: events.Actor) -> str:
    """Do what the row asks for, once, and return a sentence on it.

    Raises ConfirmationRefused (nobody else, too late, who asked may no longer do it, the verb refuses: what was shown
    has changed) and RedisUnavailable. Whatever comes of it, the row's use is up.
    """
    _require_asker(row)
    confirmations.claim(row, actor=actor)
    try:
        return _act(row, actor)
    except REFUSALS as refusal:
        confirmations.mark_refused(row, actor=actor, reason=str(refusal))
        raise ConfirmationRefused(str(refusal)) from None
    except RedisUnavailable as error:
        confirmations.mark_refused(row, actor=actor, reason=str(error))
        raise


def _require_asker(row: Confirmation) -> None:
    asker = get_user_model().objects.filter(pk=row.asker, is_active=True).first()
    if asker is None or not asker.has_perm(confirmations.PERMISSION[row.act]):
        raise ConfirmationRefused(f"{row.asked_by} may no longer do this. Ask for it yourself, and have it confirmed.")


def _act(row: Confirmation, actor: events.Actor) -> str:
    details: Any = {
        "actor": actor,
        "reason": f"asked by {row.asked_by}: {row.reason}"[:REASON_LENGTH],
        "confirmed": row,
    }
    if row.act == Confirmation.RESET:
        changed = breaker.reset(row.service, force=True, **details)
        return f"The {row.service} breaker {'is reset by force' if changed else 'was closed already'}."
    if row.act == Confirmation.FULL_SPEED:
        ramp_verbs.all_at_once(row.service, **details)
        return f"{row.service} is at full speed."
    return recovery.resume(**row.options, **details).message
