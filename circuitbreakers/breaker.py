"""These are the verbs on a breaker: announce an opening, reset, hold, release. Nothing here resumes anything."""

import logging
from datetime import datetime

from django.utils import timezone

from circuitbreakers import confirmations, events, incidents, probes, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Breaker, Confirmation
from circuitbreakers.policies import policy_of
from circuitbreakers.services import validate
from circuitbreakers.signals import breaker_opened
from circuitbreakers.states import BreakerState, Opening
from circuitbreakers.storable import storable

logger = logging.getLogger(__name__)

# How long a reset waits for a probe that somebody else is making (seconds).
PROBE_WAIT = 10.0


class BreakerRefused(Exception):
    """The breaker's state forbids this move; the text says what to do."""


def announce(opening: Opening) -> None:
    """Tell this process's listeners of an opening that it caused. What they leave, the supervisor finishes."""
    _log(opening)
    _tell(opening)


def finish_announcement(state: BreakerState) -> None:
    """Write the incident of an opening whose own process did not; the supervisor's and reset's fallback."""
    if incidents.of_opening(state) is not None:
        return
    opening = switch.read_opening(state)
    # Several may try to finish it, again and again while PostgreSQL refuses: the one that has done it says so.
    if _tell(opening):
        _log(opening)


def _log(opening: Opening) -> None:
    ids = _ids(opening)
    logger.warning(
        "Circuit breaker opened for service %s after %d failures", opening.service, opening.failures, extra=ids
    )
    logger.warning("Pausing queues for service %s due to circuit breaker", opening.service, extra=ids)


def _tell(opening: Opening) -> bool:
    """Send the signal of an opening, and return whether a listener says that it wrote the opening down. One that raises
    is logged, and breaks nothing."""
    written = False
    for _, result in breaker_opened.send_robust(sender=None, opening=opening):
        if isinstance(result, Exception):
            logger.error("A listener failed on the opening of %s: %r", opening.service, result, extra=_ids(opening))
        written = written or result is True
    return written


def _ids(opening: Opening) -> dict[str, object]:
    return {"service": opening.service, "epoch": opening.epoch, "failure_type": opening.failure_type}


def require_reason(reason: str) -> str:
    """Return the reason, stripped and as a row takes it; raises BreakerRefused when there is none."""
    reason = storable(reason).strip()
    if not reason:
        raise BreakerRefused("A reason is needed: it becomes part of the incident.")
    return reason


def reset(
    service: str,
    *,
    actor: events.Actor,
    reason: str = "",
    force: bool = False,
    confirmed: Confirmation | None = None,
) -> bool:
    """Close the breaker of `service`; True when it was open, False when it was closed already.

    Touches neither queue nor campaigns nor jobs. `confirmed` is what a second person has claimed. Raises
    UnknownService, RedisUnavailable, SecondPersonNeeded, BreakerRefused (held; the probe failed and it is not forced;
    forced without a reason; opened again since it was asked for).
    """
    state = switch.read(validate(service))
    if state.state == "lost":
        raise BreakerRefused(
            f"The state of {service} is being rebuilt. Is the supervisor running? Try again in a few seconds."
        )
    if state.held:
        raise BreakerRefused(f"The {service} breaker is held: {state.hold_reason}. Release it first.")
    if state.state != "closed":
        if force:
            _require_second_person(state, actor, require_reason(reason), confirmed)
        _require_probe(service, actor, reason, force)
        finish_announcement(state)
        if incidents.of_opening(state) is None:
            raise BreakerRefused(f"The opening of {service} is not on record yet. Try again in a few seconds.")
    with switch_lock():
        # Just this opening: one that came since has neither been probed nor written down.
        opening = 0 if state.state == "closed" else state.opening_epoch
        verdict, *rest = switch.run("reset", service, [actor.name, opening])
        if verdict == "moved":
            raise BreakerRefused(f"The {service} breaker has opened again meanwhile. Look at the cause and try again.")
        if verdict == "held":
            raise BreakerRefused(f"The {service} breaker is held. Release it first.")
        if verdict == "lost":
            raise BreakerRefused(f"The state of {service} is being rebuilt. Try again in a few seconds.")
        if verdict == "reset":
            incidents.mark_reset(
                service, int(rest[0] or 0), actor=actor, reason=f"forced: {reason}" if force else reason
            )
        else:
            events.record("breaker", service, "failures_cleared", actor=actor, reason=reason)
    logger.info("Circuit breaker manually reset for %s", service, extra={"service": service, "actor": actor.name})
    return verdict == "reset"


