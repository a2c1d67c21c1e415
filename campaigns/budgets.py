"""A campaign waits for its own budget: its row says so, so that a claim and a list need not ask for it."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from campaigns.models import Campaign
from campaigns.wake import wake_supervisor
from circuitbreakers import budget_verbs, events
from circuitbreakers.budget import MICRO, BudgetInvalid, limits_in_words, percent_used, valid_scope
from circuitbreakers.budget_counters import Counters
from circuitbreakers.budget_halts import spent_in_words
from circuitbreakers.models import Budget


def set_budget(scope: str, period: str, *, actor: events.Actor, **limits: Any) -> tuple[Budget, str]:
    """Set a budget as `budget_verbs.set_budget` does, of a campaign only while there is one that has not ended.

    Raises BudgetInvalid, BudgetRefused.
    """
    kind, _, pk = valid_scope(scope, period).partition(":")
    if kind == "campaign":
        campaign = Campaign.objects.filter(pk=int(pk)).first() if len(pk) < 19 else None
        if campaign is None:
            raise BudgetInvalid(f"There is no campaign {pk}.")
        if campaign.finished:
            raise budget_verbs.BudgetRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
    return budget_verbs.set_budget(scope, period, actor=actor, **limits)


def as_dict(row: Budget, counters: Counters | None) -> dict[str, Any]:
    """Return a budget as the doors show it; what is spent of it is null where it has not been counted."""
    known = row.known
    used = counters.used(known) if counters else None
    calls, usd = used or (None, None)  # reservations included
    percent = percent_used(used[1], used[0], known.limit_usd, known.limit_calls) if used else None
    return {
        "scope": row.scope,
        "period": row.period,
        "limit_usd": row.limit_usd,
        "limit_calls": row.limit_calls,
        "limits": limits_in_words(row.limit_usd, row.limit_calls, row.period),
        "spent_usd": None if usd is None else Decimal(usd) / MICRO,
        "spent_calls": calls,
        "spent": spent_in_words(row, counters) if counters else "",
        "percent": percent,
        "halt": row.halt,
        "version": row.version,
        "reason": row.reason,
        "set_by": row.set_by,
        "set_at": row.set_at,
    }


def held() -> QuerySet[Campaign]:
    """Return the unfinished campaigns that wait for their budget."""
    statuses = (Campaign.Status.CREATED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)
    return Campaign.objects.filter(status__in=statuses).exclude(budget_halt="")


def follow(scope: str, **kwargs: Any) -> None:
    """Write into the campaign of that scope why it waits, as `budget_halted`'s receiver. Other scopes are no
    campaign's."""
    kind, _, pk = scope.partition(":")
    if kind == "campaign":
        halt = Budget.objects.filter(scope=scope).exclude(halt="").values_list("halt", flat=True).first() or ""
        Campaign.objects.filter(pk=int(pk)).exclude(budget_halt=halt).update(budget_halt=halt)
    wake_supervisor()
