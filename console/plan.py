"""The recovery page shows the plan of a queue resume with the calls and the cost that the resume would cause."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from campaigns import remaining, resume_plan
from campaigns.models import Campaign
from circuitbreakers.models import Event
from circuitbreakers.services import SERVICES
from console import shared_snapshot
from console.labels import service_name

FRESH = 1.0
NAMED = 10  # campaigns that stay paused, named with their reason
_mine: "tuple[float, PricedPlan] | None" = None


@dataclass
class Row:
    """A Row is one service in a plan."""

    service: str
    jobs: int
    calls: int
    cost: Decimal | None  # unknown as long as no call of it has succeeded


@dataclass
class LastResume:
    """The last queue resume brought back so many campaigns and jobs."""

    at: datetime
    by: str
    campaigns: int
    jobs: int


@dataclass
class PricedPlan:
    """A PricedPlan says what a resume needs, would do and would cost at most: a lead may be dropped early."""

    resume: resume_plan.ResumePlan
    rows: list[Row] = field(default_factory=list)
    still_paused: list[Campaign] = field(default_factory=list)  # by operators; the first few
    last: LastResume | None = None

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
    def unnamed(self) -> int:
        """Count the campaigns that stay paused besides those in `still_paused`."""
        return self.resume.campaigns_still_paused - len(self.still_paused)

    @property
    def unpriced(self) -> list[str]:
        """Name the services that will be called and whose price nobody knows yet."""
        return [service_name(row.service) for row in self.rows if row.calls and row.cost is None]


def make() -> PricedPlan:
    """Make a fresh plan, for a confirmation."""
    resume = resume_plan.plan()
    eligible = Campaign.objects.filter(status=Campaign.Status.PAUSED, operator_paused_at=None)
    calls = remaining.remaining_calls(eligible.exclude(system_paused_at=None).values_list("pk", flat=True))
    prices = remaining.mean_costs()
    rows = []
    for name in SERVICES:
        price = prices[name]
        cost = None if price is None else calls[name] * price
        rows.append(Row(name, resume.jobs.get(name, 0), calls[name], cost))
    still = Campaign.objects.filter(status=Campaign.Status.PAUSED).exclude(operator_paused_at=None)
    return PricedPlan(resume, rows, list(still.order_by("-operator_paused_at")[:NAMED]), _last_resume())


def _last_resume() -> LastResume | None:
    resumed = Event.objects.filter(subject_type="queue", subject_id="all", verb="resumed").first()
    if resumed is None:
        return None
    numbers = resumed.after or {}
    return LastResume(resumed.at, resumed.actor, numbers.get("campaigns", 0), numbers.get("jobs", 0))


def current() -> PricedPlan:
    """Return the plan that all viewers of this process share: about a second old, and younger than the last change."""
    global _mine  # noqa: PLW0603 (this process's own copy)
    kept = _mine
    if kept and time.time() - kept[0] < FRESH and kept[0] > shared_snapshot.changed():
        return kept[1]
    at = time.time()
    priced = make()
    _mine = (at, priced)
    return priced


def forget() -> None:
    global _mine  # noqa: PLW0603
    _mine = None
