"""Work of a scope whose budget is used up waits, and goes on when the limit was raised, the period has turned, or what
was reserved was not spent. The supervisor watches; a worker that was refused does not wait for it."""

import logging
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from circuitbreakers import budget_counters, budgets, events
from circuitbreakers.budget import (
    MICRO,
    SYSTEM,
    TOLD_AT,
    KnownBudget,
    dollars,
    limits_in_words,
    percent_used,
    start,
    whose,
)
from circuitbreakers.budget_counters import Counters
from circuitbreakers.models import Budget
from circuitbreakers.services import SERVICES
from circuitbreakers.signals import budget_halted

logger = logging.getLogger(__name__)

SUBJECT = "budget"  # of the events


def held_services() -> dict[str, str]:
    """Return the services whose work waits, as a whole, for a budget, each with the sentence that says so."""
    rows = Budget.objects.exclude(halt="").exclude(scope__startswith="campaign:").values_list("scope", "halt")
    held = {}
    for scope, halt in sorted(rows, key=lambda row: row[0] == SYSTEM):
        held.update(dict.fromkeys(SERVICES if scope == SYSTEM else [scope.partition(":")[2]], halt))
    return held


def hold(budget: KnownBudget, *, at: datetime, needs: int) -> bool:
    """Let the scope's work wait: a call that may cost `needs` micro-USD was refused at `at`. False if it waits already,
    or if the budget was edited since: then the refusal says nothing."""
    budgets.forget()
    began = start(budget.period, at)
    with transaction.atomic():
        row = Budget.objects.filter(pk=budget.pk, version=budget.version).first()
        same = Budget.objects.filter(pk=budget.pk, version=budget.version, halt="")
        if row is None or not same.update(halt=row.halt_sentence, halt_needs=needs, halt_start=began):
            return False
        budget_halted.send(sender=None, scope=row.scope)
        _tell(row, 100, began)
    return True


@transaction.atomic
def _tell(row: Budget, percent: int, began: str) -> bool:
    """Say once in each period that so much of a budget is used."""
    told = Budget.objects.filter(pk=row.pk).exclude(Q(told_start=began, told_percent__gte=percent))
    if not told.update(told_start=began, told_percent=percent):
        return False
    limits = limits_in_words(row.limit_usd, row.limit_calls, row.period)
    used = "is used up" if percent == TOLD_AT[-1] else f"is used to {percent} %"
    text = f"{whose(row.scope).capitalize()} budget of {limits} {used}"
    verb = "used_up" if percent == TOLD_AT[-1] else "nears_limit"
    after = {"period": began, "percent": percent}
    events.record(SUBJECT, row.scope, verb, actor=events.SUPERVISOR, reason=text, after=after)
    logger.warning("%s (%s, %s)", text, row.scope, began, extra={"budget": row.scope})
    return True


def lift(row: Budget, why: str) -> bool:
    """Let the scope's work go on; False if it does not wait."""
    with transaction.atomic():
        if not Budget.objects.filter(pk=row.pk).exclude(halt="").update(halt="", halt_needs=0, halt_start=""):
            return False
        budget_halted.send(sender=None, scope=row.scope)
    logger.info("Work of %s goes on: %s", row.scope, why, extra={"budget": row.scope})
    return True


def watch() -> int:
    """Count claims whose fate is known by now, tell what is nearly used, let go on what has room; how much it changed.

    Raises RedisUnavailable.
    """
    rows = list(Budget.objects.all())
    if not rows:
        return 0
    counters = budget_counters.read()
    changed = budget_counters.end_claims(counters)
    if changed:
        counters = budget_counters.read()
    for row in rows:
        changed += _tell_of(row, counters)
        if row.halt and (why := _why_it_goes_on(row, counters)):
            changed += lift(row, why)
    return changed


def _tell_of(row: Budget, counters: Counters) -> bool:
    known = row.known
    used = counters.used(known)
    if used is None:
        return False
    calls, usd = used
    percent = percent_used(usd, calls, known.limit_usd, known.limit_calls)
    reached = max((mark for mark in TOLD_AT if percent >= mark), default=0)
    began = start(row.period, counters.at)
    return bool(reached) and (row.told_start, row.told_percent) < (began, reached) and _tell(row, reached, began)


def _why_it_goes_on(row: Budget, counters: Counters) -> str:
    """Say why a scope's work need not wait any longer; '' while it must."""
    if start(row.period, counters.at) != row.halt_start:
        return f"a new {row.period} has begun"
    used = counters.used(row.known)
    if used is None:
        return "what was spent is counted anew"
    # While calls are out, what they have reserved may come back bit by bit: work would stop and go.
    if budget_counters.books().busy(row.scope):
        return ""
    calls, usd = used
    room_for_call = row.limit_calls is None or calls < row.limit_calls
    limit_usd = row.known.limit_usd
    if room_for_call and (limit_usd is None or usd + row.halt_needs <= limit_usd):
        return "calls have cost less than was reserved for them"
    return ""


def forget_old() -> int:
    """Drop counters that nobody asks for; how many. Raises RedisUnavailable."""
    rows = [row.known for row in Budget.objects.all()]
    return budget_counters.forget_old(budget_counters.read(), rows)


def spent_in_words(row: Budget, counters: Counters) -> str:
    """Say what a budget has counted in its present period, reservations included."""
    used = counters.used(row.known)
    if used is None:
        return "nothing counted yet"
    calls, usd = used
    return f"{dollars(Decimal(usd) / MICRO)} and {calls:,} calls"
