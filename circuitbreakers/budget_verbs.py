"""A budget is set and removed by these verbs, each with who did it and why; the doors call them."""

import logging

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from circuitbreakers import budget_counters, budgets, events, switch
from circuitbreakers.budget import limits_in_words, valid_limits, valid_scope
from circuitbreakers.budget_halts import SUBJECT, spent_in_words
from circuitbreakers.models import Budget
from circuitbreakers.signals import budget_halted
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)


class BudgetRefused(Exception):
    """The budget was not changed; the text says why."""


def set_budget(
    scope: str,
    period: str,
    *,
    usd: object = None,
    calls: object = None,
    actor: events.Actor,
    reason: str,
    version: int | None = None,
) -> tuple[Budget, str]:
    """Set a budget's limits anew, or make the budget; the row, and a sentence about it. Work that waited goes on.

    `version` is that of the row which the limits were decided by: 0 for none, None for whichever it is. Raises
    BudgetInvalid, and BudgetRefused for another version or without a reason.
    """
    valid_scope(scope, period)
    limit_usd, limit_calls = valid_limits(usd, calls)
    why = _reason(reason)
    with transaction.atomic():
        before = Budget.objects.select_for_update().filter(scope=scope, period=period).first()  # for the event
        if version is not None and version != (before.version if before else 0):
            raise BudgetRefused(_changed(before))
        values = {"limit_usd": limit_usd, "limit_calls": limit_calls, "reason": why, "set_by": actor.name}
        row, made = Budget.objects.update_or_create(
            scope=scope,
            period=period,
            defaults={
                **values, "set_at": Now(), "halt": "", "halt_needs": 0, "halt_start": "", "told_start": "",
                "told_percent": 0, "version": F("version") + 1,
            },
            create_defaults=values,
        )  # fmt: skip
        if made and version not in (None, 0):
            raise BudgetRefused(_changed(None))
        row.refresh_from_db()
        verb = "set" if made else "changed"
        events.record(
            SUBJECT, scope, verb, actor=actor, reason=reason, before=before and _limits(before), after=_limits(row)
        )
        budget_halted.send(sender=None, scope=scope)
        transaction.on_commit(budgets.forget)
    limits = limits_in_words(row.limit_usd, row.limit_calls, row.period)
    logger.info("Budget of %s %s by %s: %s", scope, verb, actor.name, limits, extra={"budget": scope})
    return row, f"The budget of {scope} is {limits}.{_spent(row)}"


def remove(scope: str, period: str, *, actor: events.Actor, reason: str, version: int | None = None) -> bool:
    """Remove a budget: nothing limits the scope for that period any more. False if there is none.

    Raises BudgetRefused for another version or without a reason.
    """
    why = _reason(reason)
    with transaction.atomic():
        row = Budget.objects.select_for_update().filter(scope=scope, period=period).first()  # for the event
        if row is None:
            return False
        if version is not None and version != row.version:
            raise BudgetRefused(_changed(row))
        row.delete()
        events.record(SUBJECT, scope, "removed", actor=actor, reason=why, before=_limits(row))
        budget_halted.send(sender=None, scope=scope)
        transaction.on_commit(budgets.forget)
    logger.info("Budget of %s (%s) removed by %s", scope, period, actor.name, extra={"budget": scope})
    return True


def _reason(reason: str) -> str:
    if not reason.strip():
        raise BudgetRefused("Say why: a budget is changed with a reason.")
    return fit(reason.strip(), Budget, "reason")


def _limits(row: Budget) -> dict[str, object]:
    usd = None if row.limit_usd is None else str(row.limit_usd)
    return {"period": row.period, "limit_usd": usd, "limit_calls": row.limit_calls, "version": row.version}


def _changed(row: Budget | None) -> str:
    if row is None:
        return "Somebody has removed this budget meanwhile. Look again before you set it."
    limits = limits_in_words(row.limit_usd, row.limit_calls, row.period)
    return (
        f"{row.set_by} has set this budget to {limits} meanwhile ({row.reason}); it is version {row.version}. "
        "Look again before you change it."
    )


def _spent(row: Budget) -> str:
    """Say what is spent of it, and whether that is more than it allows; '' if it cannot be told now."""
    try:
        counters = budget_counters.read()
    except switch.RedisUnavailable:
        return ""
    known, used = row.known, counters.used(row.known)
    if used is None:
        return ""
    calls, usd = used
    over = (known.limit_calls is not None and calls >= known.limit_calls) or (
        known.limit_usd is not None and usd >= known.limit_usd
    )
    return f" Spent are {spent_in_words(row, counters)}{': its work waits at once' if over else ''}."
