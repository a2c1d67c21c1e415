"""Instantly's own status of a campaign decides whether we go on for it: here it becomes a sentence. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

ACCOUNTS_UNHEALTHY = "Instantly does not send: the sending accounts are unhealthy."
BOUNCE_PROTECTION = "Instantly does not send: its bounce protection has stopped the campaign."
SUSPENDED = "Instantly does not send: the account is suspended."
PAUSED_THERE = "Instantly does not send: the campaign is paused there."
PLAN_USED_UP = "Instantly takes no more leads: the plan's quota of contacts is used up."

# By `InstantlyCampaign.status`. A draft (0) is how ours begin, and people activate it when they like what is in it; 1,
# 3 and 4 send what they get. A status that the vendor has not told us of halts nothing.
OF_STATUS = {-1: ACCOUNTS_UNHEALTHY, -2: BOUNCE_PROTECTION, -99: SUSPENDED, 2: PAUSED_THERE}
# By `SendingStatus.code`, of a campaign that is active by its status. Other codes are limits that pass by themselves.
ACTIVE = 1
OF_CODE = {"all_accounts_unhealthy": ACCOUNTS_UNHEALTHY}
# What stands in the way of every campaign of the workspace.
ACCOUNT_WIDE = frozenset({ACCOUNTS_UNHEALTHY, SUSPENDED, PLAN_USED_UP})
# A single target is its campaign's affair: its halt stops all spending there is, and says nothing of other campaigns.
LEAST_TARGETS = 2


@dataclass(frozen=True)
class PlanRoom:
    """The room is what the plan has left, in leads: None if the vendor does not say. `readable`: it has answered."""

    left: int | None
    readable: bool = True


@dataclass(frozen=True)
class TargetReading:
    """A reading is what is known of the target of one running campaign. `fresh`: it was read after the campaign's last
    start or resume; `read`: it was read at all."""

    target: str
    halt: str
    read: bool
    fresh: bool


def halt_of(status: int, code: str, plan: PlanRoom, before: str) -> str:
    """Say why a target does not send, '' if it does. `before` is what was said last: it stands as far as nothing new
    is known."""
    if sentence := OF_STATUS.get(status) or (OF_CODE.get(code, "") if status == ACTIVE else ""):
        return sentence
    if plan.left is not None:
        return PLAN_USED_UP if plan.left <= 0 else ""
    return PLAN_USED_UP if before == PLAN_USED_UP and not plan.readable else ""


def refusal_of_all(readings: Iterable[TargetReading]) -> str:
    """Say why no campaign can go on, '' while one may.

    Only a fresh reading accuses: after an operator's resume all must have been asked again. Any that sends acquits.
    """
    known = [reading for reading in readings if reading.read]
    accused = {reading.target: reading.halt for reading in known if reading.fresh}
    if len(accused) < LEAST_TARGETS or not all(reading.halt in ACCOUNT_WIDE for reading in known):
        return ""
    sentences = " ".join(sorted(set(accused.values())))
    return f"All {len(accused)} targets at Instantly refuse. {sentences}".rstrip(".")  # what follows ends it
