"""A recovery has four steps; their states, which say how far it is, are decided here, purely."""

from collections.abc import Iterable
from dataclasses import dataclass

from circuitbreakers.models import QueuePause
from circuitbreakers.services import SERVICES
from console.labels import plural, service_name
from console.plan import PricedPlan
from console.snapshot import Card, ConsoleSnapshot

SECTIONS = ("broke", "breakers", "plan", "resume")  # of the page, one for each step


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


def unfolded(steps: list[RecoveryStep], cards: Iterable[Card], told: set[str]) -> set[str]:
    """Return the sections that begin unfolded: the operator's turn, else what comes back, and what was answered.

    `told`: the places of the answers to what was pressed last, sections or services. What is fine stays folded.
    """
    turn = {name for name, step in zip(SECTIONS, steps, strict=True) if step.tone in ("busy", "warn")}
    sections = turn | told
    if told.intersection(SERVICES) or (not turn and any(card.is_coming_back for card in cards)):
        sections.add("breakers")
    return sections


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
