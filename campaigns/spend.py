"""What the calls cost: totals of the ledger per service, per campaign and per day. Sums are made by the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, DateField, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from campaigns.models import VendorCall
from circuitbreakers.services import SERVICES

NOTHING = Decimal(0)
# Under names of their own: an annotation may not be called like a column.
SUMS = {
    "n_calls": Count("pk"),
    "n_failed": Count("pk", filter=~Q(outcome__in=["success", "unknown"])),
    "n_unknown": Count("pk", filter=Q(outcome="unknown")),
    "n_credits": Coalesce(Sum("credits"), NOTHING),
    "n_tokens_in": Coalesce(Sum("tokens_in"), 0),
    "n_tokens_out": Coalesce(Sum("tokens_out"), 0),
    "n_cost_usd": Coalesce(Sum("cost_usd"), NOTHING),
}


@dataclass(frozen=True, kw_only=True)
class Spend:
    """Sums over some calls. `credits` are the service's own unit; `unknown` calls may have been charged beyond it."""

    calls: int = 0
    failed: int = 0
    unknown: int = 0
    credits: Decimal = NOTHING
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = NOTHING


def _spend(row: Mapping[str, Any]) -> Spend:
    return Spend(**{name.removeprefix("n_"): row[name] for name in SUMS})


def calls_of(
    *, campaign: int | None = None, since: datetime | None = None, until: datetime | None = None
) -> QuerySet[VendorCall]:
    """The calls that were admitted from `since` (inclusive) to `until` (exclusive), of one campaign or of all."""
    calls = VendorCall.objects.order_by()
    if campaign is not None:
        calls = calls.filter(campaign_id=campaign)
    if since is not None:
        calls = calls.filter(admitted_at__gte=since)
    if until is not None:
        calls = calls.filter(admitted_at__lt=until)
    return calls


def by_service(
    *, campaign: int | None = None, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Spend]:
    """What was spent at each of the five services, in the pipeline's order; one that was not called has zeros."""
    rows = calls_of(campaign=campaign, since=since, until=until).values("service").annotate(**SUMS)
    found = {row["service"]: _spend(row) for row in rows}
    return {service: found.get(service, Spend()) for service in SERVICES}


def by_day(
    *, campaign: int | None = None, since: datetime | None = None, until: datetime | None = None
) -> dict[date, dict[str, Spend]]:
    """What was spent on each day (UTC) that saw a call, oldest first, at the services that were called then."""
    day = TruncDate("admitted_at", tzinfo=UTC, output_field=DateField())
    rows = calls_of(campaign=campaign, since=since, until=until).annotate(day=day).values("day", "service")
    days: dict[date, dict[str, Spend]] = {}
    for row in rows.annotate(**SUMS).order_by("day", "service"):
        days.setdefault(row["day"], {})[row["service"]] = _spend(row)
    return days


def by_campaign(
    campaigns: list[int], *, since: datetime | None = None, until: datetime | None = None
) -> dict[int, dict[str, Spend]]:
    """What each of `campaigns` spent at the services that it called: one query for a page of a list."""
    rows = calls_of(since=since, until=until).filter(campaign_id__in=campaigns)
    found: dict[int, dict[str, Spend]] = {campaign: {} for campaign in campaigns}
    for row in rows.values("campaign_id", "service").annotate(**SUMS):
        found[row["campaign_id"]][row["service"]] = _spend(row)
    return found


def total(spends: dict[str, Spend]) -> Decimal:
    """USD over all services, the one unit that they share."""
    return sum((spend.cost_usd for spend in spends.values()), NOTHING)
