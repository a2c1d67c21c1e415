"""A budget says how much a scope may spend in a period, in USD, in calls, or in both: its values and words. Pure."""

import calendar
import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from circuitbreakers.services import SERVICES

DAY, MONTH, TOTAL = "day", "month", "total"
SYSTEM = "system"
# The kinds of scopes, and the periods that each may have a budget for.
PERIODS = {SYSTEM: (DAY, MONTH), "service": (DAY,), "campaign": (TOTAL, DAY)}
MOST_USD, MOST_CALLS = Decimal(1_000_000), 100_000_000
MICRO = 1_000_000  # counters are in millionths of a USD
TOLD_AT = (80, 100)  # per cent of a limit


class BudgetInvalid(ValueError):
    """No budget can be like this; the text says why."""


@dataclass(frozen=True)
class KnownBudget:
    """A known budget is a row of `budgets` as the gate needs it; `limit_usd` is in micro-USD, a limit of None is none.

    `version` grows with each edit: what was decided by an older one does not stand.
    """

    pk: int
    version: int
    scope: str
    period: str
    limit_usd: int | None
    limit_calls: int | None

    @property
    def name(self) -> str:
        """Name its counters in Redis. The row's id is part of it: nobody counted while there was no such row."""
        return f"{self.scope}|{self.pk}"

    def counter(self, at: datetime) -> str:
        """Name its counter for the period which `at` (UTC, by Redis's clock) lies in, as common.lua does."""
        return f"{self.name}|{start(self.period, at)}|"


def start(period: str, at: datetime) -> str:
    """Write the beginning of the period which `at` (UTC) lies in: a day, a month, or `total`."""
    day = at.date().isoformat()
    return {DAY: day, MONTH: day[:7], TOTAL: TOTAL}[period]


def days_of(period: str, at: datetime) -> tuple[date | None, date | None]:
    """Return the first and the last day (UTC) of the period which `at` lies in; None, None for all days."""
    day = at.date()
    if period == DAY:
        return day, day
    if period == MONTH:
        return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    return None, None


def micro(usd: Decimal) -> int:
    """Return USD as micro-USD, upwards: a budget is never the richer for a rounding."""
    return math.ceil(usd * MICRO)


def dollars(usd: Decimal) -> str:
    """Write an amount for people."""
    return f"${usd:,.2f}"


def valid_scope(scope: str, period: str) -> str:
    """Return the scope itself, of `system`, `service:NAME` or `campaign:ID`. Raises BudgetInvalid."""
    kind, _, which = scope.partition(":")
    if kind not in PERIODS or (kind == SYSTEM) != (scope == SYSTEM):
        raise BudgetInvalid(f"{scope!r} is no scope: it is system, service:NAME or campaign:ID.")
    if kind == "service" and which not in SERVICES:
        raise BudgetInvalid(f"Invalid service name: {which}. Valid services: {list(SERVICES)}")
    if kind == "campaign" and not (which.isascii() and which.isdigit() and which == str(int(which)) and int(which)):
        raise BudgetInvalid(f"{which!r} is no campaign's number.")
    if period not in PERIODS[kind]:
        raise BudgetInvalid(f"A budget of a {kind} is for a {' or '.join(PERIODS[kind])}, not for {period!r}.")
    return scope


def valid_limits(usd: object, calls: object) -> tuple[Decimal | None, int | None]:
    """Return the limits as USD (whole cents) and calls; None is none. Raises BudgetInvalid."""
    limit_usd, limit_calls = _usd(usd), _calls(calls)
    if limit_usd is None and limit_calls is None:
        raise BudgetInvalid("A budget needs a limit in USD, in calls, or in both.")
    return limit_usd, limit_calls


def _usd(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        usd = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        raise BudgetInvalid(f"{value!r} is no amount in USD.") from None
    if not usd.is_finite() or usd <= 0 or usd > MOST_USD:
        raise BudgetInvalid(f"A limit in USD is more than 0 and at most {MOST_USD:,}; this one is {usd}.")
    if usd != usd.quantize(Decimal("0.01")):
        raise BudgetInvalid(f"A limit in USD has whole cents; this one is {usd}.")
    return usd.quantize(Decimal("0.01"))


def _calls(value: object) -> int | None:
    if value is None or value == "":
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.lstrip("-").isdigit()):
        raise BudgetInvalid(f"{value!r} is no number of calls.")
    if not 0 < int(text[:20]) <= MOST_CALLS:
        raise BudgetInvalid(f"A limit in calls is at least 1 and at most {MOST_CALLS:,}; this one is {text[:20]}.")
    return int(text)


def limits_in_words(usd: Decimal | None, calls: int | None, period: str) -> str:
    """Write the limits for people: `$50.00 and 1,000 calls a day`."""
    parts = [*([dollars(usd)] if usd is not None else []), *([f"{calls:,} calls"] if calls is not None else [])]
    return " and ".join(parts) + ("" if period == TOTAL else f" a {period}")


def whose(scope: str) -> str:
    """Say for people whose budget it is, `this` for a campaign: the sentence stands beside the campaign."""
    kind, _, which = scope.partition(":")
    return {"campaign": "this campaign's", "service": f"{which}'s", SYSTEM: "the system's"}[kind]


def halt_of(scope: str, period: str, usd: Decimal | None, calls: int | None) -> str:
    """Say why work waits."""
    return f"held: {whose(scope)} budget of {limits_in_words(usd, calls, period)} is used up"


def percent_used(spent_usd: int, spent_calls: int, limit_usd: int | None, limit_calls: int | None) -> int:
    """Return how much of the tighter limit is used, in whole per cent."""
    shares = [100 * spent // limit for spent, limit in ((spent_usd, limit_usd), (spent_calls, limit_calls)) if limit]
    return max(shares, default=0)
