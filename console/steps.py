"""A recovery has four steps; their states, which say how far it is, are decided here, purely."""

from dataclasses import dataclass

from circuitbreakers.models import QueuePause
from console.labels import plural, service_name
from console.plan import PricedPlan
from console.snapshot import ConsoleSnapshot


@dataclass(frozen=True)
class RecoveryStep:
    """A RecoveryStep is a step's heading: `tone` as in labels.py; busy is what the operator does now."""

    tone: str
    text: str


def steps(snapshot: ConsoleSnapshot, plan: PricedPlan) -> list[RecoveryStep]:
    """Return the steps in order: what broke, probe and reset, the plan, resume."""
    broken = len(snapshot.open_incidents)
    shut = [service_name(card.service) for card in snapshot.cards if card.state != "closed"]
    missing = sum(not item.ok for item in plan.resume.prerequisites)
    paused = bool(plan.resume.campaigns) or any(row.key == QueuePause.SYSTEM for row in snapshot.pauses)
    return [
        RecoveryStep("bad", f"{plural(broken, 'opening')} to look at")
        if broken
        else RecoveryStep("done", "Nothing is broken"),
        RecoveryStep("busy", f"Your turn: {', '.join(shut)}") if shut else RecoveryStep("done", "All are closed"),
        _plan(missing, waits=bool(shut)),
        _resume(paused, ready=not missing),
    ]


def _plan(missing: int, *, waits: bool) -> RecoveryStep:
    if not missing:
        return RecoveryStep("done", "Ready")
    return (
        RecoveryStep("idle", "Waits for step 2")
        if waits
        else RecoveryStep("warn", f"{plural(missing, 'thing')} missing")
    )


def _resume(paused: bool, *, ready: bool) -> RecoveryStep:
    if not paused:
        return RecoveryStep("done", "Nothing waits for a resume")
    return RecoveryStep("busy", "Your turn") if ready else RecoveryStep("idle", "Waits for step 3")
