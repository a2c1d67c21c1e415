"""The verbs on a service stand in one table for the recovery page and the admin, with one sentence for each act."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from campaigns import try_one
from circuitbreakers import breaker, gate, limits, pauses, probes, ramp_verbs
from circuitbreakers.permissions import OPERATE_BREAKER, OPERATE_QUEUE
from console.labels import service_name
from console.orders import Order


@dataclass(frozen=True)
class Said:
    """Said is what came of a verb, in a sentence. `ok`: it went as wished; `changed`: it was not so before."""

    text: str
    ok: bool = True
    changed: bool = True


def probe(service: str, order: Order) -> Said:
    result = probes.probe(service, actor=order.actor, reason=order.reason)
    word = "succeeded" if result.ok else "failed"
    return Said(f"The probe of {service_name(service)} {word}: {result.detail}", ok=result.ok)


def reset(service: str, order: Order) -> Said:
    name = service_name(service)
    if breaker.reset(service, actor=order.actor, reason=order.reason, force=order.force):
        return Said(f"The breaker of {name} is reset. The queue is still paused: resume it when all are closed.")
    return Said(f"The breaker of {name} was closed already; its failure count is cleared.", changed=False)


def hold(service: str, order: Order) -> Said:
    name = service_name(service)
    if breaker.hold(service, actor=order.actor, reason=order.reason):
        return Said(f"The breaker of {name} is held: everything is paused.")
    return Said(f"The breaker of {name} was held already.", changed=False)


def release(service: str, order: Order) -> Said:
    name = service_name(service)
    if breaker.release(service, actor=order.actor, reason=order.reason):
        return Said(f"The breaker of {name} is released and stays open: reset it next.")
    return Said(f"The breaker of {name} was not held.", changed=False)


def lift_wait(service: str, order: Order) -> Said:
    name = service_name(service)
    if until := gate.lift_wait(service, actor=order.actor, reason=order.reason):
        return Said(f"The wait of {name} until {until:%Y-%m-%d %H:%M:%S} UTC is lifted: it is asked again.")
    return Said(f"{name} has not asked us to wait.", changed=False)


def slow(service: str, order: Order) -> Said:
    changed = limits.slow(service, actor=order.actor, reason=order.reason)
    did = "is slowed" if changed else "was slowed already"
    return Said(f"{service_name(service)} {did} to {limits.SLOW} % of its rate limits.", changed=changed)


def full_speed(service: str, order: Order) -> Said:
    changed = limits.full_speed(service, actor=order.actor, reason=order.reason)
    did = "is back" if changed else "was"
    return Said(f"{service_name(service)} {did} at its full rate limits.", changed=changed)


def move(verb: str, service: str, order: Order) -> Said:
    changed, _ = ramp_verbs.MOVES[verb](service, actor=order.actor, reason=order.reason)
    return Said(f"{service_name(service)} {MOVED[verb] if changed else 'was so already'}.", changed=changed)


MOVED = {
    "hold": "is held at its step",
    "go_on": "goes on with its steps",
    "back": "is put back by one step",
    "all_at_once": "is at full speed",
}


def try_job(service: str, order: Order) -> Said:
    job = try_one.try_one(service, actor=order.actor, reason=order.reason)
    return Said(f"Job {job.pk} of {service_name(service)} is let through; what it finds is told here in a moment.")


def pause(service: str, order: Order) -> Said:
    changed = pauses.pause(service, actor=order.actor, reason=order.reason)
    return Said(f"{_queue(service)} {'is paused' if changed else 'was paused already'}.", changed=changed)


def lift(service: str, order: Order) -> Said:
    if pauses.lift(service, actor=order.actor, reason=order.reason):
        return Said(f"{_queue(service)}: the operator's pause is lifted.")
    return Said(f"{_queue(service)}: no operator's pause stood.", changed=False)


def _queue(service: str) -> str:
    return "Every queue" if service == "all" else f"The queue of {service_name(service)}"


@dataclass(frozen=True)
class ServiceVerb:
    """A ServiceVerb is a button with its question and what it does to a service; `takes_all`: to `all` of them too."""

    label: str
    permission: str
    act: Callable[[str, Order], Said]
    question: str
    reason_required: bool = False
    danger: bool = False
    may_force: bool = False
    takes_all: bool = False


VERBS = {
    "probe": ServiceVerb("Probe now", OPERATE_BREAKER, probe, "One free health call. It closes nothing."),
    "reset": ServiceVerb(
        "Reset",
        OPERATE_BREAKER,
        reset,
        "It is probed, and closed if the probe succeeds. Queue, campaigns and jobs stay paused.",
        may_force=True,
    ),
    "hold": ServiceVerb(
        "Hold",
        OPERATE_BREAKER,
        hold,
        "It opens and stays open until it is released: everything is paused.",
        reason_required=True,
        danger=True,
    ),
    "release": ServiceVerb("Release", OPERATE_BREAKER, release, "It stays open, to be reset."),
    "lift-wait": ServiceVerb(
        "Lift wait",
        OPERATE_BREAKER,
        lift_wait,
        "Its calls go out at once although the vendor asked us to wait. It may complain again.",
    ),
    "slow": ServiceVerb(
        f"Slow to {limits.SLOW} %",
        OPERATE_BREAKER,
        slow,
        f"All its rate limits go down to {limits.SLOW} %, in every process within seconds, until you bring it back.",
        reason_required=True,
    ),
    "full-speed": ServiceVerb("Full speed", OPERATE_BREAKER, full_speed, "Back to its full rate limits."),
    "ramp-hold": ServiceVerb(
        "Hold the step",
        OPERATE_QUEUE,
        partial(move, "hold"),
        "It stays at this step until it may go on.",
        reason_required=True,
    ),
    "ramp-go-on": ServiceVerb("Go on", OPERATE_QUEUE, partial(move, "go_on"), "It takes its steps again."),
    "ramp-back": ServiceVerb("Back one step", OPERATE_QUEUE, partial(move, "back"), "The step before begins anew."),
    "ramp-all-at-once": ServiceVerb(
        "All at once",
        OPERATE_QUEUE,
        partial(move, "all_at_once"),
        "Full speed, without the steps that are left.",
        reason_required=True,
        danger=True,
    ),
    "try-one": ServiceVerb(
        "Try one job",
        OPERATE_QUEUE,
        try_job,
        "One real, paid call while everything stays paused. Its breaker must be closed.",
        reason_required=True,
    ),
    "pause": ServiceVerb(
        "Pause",
        OPERATE_QUEUE,
        pause,
        "A pause of your own: a queue resume does not lift it.",
        reason_required=True,
        takes_all=True,
    ),
    "lift": ServiceVerb("Lift", OPERATE_QUEUE, lift, "Only an operator's own pause; others stay.", takes_all=True),
}
