"""How far a recovery is: the state of each of its four steps. Pure."""

from dataclasses import dataclass

from circuitbreakers.models import QueuePause
from console.plan import Plan
from console.snapshot import Snapshot
from console.words import plural, service_name


@dataclass(frozen=True)
class Step:
    """What a step's heading says: `tone` as in words.py; busy is what the operator does now."""

    tone: str
    text: str


def steps(snapshot: Snapshot, plan: Plan) -> list[Step]:
    """What broke, probe and reset, the plan, resume: in this order."""
    broken = len(snapshot.open_incidents)
    shut = [service_name(card.service) for card in snapshot.cards if card.state != "closed"]
    missing = sum(not item.ok for item in plan.seen.prerequisites)
    paused = bool(plan.seen.campaigns) or any(row.key == QueuePause.SYSTEM for row in snapshot.pauses)
    return [
        Step("bad", f"{plural(broken, 'opening')} to look at") if broken else Step("done", "Nothing is broken"),
        Step("busy", f"Your turn: {', '.join(shut)}") if shut else Step("done", "All are closed"),
        _plan(missing, waits=bool(shut)),
        _resume(paused, ready=not missing),
    ]


def _plan(missing: int, *, waits: bool) -> Step:
    if not missing:
        return Step("done", "Ready")
    return Step("idle", "Waits for step 2") if waits else Step("warn", f"{plural(missing, 'thing')} missing")


def _resume(paused: bool, *, ready: bool) -> Step:
    if not paused:
        return Step("done", "Nothing waits for a resume")
    return Step("busy", "Your turn") if ready else Step("idle", "Waits for step 3")