def _require_second_person(
    state: BreakerState, actor: events.Actor, reason: str, confirmed: Confirmation | None
) -> None:
    shown = {"epoch": state.opening_epoch}
    if confirmed:
        if confirmed.shown != shown:
            raise BreakerRefused(f"The {state.service} breaker has opened again since this was asked for. Ask anew.")
    elif confirmations.rules(confirmations.FORCED_RESET):
        with confirmations.asking(actor=actor, reason=reason):
            raise confirmations.Needed(Confirmation.RESET, "a forced reset", state.service, shown)


def _require_probe(service: str, actor: events.Actor, reason: str, force: bool) -> None:
    if force:
        require_reason(reason)
        return
    try:
        result = probes.probe(service, actor=actor, reason=reason, wait=PROBE_WAIT)
    except probes.ProbeRunning as error:
        raise BreakerRefused(str(error)) from None
    if not result.ok:
        raise BreakerRefused(
            f"The probe of {service} failed: {result.detail} "
            "Mend the cause and try again, or force the reset with a reason."
        )


def hold(service: str, *, actor: events.Actor, reason: str, remind_at: datetime | None = None) -> bool:
    """Force the breaker open until it is released; False when it was held already. An opening in every respect.

    Written to PostgreSQL first: should this process die, the supervisor holds it. Raises UnknownService,
    BreakerRefused, RedisUnavailable.
    """
    reason = require_reason(reason)
    now = timezone.now()
    free = Breaker.objects.filter(service=validate(service), held_at=None)
    if not free.update(held_at=now, held_by=actor.name, hold_reason=reason, remind_at=remind_at):
        return False
    events.record("breaker", service, "held", actor=actor, reason=reason, incident=incidents.current())
    apply_hold(service, reason)
    return True


def apply_hold(service: str, reason: str) -> None:
    """Make the switch hold the breaker, and announce it if that opened it."""
    answer = switch.run("hold", service, [reason, policy_of(service).reset_timeout_us])
    if answer[0] == "opened":
        announce(Opening.from_answer(service, answer))


def release(service: str, *, actor: events.Actor, reason: str = "") -> bool:
    """End a hold; False when there was none. The breaker stays open, to be reset."""
    with switch_lock():
        held = Breaker.objects.filter(service=validate(service)).exclude(held_at=None)
        was_on_record = held.update(held_at=None, held_by="", hold_reason="", remind_at=None)
        # The switch is asked in any case: it may hold what PostgreSQL does not (a crossed hold, an old copy).
        verdict = switch.run("release", service)[0]
        if verdict == "lost":
            raise BreakerRefused(f"The state of {service} is being rebuilt. Try again in a few seconds.")
        if not was_on_record and verdict == "not_held":
            return False
        events.record("breaker", service, "released", actor=actor, reason=reason, incident=incidents.current())
    logger.info("Hold of %s released by %s", service, actor.name, extra={"service": service})
    return True


def half_open(service: str) -> bool:
    """Move the breaker from OPEN to HALF_OPEN if its wait is over; True when this call did it. Only free probes are
    admitted then."""
    if switch.run("half_open", service)[0] != "half_opened":
        return False
    logger.info("Circuit breaker half-open for %s: probing", service, extra={"service": service})
    events.record(
        "breaker",
        service,
        "half_opened",
        actor=events.SUPERVISOR,
        before={"state": "open"},
        after={"state": "half_open"},
        incident=incidents.unreset().get(service),
    )
    return True
