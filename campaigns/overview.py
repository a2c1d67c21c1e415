"""An overview is one reading of switch and rows, as plain values that the doors show."""

from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from campaigns import budgets, foresight, ramp_report, reminders, targets
from campaigns.models import Campaign, Job
from campaigns.resume_plan import ResumePlan
from campaigns.tallies import JobCount, summed
from circuitbreakers import budget_halts, limits_report, pauses, planned, switch
from circuitbreakers.models import PlannedPause
from circuitbreakers.policies import policy_of
from circuitbreakers.services import SERVICES
from circuitbreakers.states import SwitchSnapshot


def breakers(snapshot: SwitchSnapshot) -> dict[str, dict[str, Any]]:
    """Return, per service, what docs/contract.md#http promises of a breaker."""
    allowed = limits_report.read()
    ramps = {one.service: one.as_dict() for one in ramp_report.read(snapshot)}
    return {
        state.service: {
            "circuit_state": state.at(snapshot.now),
            "held": state.held,
            "hold_reason": state.hold_reason,
            "queue_paused": snapshot.queue.get(state.service) != "ACTIVE",
            "failure_count": state.failure_count,
            "failure_threshold": policy_of(state.service).failure_threshold,
            "opened_at": state.opened_at,
            "open_until": state.open_until,
            "reason": state.reason,
            "last_error": state.last_error,
            "waits_until": snapshot.waits_until(state.service),
            "limits": allowed[state.service].as_dict(),
            "ramp": ramps.get(state.service),
            "last_probe": {
                "at": state.last_probe_at,
                "ok": state.last_probe_ok,
                "detail": state.last_probe_detail,
                "proves": state.last_probe_proves,
            }
            if state.last_probe_at
            else None,
        }
        for state in snapshot.breakers.values()
    }


def queue_status() -> dict[str, Any]:
    """Return breakers, queue, pauses, job and campaign counts, paused jobs by service. Raises RedisUnavailable."""
    snapshot = switch.read_all()
    jobs = JobCount.objects.all()
    due = planned.due()
    return {
        "mode": settings.MODE,
        "timestamp": timezone.now(),
        "circuit_breakers": breakers(snapshot),
        "queue": {name: snapshot.queue.get(name, "PAUSED") for name in SERVICES},
        "pauses": [
            {"key": row.key, "reason": row.reason, "actor": row.actor, "since": row.started_at}
            for row in pauses.all_standing()
        ],
        "planned_pauses": [planned_pause(row) for row in planned.ahead()[: planned.SHOWN]],
        "reminders": [{"service": one.service, "due_at": one.due_at, "text": one.text} for one in due],
        # Asked for only where somebody is to act on it: it looks at every store.
        "resume_plan": reminders.in_one_line() if due else "",
        "stopped_resumes": ramp_report.stopped(),
        "campaigns": counts(Campaign.objects.all(), "status"),
        "halted_campaigns": targets.halted().count(),
        "held_campaigns": budgets.held().count(),
        "held_services": budget_halts.held_services(),
        "jobs": summed(jobs, "status"),
        "paused_jobs": summed(jobs.filter(status=Job.Status.PAUSED), "service"),
    }


def planned_pause(row: PlannedPause) -> dict[str, Any]:
    """Return a planned pause as plain values."""
    return {
        "id": row.pk,
        "service": row.service,
        "reason": row.reason,
        "actor": row.actor,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
    }


def counts(rows: QuerySet[Any], field: str) -> dict[str, int]:
    """Count the rows by the values of one field."""
    return dict(rows.order_by(field).values_list(field).annotate(n=Count("pk")))


def outlook() -> dict[str, Any]:
    """Return what is foreseen of each service, and how old the prices are."""
    now = timezone.now()
    return {
        "services": {
            one.service: {
                "sentence": one.sentence,
                "asked_at": one.asked_at,
                "readable": one.readable,
                "ends_at": one.ends_at,
                "hours": one.hours,
                "leads": one.leads,
                "alarming": one.alarming,
            }
            for one in foresight.all_forecasts(now)
        },
        "prices": foresight.price_age(now),
    }


def plan_as_dict(plan: ResumePlan) -> dict[str, Any]:
    """Return a resume's plan for JSON."""
    return {
        "ready": plan.ready,
        "prerequisites": [
            {"name": item.name, "ok": item.ok, "detail": item.detail, "mend": item.mend} for item in plan.prerequisites
        ],
        "campaigns": plan.campaigns,
        "jobs": sum(plan.jobs.values()),
        "jobs_by_service": plan.jobs,
        "services_still_paused": plan.services_still_paused,
        "campaigns_still_paused": plan.campaigns_still_paused,
        "warnings": plan.warnings,
    }
