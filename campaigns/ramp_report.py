"""A ramp is told here to people: where it is, what moves it on, and what it has spent by the ledger."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Sum

from campaigns.models import VendorCall
from circuitbreakers import events, ramps
from circuitbreakers.models import Incident, Ramp
from circuitbreakers.services import SERVICES
from circuitbreakers.states import Stage, SwitchSnapshot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RampReport:
    """A report is one service's ramp: `stage` in per cent (0: the canary), `sentence` what moves it on, `spent_usd` by
    the ledger since `started_at`."""

    service: str
    stage: int
    sentence: str
    started_at: datetime
    held_by: str
    hold_reason: str
    calls: int
    spent_usd: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: value for name, value in self.__dict__.items() if name != "service"}


def sentence(stage: Stage, now: datetime, *, held_by: str = "") -> str:
    """Say where a ramp is and what moves it on. Pure."""
    if stage.canary:
        text = f"canary: {stage.calls} of {stage.size} calls have ended, {stage.failed} failed (one may)"
        goes_to = "10 %" if settings.RAMP_STEP_CALLS else "full speed"
    else:
        seconds = int((now - stage.since).total_seconds()) if stage.since else 0
        needs_calls, needs_seconds = settings.RAMP_STEP_CALLS, settings.RAMP_STEP_SECONDS
        text = (
            f"{stage.percent} %: {min(stage.calls, needs_calls)} of {needs_calls} calls, "
            f"{min(seconds, needs_seconds)} of {needs_seconds} s, {stage.failed} failed (less than a tenth may)"
        )
        goes_to = {10: "25 %", 25: "50 %"}.get(stage.percent or 0, "full speed")
    return f"{text}; held there by {held_by}" if held_by else f"{text}; then {goes_to}"


def read(snapshot: SwitchSnapshot) -> list[RampReport]:
    """Return the ramps under way, in the pipeline's order; no statement beyond one when there are none."""
    rows = ramps.unfinished()
    reports = []
    for service in SERVICES:
        row = rows.get(service)
        stage = snapshot.gates[service].stage
        if row is None or stage.full:
            continue
        spent = _spent(row)
        text = sentence(stage, snapshot.now, held_by=row.held_by)
        reports.append(
            RampReport(
                service, stage.percent or 0, text, row.started_at, row.held_by, row.hold_reason, spent.calls, spent.usd
            )
        )
    return reports


@dataclass(frozen=True)
class Spent:
    """This is what a ramp has cost: its calls in the ledger, and their USD."""

    calls: int
    usd: Decimal


def _spent(row: Ramp) -> Spent:
    calls = VendorCall.objects.filter(service=row.service, admitted_at__gte=row.started_at)
    if row.ended_at:
        calls = calls.filter(admitted_at__lte=row.ended_at)
    sums = calls.aggregate(calls=Count("pk"), usd=Sum("cost_usd"))
    return Spent(sums["calls"], sums["usd"] or Decimal(0))


def stopped() -> list[str]:
    """Say of each service whose resume was stopped, by what the system is paused now, where that was."""
    return [f"{service}: {text}" for service, text in stopped_by_service().items()]


def stopped_by_service() -> dict[str, str]:
    """Return where a resume was stopped, of each service with an incident under the standing system pause that goes on
    since."""
    rows: QuerySet[Ramp] = Ramp.objects.filter(
        ended_how=Ramp.STOPPED, incident__pause__ended_at=None, incident__first_epoch__isnull=False
    )
    latest = {row.incident_id: row for row in rows.order_by("id")}
    return {row.service: stopped_sentence(row) for row in latest.values()}


def stopped_sentence(row: Ramp) -> str:
    """Return where a resume was stopped, after how many calls, and what the ledger says that they cost so far."""
    spent = _spent(row)
    calls = max(row.calls, spent.calls)
    return f"resume stopped at {row.place} after {calls} call{'' if calls == 1 else 's'}, ${spent.usd:.2f}"


def tell_stopped(row: Ramp, incident: Incident) -> None:
    """Write into the incident that its resume was stopped. The call that did it may not be booked yet."""
    text = stopped_sentence(row)
    verb = "stopped_at_canary" if row.stage == 0 else "stopped_at_ramp"
    after = {"stage": row.stage, "calls": row.calls, "usd": str(_spent(row).usd)}
    events.record("breaker", row.service, verb, actor=events.BREAKER, reason=text, after=after, incident=incident)
    logger.warning("The %s of %s", text, row.service, extra={"service": row.service, "incident": incident.pk})
