"""A ramp is moved by the supervisor and by an operator's verbs. None of these begins one: that is the resume's."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone

from circuitbreakers import confirmations, events, pauses, ramps, switch
from circuitbreakers.breaker import announce, require_reason
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Confirmation, QueuePause, Ramp, place
from circuitbreakers.policies import policy_of
from circuitbreakers.services import validate
from circuitbreakers.states import Opening, Stage

# Seconds that a canary's call may take beyond its deadline before it counts as failed: less than jobs.LEASE_MARGIN.
OVERDUE = 10
SECOND = 1_000_000
DONE = "Every service is at full speed again"

logger = logging.getLogger(__name__)


class RampRefused(Exception):
    """The ramp was not moved; the text says why."""


def step(deadline: Callable[[str], float]) -> int:
    """Take each ramp on as far as its calls allow, and write down where the switch has it; how many moved.

    `deadline` says after how many seconds a service's call is cut off. Raises RedisUnavailable.
    """
    rows = ramps.unfinished()
    if not rows:
        return 0
    moved = 0
    for service in rows:
        answer = switch.run(
            "step_ramp",
            service,
            [
                settings.RAMP_STEP_SECONDS * SECOND,
                settings.RAMP_STEP_CALLS,
                int((deadline(service) + OVERDUE) * SECOND),
                policy_of(service).reset_timeout_us,
            ],
        )
        if answer[0] == "opened":
            announce(Opening.from_answer(service, answer))
            moved += 1
    gates = switch.read_all().gates
    return moved + sum(_write_down(row, gates[service].stage) for service, row in rows.items())


def _write_down(row: Ramp, stage: Stage) -> int:
    """Let a row follow the switch, which decides; 1 if it changed. An opening ends a row with its incident."""
    if stage.percent is None or (stage.percent == row.stage and stage.held == row.held):
        return 0
    before, ends = row.stage, stage.percent >= ramps.FULL
    values = {
        "stage": stage.percent,
        "stage_since": stage.since,
        # Whoever held it, or let it go on, died before it was on record.
        "held_by": (row.held_by or "unknown") if stage.held else "",
        "ended_at": timezone.now() if ends else None,
        "ended_how": Ramp.FULL if ends else "",
    }
    if not Ramp.objects.filter(pk=row.pk, ended_at=None, stage=before, held_by=row.held_by).update(**values):
        return 0
    row.stage = stage.percent
    if before != row.stage:
        _record(row, "ramp_full" if ends else "ramp_moved", actor=events.SUPERVISOR, before=before)
    if ends:
        _say_if_done(row, actor=events.SUPERVISOR)
    return 1


def _say_if_done(row: Ramp, *, actor: events.Actor) -> None:
    """Put on record that a resume has come to its end: its last ramp has ended, and nothing has paused all again."""
    if not ramps.unfinished() and pauses.standing(QueuePause.SYSTEM) is None:
        events.record("queue", "all", "resume_done", actor=actor, reason=DONE, incident=row.incident)


def _record(row: Ramp, verb: str, *, actor: events.Actor, reason: str = "", before: int | None = None) -> None:
    ramps.record(row, verb, actor=actor, reason=reason, before=before)
    did = f"{verb.replace('_', ' ')} by {actor.name}, at {row.place}"
    logger.info("%s of %s", did.capitalize(), row.service, extra={"service": row.service})


@contextmanager
def _ramp(service: str) -> Iterator[Ramp]:
    """Find the ramp of `service`; the block runs under the switch lock. Raises RampRefused when there is none."""
    with switch_lock():
        row = Ramp.objects.filter(service=validate(service), ended_at=None).select_related("incident").first()
        if row is None:
            raise RampRefused(f"{service} is at full speed: there is no ramp to move.")
        stage = switch.read_all().gates[service].stage
        if stage.full:
            raise RampRefused(f"{service} has just reached full speed.")
        row.stage = stage.percent or 0
        yield row


def _put(row: Ramp, stage: int | str, *, held: bool) -> None:
    if not ramps.put(row.service, stage, held=held, seen=row.stage):
        raise RampRefused(f"The ramp of {row.service} has moved meanwhile. Look at it and try again.")


def hold(service: str, *, actor: events.Actor, reason: str) -> bool:
    """Keep a ramp at its step until it may go on; False when it was held already. Raises RampRefused, BreakerRefused
    without a reason, UnknownService, RedisUnavailable, as all of these verbs."""
    why = require_reason(reason)
    with _ramp(service) as row:
        if row.held:
            return False
        _put(row, "", held=True)
        row.held_by, row.hold_reason = actor.name, why
        row.save(update_fields=["held_by", "hold_reason"])
        _record(row, "ramp_held", actor=actor, reason=why)
    return True


def go_on(service: str, *, actor: events.Actor, reason: str = "") -> bool:
    """Let a ramp that is held take its steps again; False when it was not held."""
    with _ramp(service) as row:
        if not row.held:
            return False
        _put(row, "", held=False)
        row.held_by = row.hold_reason = ""
        row.save(update_fields=["held_by", "hold_reason"])
        _record(row, "ramp_went_on", actor=actor, reason=reason)
    return True


def back(service: str, *, actor: events.Actor, reason: str = "") -> int:
    """Put a ramp back by one step, which begins anew; the step that it is at then, in per cent (0: the canary)."""
    with _ramp(service) as row:
        before = row.stage
        lower = [stage for stage in ramps.STAGES if stage < before and (stage or settings.RESUME_CANARY_CALLS)]
        if not lower:
            raise RampRefused(f"{service} is at {row.place} already: there is nothing before it.")
        _put(row, lower[-1], held=row.held)
        row.stage, row.stage_since = lower[-1], timezone.now()
        row.save(update_fields=["stage", "stage_since"])
        _record(row, "ramp_back", actor=actor, reason=reason, before=before)
    return row.stage


def all_at_once(service: str, *, actor: events.Actor, reason: str, confirmed: Confirmation | None = None) -> None:
    """Go to full speed without the steps that are left. Raises SecondPersonNeeded where it takes two; `confirmed` is
    what the second one has claimed."""
    why = require_reason(reason)
    with confirmations.asking(actor=actor, reason=why), _ramp(service) as row:
        before, shown = row.stage, {"ramp": row.pk}
        if confirmed and confirmed.shown != shown:
            raise RampRefused(f"{service} has been paused and resumed since this was asked for. Ask anew.")
        if not confirmed and confirmations.rules(confirmations.ALL_AT_ONCE):
            raise confirmations.Needed(Confirmation.FULL_SPEED, "full speed without the steps", service, shown)
        _put(row, ramps.FULL, held=False)
        ramps.end(row, Ramp.SKIPPED)
        _record(row, "ramp_skipped", actor=actor, reason=why, before=before)
        _say_if_done(row, actor=actor)


# What an operator may do, for all doors: whether it changed anything, and a sentence on it.
Said = tuple[bool, str]


def _hold(service: str, *, actor: events.Actor, reason: str) -> Said:
    changed = hold(service, actor=actor, reason=reason)
    return changed, f"The ramp of {service} {'is held at its step' if changed else 'was held already'}."


def _go_on(service: str, *, actor: events.Actor, reason: str) -> Said:
    changed = go_on(service, actor=actor, reason=reason)
    return changed, f"The ramp of {service} {'goes on' if changed else 'was not held'}."


def _back(service: str, *, actor: events.Actor, reason: str) -> Said:
    return True, f"The ramp of {service} is back at {place(back(service, actor=actor, reason=reason))}."


def _all_at_once(service: str, *, actor: events.Actor, reason: str) -> Said:
    all_at_once(service, actor=actor, reason=reason)
    return True, f"{service} is at full speed."


MOVES: dict[str, Callable[..., Said]] = {
    "hold": _hold,
    "go_on": _go_on,
    "back": _back,
    "all_at_once": _all_at_once,
}
