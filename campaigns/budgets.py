"""A campaign waits for its own budget: its row says so, so that a claim and a list need not ask for it."""

from typing import Any

from campaigns.models import Campaign
from campaigns.wake import wake_supervisor
from circuitbreakers.models import Budget


def follow(scope: str, **kwargs: Any) -> None:
    """Write into the campaign of that scope why it waits, as `budget_halted`'s receiver. Other scopes are no
    campaign's."""
    kind, _, pk = scope.partition(":")
    if kind == "campaign":
        halt = Budget.objects.filter(scope=scope).exclude(halt="").values_list("halt", flat=True).first() or ""
        Campaign.objects.filter(pk=int(pk)).exclude(budget_halt=halt).update(budget_halt=halt)
    wake_supervisor()
