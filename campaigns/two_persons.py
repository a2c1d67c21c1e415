"""A queue resume waits for a second person when it costs much, or goes to full speed at once; here that is decided."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings

from campaigns import remaining
from campaigns.models import Campaign
from campaigns.resume_plan import ResumePlan
from circuitbreakers import confirmations
from circuitbreakers.models import Confirmation


@dataclass(frozen=True)
class Cost:
    """A cost is what a resume costs at most, about, in USD. `unpriced`: services to be called whose price nobody
    knows."""

    usd: Decimal
    unpriced: tuple[str, ...] = ()


def cost_of_resume() -> Cost:
    """Reckon what the campaigns that a queue resume brings back still need, at the prices of late."""
    returning = Campaign.objects.filter(status=Campaign.Status.PAUSED, operator_paused_at=None)
    calls = remaining.remaining_calls(returning.exclude(system_paused_at=None).values_list("pk", flat=True))
    prices = remaining.mean_costs()
    unpriced = tuple(name for name, number in calls.items() if number and prices[name] is None)
    return Cost(sum(((prices[name] or Decimal(0)) * number for name, number in calls.items()), Decimal(0)), unpriced)


def reason_for_two(cost: Cost | None, *, all_at_once: bool) -> str:
    """Say why a resume takes two persons; '' when one is enough. A cost that nobody knows is above every limit."""
    if all_at_once and confirmations.rules(confirmations.ALL_AT_ONCE):
        return "a resume all at once"
    limit = settings.TWO_PERSONS_ABOVE_USD
    if cost is None or limit is None:
        return ""
    if cost.unpriced:
        return f"a resume whose cost nobody knows (no call has succeeded yet of {', '.join(cost.unpriced)})"
    return f"a resume for about ${cost.usd:,.2f}, above ${limit:,.2f}" if cost.usd > Decimal(str(limit)) else ""


def require(plan: ResumePlan, *, canary_for_all: bool, all_at_once: bool) -> None:
    """Raise confirmations.Needed, bound to this plan, if the resume takes two persons. Reads only."""
    rules = settings.TWO_PERSONS_ABOVE_USD is not None or (
        all_at_once and confirmations.rules(confirmations.ALL_AT_ONCE)
    )
    cost = cost_of_resume() if rules else None
    if why := reason_for_two(cost, all_at_once=all_at_once):
        options = {"canary_for_all": canary_for_all, "all_at_once": all_at_once}
        raise confirmations.Needed(Confirmation.RESUME, why, shown=_shown(plan, cost), options=options)


def _shown(plan: ResumePlan, cost: Cost | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"epochs": plan.epochs, "campaigns": plan.campaigns, "jobs": plan.jobs}
    if cost is not None:
        shown |= {"cost_usd": f"{cost.usd:.2f}", "unpriced": list(cost.unpriced)}
    return shown


def grown(plan: ResumePlan, confirmed: Confirmation) -> str:
    """Say what is more, or other, than two persons saw; '' when nothing is. Less of it is no surprise to anybody."""
    shown = confirmed.shown
    if plan.epochs != shown["epochs"]:
        return "a breaker has moved since"
    if plan.campaigns > shown["campaigns"]:
        return f"{plan.campaigns} campaigns, where {shown['campaigns']} were shown"
    for service, jobs in plan.jobs.items():
        if jobs > shown["jobs"].get(service, 0):
            return f"{jobs} jobs of {service}, where {shown['jobs'].get(service, 0)} were shown"
    cost = cost_of_resume()
    if round(cost.usd, 2) > Decimal(shown["cost_usd"]) or set(cost.unpriced) - set(shown["unpriced"]):
        return f"about ${cost.usd:,.2f}, where ${shown['cost_usd']} was shown"
    return ""
