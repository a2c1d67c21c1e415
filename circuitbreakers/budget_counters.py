"""The counters of budgets are in Redis. One that is not there is made from the books before anything is admitted.

What the books do not know yet, the calls of claims that stand, is counted at the most that each can cost, and put right
when the claim has ended. So a counter says too much for a while, and never too little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from django.db.models.functions import Now

from circuitbreakers import switch
from circuitbreakers.budget import DAY, MONTH, KnownBudget, days_of, start
from circuitbreakers.models import Budget

# A budget is known in all processes after this long (budgets.CACHE_SECONDS, and room): what any of them admitted before
# without counting it is in the books by then, or a claim (seconds).
KNOWN_AFTER = 3.0
# Counters of earlier days and months are kept so long: a clock may fall back (days).
KEPT_DAYS = 40


@dataclass(frozen=True)
class Spent:
    """The books say this of a scope in a period: `calls` and `usd` (micro-USD) of ended claims; `claims` are those
    that stand, by the id of their call, with the most that each can cost."""

    calls: int
    usd: int
    claims: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """An ended claim came to a call that was admitted on the day `day` (UTC) and cost `usd` (micro-USD); None: to
    none."""

    day: date | None = None
    usd: int = 0


class Books(Protocol):
    """The books are where calls and their costs are entered."""

    def spent(self, scope: str, since: date | None, until: date | None) -> Spent:
        """Sum what a scope has spent from the day `since` to the day `until`, in one snapshot."""

    def ended(self, calls: Iterable[str]) -> dict[str, Ended]:
        """Return what became of these claims, without those that stand."""

    def busy(self, scope: str) -> bool:
        """Say whether any claim of the scope stands."""


_books: list[Books] = []


def register_books(books: Books) -> None:
    """Make these the books that counters are made from."""
    _books[:] = [books]


def books() -> Books:
    """Return the books."""
    return _books[0]


def make(budget: KnownBudget, at: datetime, sealed_at: str, call: str) -> bool:
    """Make the budget's counter for the period that `at` lies in; False while that cannot be done yet.

    `sealed_at` is the seal under which it was missing; `call` asks for it, so it was not admitted yet. Raises
    RedisUnavailable and PostgreSQL's errors.
    """
    old_enough = Budget.objects.filter(pk=budget.pk, created_at__lte=Now() - timedelta(seconds=KNOWN_AFTER))
    if not old_enough.exists():
        return False
    spent = books().spent(budget.scope, *days_of(budget.period, at))
    claims = {name: most for name, most in spent.claims.items() if name != call}
    switch.run(
        "count_spent",
        switch.EVERYBODY,
        [
            budget.counter(at),
            spent.calls + len(claims),
            spent.usd + sum(claims.values()),
            sealed_at,
            *(part for claim in claims.items() for part in claim),
        ],
    )
    return True


@dataclass(frozen=True)
class Counters:
    """These are all counters, read at one instant of Redis's clock."""

    at: datetime
    fields: dict[str, str]

    def used(self, budget: KnownBudget) -> tuple[int, int] | None:
        """Return what the budget has counted in its present period, in calls and micro-USD; None if it has no
        counter."""
        counter = budget.counter(self.at)
        calls, usd = self.fields.get(f"{counter}calls"), self.fields.get(f"{counter}usd")
        return None if calls is None or usd is None else (int(calls), int(usd))

    def claims(self) -> list[tuple[str, str]]:
        """List the claims of unknown fate, each as its counter and its call."""
        found = []
        for name in self.fields:
            counter, mark, call = name.partition("claim|")
            if mark:
                found.append((counter, call))
        return found


def read() -> Counters:
    """Read them all. Raises RedisUnavailable."""
    return Counters(*switch.budget_counters())


def end_claims(counters: Counters) -> int:
    """Put right what stands for claims that have ended meanwhile; how many. Raises RedisUnavailable."""
    claims = counters.claims()
    if not claims:
        return 0
    ended = books().ended({call for _, call in claims})
    for counter, call in claims:
        if call in ended:
            calls, usd = _of_period(counter, ended[call])
            switch.run("end_claim", switch.EVERYBODY, [counter, call, calls, usd])
    return sum(call in ended for _, call in claims)


def _of_period(counter: str, ended: Ended) -> tuple[int, int]:
    """Return what the claim came to in the period of that counter, in calls and micro-USD."""
    if ended.day is None:
        return 0, 0
    began = counter.split("|")[2]
    return (1, ended.usd) if f"{ended.day:%Y-%m-%d}".startswith(began) or began == "total" else (0, 0)


def forget_old(counters: Counters, known: Sequence[KnownBudget]) -> int:
    """Drop the counters of budgets that are no more, and of periods that are long over; how many fields."""
    names = {budget.name for budget in known}
    oldest = counters.at - timedelta(days=KEPT_DAYS)
    day, month = start(DAY, oldest), start(MONTH, oldest)
    old = []
    for name in counters.fields:
        scope, _, rest = name.partition("|")
        row, _, rest = rest.partition("|")
        began = rest.partition("|")[0]
        # `total` is after all dates.
        if f"{scope}|{row}" not in names or began < (day if len(began) == len(day) else month):
            old.append(name)
    switch.drop_budget_counters(old)
    return len(old)
