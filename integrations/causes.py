"""The names and words of an error give its cause away, whichever vendor says them: the money, the account, or our
speed.

Vendors add codes and change sentences without notice, so kinds are recognised rather than lists. Two mistakes are kept
apart: what no retry cures must not be waited for (throttling) or blamed on one lead (invalid), and throttling must stop
nothing. So what speaks of speed is never about money, and what says none of this says nothing here.
"""

import re
from collections.abc import Iterable, Set

from integrations.errors import FailureType

TOKEN = re.compile(r"[a-z0-9]+")

# In the names of codes and types.
SPEED = {
    "rate",
    "request",
    "rpm",
    "tpm",
    "rpd",
    "tpd",
    "rps",
    "requests",
    "tokens",
    "minute",
    "min",
    "second",
    "concurrency",
}
MONEY = {"quota", "billing", "credit", "credits", "balance", "payment", "funds", "budget", "spend", "spending"}
MONEY |= {"subscription", "unpaid", "overdue", "prepaid"}
LIMITS = {"usage", "hard", "monthly", "plan"}  # with `limit`: usage_limit_exceeded, hard_limit_reached
OWNERS = {"account", "organization", "organisation", "project", "user", "workspace", "team", "access", "apikey", "key"}
CLOSED = {"deactivated", "disabled", "suspended", "terminated", "banned", "blocked", "revoked", "closed", "expired"}
CLOSED |= {"inactive", "deleted", "archived"}
OURS = {"unauthorized", "unauthenticated", "authentication", "permission", "permissions", "forbidden", "apikey"}
OURS |= {"account", "organization", "organisation", "inaccessible"}
GONE = {"found", "invalid", "unknown", "unsupported", "supported", "deprecated", "retired", "removed", "unavailable"}
GONE |= {"decommissioned", "disabled", "access"}

# In sentences, of which each part between stops is looked at by itself.
CLAUSE = re.compile(r"[.:;!?\n]")
FUNDS = {"credit", "credits", "quota", "balance", "funds", "billing", "payment", "subscription", "plan", "trial"}
LACK = {"insufficient", "enough", "no", "not", "out", "low", "exhausted", "depleted", "used", "empty", "negative"}
LACK |= {"exceeded", "reached", "limit", "expired", "ended", "lapsed", "required", "failed", "declined", "overdue"}
LACK |= {"upgrade", "check", "inactive", "cancelled", "canceled"}
LIMITED = {"verification", "usage", "hard", "spend", "spending", "monthly", "daily", "upload"}
LIMITED |= {"lead", "leads", "contact", "contacts"}
HOLDERS = {"account", "organization", "organisation", "workspace", "project", "apikey", "apikeys", "credentials"}
SHUT = CLOSED | {"activate", "invalid", "incorrect", "unknown", "wrong", "missing", "found"}
FAST = re.compile(
    r"rate limit|too many (?:\w{1,20} )?(?:requests|calls|emails)|throttl|slow down"
    r"|\b(?:requests?|calls?|tokens|times|\d{1,9}) per (?:second|sec|min|hour|day)"
    r"|\b(?:try again|retry) (?:in|after) (?:\d{1,9} ?(?:ms|s|sec\w*|m|min\w*)\b|a (?:second|minute|few))"
)
QUOTED = re.compile(r"(?<!\w)(['\"`])[^'\"`\n]{0,200}\1(?!\w)")  # a value of ours, repeated
NOT_PAID = "account is not active"  # OpenAI's words for a bill that is open


def by_names(names: Iterable[str], *, throttled: bool = False) -> FailureType | None:
    """Say what the codes and types of an error mean, None if they do not tell.

    `throttled`: they came with a 429, where of all that is ours only a closed account outweighs the status.
    """
    causes = {_by_name(set(TOKEN.findall(name.lower())), throttled) for name in names}
    order = (FailureType.QUOTA_EXHAUSTED, FailureType.RATE_LIMIT, FailureType.AUTH)
    return next((failure for failure in order if failure in causes), None)


def _by_name(tokens: Set[str], throttled: bool) -> FailureType | None:
    if tokens & SPEED:
        # A number of tokens may be a prompt's length.
        return FailureType.RATE_LIMIT if tokens >= {"rate", "limit"} else None
    if tokens & MONEY or ("limit" in tokens and tokens & LIMITS):
        return FailureType.QUOTA_EXHAUSTED
    if tokens & OWNERS and tokens & CLOSED:
        return FailureType.AUTH
    ours = tokens & OURS or tokens >= {"api", "key"} or ("model" in tokens and tokens & GONE)
    return FailureType.AUTH if ours and not throttled else None


def by_words(text: str) -> FailureType | None:
    """Say what a vendor's sentences mean, None if they do not tell. For where neither its status nor its names do."""
    text = QUOTED.sub(" ", text).lower().replace("_", " ")
    if FAST.search(text):
        return FailureType.RATE_LIMIT
    clauses = [set(TOKEN.findall(clause.replace("api key", "apikey"))) for clause in CLAUSE.split(text)]
    if NOT_PAID in text or any(map(_speaks_of_money, clauses)):
        return FailureType.QUOTA_EXHAUSTED
    return FailureType.AUTH if any(words & HOLDERS and words & SHUT for words in clauses) else None


def _speaks_of_money(words: Set[str]) -> bool:
    return bool(
        (words & FUNDS and words & LACK) or ("limit" in words and words & LIMITED) or words & {"unpaid", "upgrade"}
    )
