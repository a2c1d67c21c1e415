"""Every process knows the rows of `budgets` here: they are at most two seconds old."""

import time
from dataclasses import dataclass

from django.db import Error

from circuitbreakers.budget import SYSTEM, KnownBudget
from circuitbreakers.models import Budget

CACHE_SECONDS = 2.0
ByScope = dict[str, tuple[KnownBudget, ...]]
_NEVER: tuple[float, ByScope] = (-1e9, {})
_cached = [_NEVER]


@dataclass(frozen=True)
class Charge:
    """A charge is what a call takes from the budgets that it comes under: one call, and `most` micro-USD until its
    cost is known."""

    budgets: tuple[KnownBudget, ...] = ()
    most: int = 0

    def arguments(self) -> list[int | str]:
        """Return what admit.lua wants to know of it."""
        parts: list[int | str] = [len(self.budgets), self.most]
        for budget in self.budgets:
            limits = (budget.limit_calls, budget.limit_usd)
            parts += [budget.name, budget.period, *("" if limit is None else limit for limit in limits)]
        return parts


FREE = Charge()


def _known() -> ByScope:
    """Return the budgets by scope. While PostgreSQL does not answer, those that were known last."""
    read_at, by_scope = _cached[0]
    if time.monotonic() - read_at < CACHE_SECONDS:
        return by_scope
    try:
        rows = [row.known for row in Budget.objects.all()]
        by_scope = {}
        for budget in rows:
            by_scope[budget.scope] = (*by_scope.get(budget.scope, ()), budget)
    except Error:
        pass  # kept like fresh ones: waiting for PostgreSQL once per call would hold up every call
    _cached[0] = (time.monotonic(), by_scope)
    return by_scope


def applying(service: str, campaign: int) -> tuple[KnownBudget, ...]:
    """Return the budgets that a call of `service` for this campaign comes under; mostly none."""
    known = _known()
    if not known:
        return ()
    scopes = (f"campaign:{campaign}", f"service:{service}", SYSTEM)
    return tuple(budget for scope in scopes for budget in known.get(scope, ()))


def forget() -> None:
    """Drop what is cached, after an edit in this process."""
    _cached[0] = _NEVER
