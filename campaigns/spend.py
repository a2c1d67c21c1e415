"""Spend is what the calls cost: totals of the ledger per service and per day (UTC), in all or of one campaign."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from campaigns.tallies import CallTally, JobTally
from circuitbreakers.services import SERVICES

NOTHING = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Spend:
    """A spend holds the sums over some calls. `credits` are the service's own unit.

    `unknown`: nobody knows how they ended. `may_be_charged`: those of all that were sent and whose answer was lost; up
    to `may_cost_usd` may have been charged for them beyond what is booked.
    """

    calls: int = 0
    failed: int = 0
    unknown: int = 0
    credits: Decimal = NOTHING
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = NOTHING
    may_be_charged: int = 0
    may_cost_usd: Decimal = NOTHING


# Field of Spend -> column; under names of their own, as an annotation may not be called like a column.
COLUMNS = {name: "number" if name == "calls" else name for name in Spend.__dataclass_fields__}
SUMS = {f"sum_{name}": Sum(column) for name, column in COLUMNS.items()}


def _spend(row: Mapping[str, Any]) -> Spend:
    sums: dict[str, Any] = {name: row[f"sum_{name}"] or 0 for name in COLUMNS}
    return Spend(**sums)


def _tallies(campaign: int | None, since: date | None, until: date | None) -> QuerySet[CallTally]:
    """Select the tallies of one campaign or of all, from the day `since` to the day `until`, both inclusive."""
    tallies = CallTally.objects.order_by()
    if campaign is not None:
        tallies = tallies.filter(campaign_id=campaign)
    if since is not None:
        tallies = tallies.filter(day__gte=since)
    if until is not None:
        tallies = tallies.filter(day__lte=until)
    return tallies


def by_service(
    *, campaign: int | None = None, since: date | None = None, until: date | None = None
) -> dict[str, Spend]:
    """Sum what was spent at each of the five services, in the pipeline's order; one that was not called has zeros."""
    rows = _tallies(campaign, since, until).values("service").annotate(**SUMS)
    sums = {row["service"]: _spend(row) for row in rows}
    return {service: sums.get(service, Spend()) for service in SERVICES}


def by_day(
    *, campaign: int | None = None, since: date | None = None, until: date | None = None
) -> dict[date, dict[str, Spend]]:
    """Sum what was spent on each day that saw a call, oldest first, at the services that were called then."""
    rows = _tallies(campaign, since, until).values("day", "service").annotate(**SUMS)
    days: dict[date, dict[str, Spend]] = {}
    for row in rows.order_by("day", "service"):
        if (spent := _spend(row)).calls:
            days.setdefault(row["day"], {})[row["service"]] = spent
    return days


def in_all() -> Spend:
    """Sum over all calls of all services."""
    return _spend(CallTally.objects.aggregate(**SUMS))


def avoided(campaign: int | None = None) -> Decimal:
    """Sum what the jobs of one campaign, or of all, would have cost (USD, since the beginning), had their answers not
    been known."""
    tallies = JobTally.objects.all() if campaign is None else JobTally.objects.filter(campaign_id=campaign)
    total: Decimal | None = tallies.aggregate(sum=Sum("avoided_usd"))["sum"]
    return total or NOTHING
