"""The plan of a resume for the recovery page: recovery's own, with the calls and the cost that it will cause."""

import time
from dataclasses import dataclass, field
from decimal import Decimal

from django.core.cache import cache

from campaigns import recovery
from campaigns.models import Campaign
from circuitbreakers.services import SERVICES
from config.console import figures

KEY = "console:plan"
FRESH = 1.0


@dataclass
class Row:
    """One service in a plan."""

    service: str
    jobs: int
    calls: int
    cost: Decimal | None  # unknown as long as no call of it has succeeded


@dataclass
class Plan:
    """What a resume needs and would do. Calls and cost are at most: a lead that is dropped early needs fewer."""

    seen: recovery.Plan
    rows: list[Row] = field(default_factory=list)

    @property
    def jobs(self) -> int:
        return sum(row.jobs for row in self.rows)

    @property
    def calls(self) -> int:
        return sum(row.calls for row in self.rows)

    @property
    def cost(self) -> Decimal:
        return sum((row.cost for row in self.rows if row.cost), Decimal(0))

    @property
    def unpriced(self) -> list[str]:
        """Services that will be called and whose price nobody knows yet."""
        return [row.service for row in self.rows if row.calls and row.cost is None]


def make() -> Plan:
    """A fresh one, for a confirmation."""
    seen = recovery.plan()
    eligible = Campaign.objects.filter(status=Campaign.Status.PAUSED, operator_paused_at=None)
    calls = figures.remaining_calls(eligible.exclude(system_paused_at=None).values_list("pk", flat=True))
    prices = figures.mean_costs()
    rows = []
    for name in SERVICES:
        price = prices[name]
        cost = None if price is None else calls[name] * price
        rows.append(Row(name, seen.jobs.get(name, 0), calls[name], cost))
    return Plan(seen, rows)


def current() -> Plan:
    """The one that all viewers share, about a second old."""
    stored = cache.get(KEY)
    if stored and time.time() - stored[0] < FRESH:
        return stored[1]
    made = make()
    cache.set(KEY, (time.time(), made), timeout=5)
    return made


def forget() -> None:
    cache.delete(KEY)
