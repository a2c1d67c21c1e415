"""The pipeline says what follows what. Pure: a table and two functions that return values and touch nothing.

find -> reveal -> (a lead) verify -> research -> write -> push. One job is one vendor call. `prepare` makes the campaign
at Instantly that a campaign without one pushes into; its pushes wait for it.
"""

import random
from dataclasses import dataclass

SERVICE_OF = {
    "find": "apollo",
    "reveal": "apollo",
    "prepare": "instantly",
    "verify": "millionverifier",
    "research": "perplexity",
    "write": "openai",
    "push": "instantly",
}
KINDS = tuple(SERVICE_OF)
OF_CAMPAIGN = ("find", "reveal", "prepare")
FOLLOWS = {"verify": "research", "research": "write", "write": "push"}
FIRST_OF_LEAD = "verify"
# The stage of a lead whose mail a person must read before its push is made: no job's kind (campaigns/review.py).
REVIEW = "review"
REVEAL_AT_ONCE = 10  # people per bulk_match call (Apollo's limit)
FIND_AT_ONCE = 100  # rows per search page (Apollo's limit)

# MillionVerifier's verdicts that are worth a mail; catch-all domains accept everything, so the mail may bounce.
GOOD_VERDICTS = frozenset({"ok"})


@dataclass(frozen=True)
class LeadStep:
    """A step says what becomes of a lead: the kind of its next job, or how it ended and why."""

    next_kind: str = ""
    end: str = ""
    reason: str = ""


def after_verify(verdict: str, *, written: bool = False) -> LeadStep:
    """A deliverable address goes on, to its push if its mail was `written` before; any other verdict drops the lead
    before more is spent on it."""
    if verdict in GOOD_VERDICTS:
        return LeadStep(next_kind="push" if written else FOLLOWS["verify"])
    return LeadStep(end="DROPPED", reason=f"undeliverable: {verdict}")


def after_push(outcome: str) -> LeadStep:
    """`pushed` and `duplicate` (already in this very campaign) are done; the vendor refused the others."""
    if outcome in ("pushed", "duplicate"):
        return LeadStep(end="PUSHED")
    return LeadStep(end="DROPPED", reason=f"refused by Instantly: {outcome}")


def reveals(page: int, *people: list[str]) -> list[tuple[int, list[str]]]:
    """Return the reveal jobs of one page of a search: (part, person ids), ten people each, each of one of the lists."""
    groups = [some[i : i + REVEAL_AT_ONCE] for some in people for i in range(0, len(some), REVEAL_AT_ONCE)]
    return [(page * 100 + number, group) for number, group in enumerate(groups)]


def pages(max_leads: int, total: int) -> int:
    """Return the pages of the search that are needed for `max_leads` of `total` people."""
    return -(-min(max_leads, total) // FIND_AT_ONCE)


# docs/contract.md#outcomes
MAX_ATTEMPTS = 5
MAX_CRASHES = 3
# An answer that is a poor mail is paid for each time: one more try, then a person should look at the prompt.
MAX_REJECTED_MAILS = 2
RETRIED = frozenset({"timeout", "connection", "server_error", "malformed"})
WAITS = frozenset({"quota_exhausted", "auth", "rate_limit"})


@dataclass(frozen=True)
class FailureDecision:
    """A decision says what a failed call means for its job: whether it spends an attempt, ends it, or waits (seconds)
    for the next."""

    attempts: int
    ends: bool
    wait: float = 0.0


def after_failure(
    failure_type: str, attempts: int, retry_after: float | None = None, jitter: float | None = None
) -> FailureDecision:
    """Decide what a failure does to its job: its half of docs/contract.md#outcomes. `attempts` are those spent before;
    backoff with jitter."""
    if failure_type in WAITS:
        return FailureDecision(attempts, ends=False, wait=retry_after or 0.0)
    spent = attempts + 1
    if failure_type not in RETRIED or spent >= MAX_ATTEMPTS:
        return FailureDecision(spent, ends=True)
    spread = random.uniform(0.5, 1.5) if jitter is None else jitter  # noqa: S311 (not for secrets)
    return FailureDecision(spent, ends=False, wait=max(retry_after or 0.0, 2 ** (spent + 1) * spread))
