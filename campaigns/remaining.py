"""What leads still need is reckoned here: the calls that are left, at most, and what such calls cost of late."""

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Count

from campaigns.models import Job, Lead, VendorCall
from campaigns.pipeline import FIRST_OF_LEAD, FOLLOWS, REVIEW, SERVICE_OF
from campaigns.tallies import LeadTally, summed
from circuitbreakers.services import SERVICES

KINDS_OF_LEAD = tuple(kind for kind in SERVICE_OF if kind in FOLLOWS or kind in FOLLOWS.values())


def steps_from(stage: str) -> list[str]:
    """Return the kinds of call that a lead at `stage` still needs if each succeeds; none for one that has ended."""
    stage = {"waiting": FIRST_OF_LEAD, REVIEW: FOLLOWS["write"]}.get(stage, stage)
    steps = []
    while stage in KINDS_OF_LEAD:
        steps.append(stage)
        stage = FOLLOWS.get(stage, "")
    return steps


def remaining_calls(campaigns: Iterable[int]) -> dict[str, int]:
    """Count by service the calls that the leads of these campaigns and their searches need at most."""
    ids = list(campaigns)
    calls = dict.fromkeys(SERVICES, 0)
    leads = summed(LeadTally.objects.filter(campaign_id__in=ids, state=Lead.State.OPEN), "stage")
    for stage, number in leads.items():
        for kind in steps_from(stage or "waiting"):
            calls[SERVICE_OF[kind]] += number
    finding = Job.objects.filter(campaign__in=ids, lead=None, status__in=Job.UNFINISHED).order_by()
    for service, number in finding.values_list("service").annotate(n=Count("pk")):
        calls[service] += number
    return calls


def mean_costs(last: int = 500) -> dict[str, Decimal | None]:
    """Return what the latest successful calls of each service cost on average (USD); None when there was none."""
    costs: dict[str, Decimal | None] = {}
    for service in SERVICES:
        latest = VendorCall.objects.filter(service=service).order_by("-admitted_at").values_list("cost_usd", "outcome")
        prices = [price for price, outcome in latest[:last] if outcome == "success"]
        costs[service] = sum(prices, Decimal(0)) / len(prices) if prices else None
    return costs
