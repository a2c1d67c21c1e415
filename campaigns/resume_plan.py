"""The plan of a queue resume says which prerequisites hold, one by one, and what it would bring back. Nothing here
writes."""

from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from campaigns import foresight, past_due
from campaigns.models import Campaign, Job, Lead, Process
from campaigns.tallies import JobCount, LeadTally, summed
from circuitbreakers import broker, incidents, pauses, switch
from circuitbreakers.models import Breaker, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.states import SwitchSnapshot

Status = Campaign.Status


@dataclass(frozen=True)
class Prerequisite:
    """A prerequisite is one thing that must hold before the queue is resumed; `mend` says how to make it so."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class ResumePlan:
    """A plan says what a queue resume would do now, and whether it may.

    `epochs` identify the breakers that were looked at; `at` is that instant by Redis's clock.
    """

    prerequisites: list[Prerequisite]
    campaigns: int = 0
    jobs: dict[str, int] = field(default_factory=dict)
    services_still_paused: list[str] = field(default_factory=list)
    campaigns_still_paused: int = 0
    warnings: list[str] = field(default_factory=list)  # of what will not last; they refuse nothing
    epochs: dict[str, int] = field(default_factory=dict)
    at: datetime | None = None

    @property
    def ready(self) -> bool:
        return all(item.ok for item in self.prerequisites)

    @property
    def missing(self) -> str:
        """Say what is missing, in one line."""
        return "; ".join(item.detail for item in self.prerequisites if not item.ok)


def plan() -> ResumePlan:
    """Check the prerequisites one by one, and count what a resume would bring back. Reads only."""
    try:
        snapshot = switch.read_all()
    except switch.RedisUnavailable:
        return ResumePlan([Prerequisite("redis", False, "Redis does not answer", "Bring Redis back; nothing is lost.")])
    checks = [
        _breakers(snapshot),
        Prerequisite("redis", True, "Redis answers"),
        _broker(),
        Prerequisite("postgresql", True, "PostgreSQL answers"),
        _stores(snapshot),
        _spread(snapshot),
        *_processes(),
    ]
    paused = Campaign.objects.filter(status=Status.PAUSED)
    eligible = paused.exclude(system_paused_at=None)
    returning = eligible.filter(operator_paused_at=None)
    checks += _outlook(returning)
    return ResumePlan(
        checks,
        campaigns=returning.count(),
        jobs=_jobs_by_service(returning),
        services_still_paused=services_still_paused(),
        campaigns_still_paused=paused.exclude(operator_paused_at=None).count(),
        warnings=[*foresight.warnings(timezone.now(), _open_leads(returning)), *past_due.warnings(returning)],
        epochs={name: state.epoch for name, state in snapshot.breakers.items()},
        at=snapshot.now,
    )


def _breakers(snapshot: SwitchSnapshot) -> Prerequisite:
    shut = [
        f"{state.service} ({'held' if state.held else state.at(snapshot.now)})"
        for state in snapshot.breakers.values()
        if state.state != "closed" or state.held
    ]
    if not shut:
        return Prerequisite("circuit_breakers", True, "All circuit breakers are closed")
    return Prerequisite(
        "circuit_breakers",
        False,
        f"Circuit breakers still open for: {', '.join(shut)}",
        "Probe and reset each of them (release it first where it is held).",
    )


def _stores(snapshot: SwitchSnapshot) -> Prerequisite:
    """Compare the two stores: closed in Redis is not enough, after a failover it may be what an old copy says."""
    name = "stores_agree"
    mend = "Wait a few seconds: the supervisor compares the stores. If it does not, look at its log."
    if not snapshot.sealed:
        return Prerequisite(name, False, "Redis has started anew and has not been compared with PostgreSQL yet", mend)
    closed = {service for service, state in snapshot.breakers.items() if state.state == "closed" and not state.held}
    if opened := [service for service in SERVICES if service in closed & incidents.unreset().keys()]:
        detail = f"Closed in Redis, but their incidents are not reset: {', '.join(opened)}"
        return Prerequisite(name, False, detail, mend)
    held = Breaker.objects.exclude(held_at=None).filter(service__in=closed).values_list("service", flat=True)
    if held:
        return Prerequisite(name, False, f"Held, but closed in Redis: {', '.join(held)}", mend)
    return Prerequisite(name, True, "Redis and PostgreSQL agree on the breakers")


def _broker() -> Prerequisite:
    try:
        broker.ping()
    except switch.RedisUnavailable:
        return Prerequisite("broker", False, "The message broker does not answer", "Bring Redis back.")
    return Prerequisite("broker", True, "The message broker answers")


def _spread(snapshot: SwitchSnapshot) -> Prerequisite:
    name = "pause_spread"
    mend = "Wait a few seconds: the supervisor finishes it. If it does not, look at its log."
    for state in snapshot.breakers.values():
        if state.state in ("open", "half_open") and incidents.of_opening(state) is None:
            return Prerequisite(name, False, f"The opening of {state.service} is still being recorded", mend)
    if pauses.standing(QueuePause.SYSTEM) and Campaign.objects.filter(status=Status.RUNNING).exists():
        return Prerequisite(name, False, "Some campaigns are still being paused", mend)
    return Prerequisite(name, True, "The pause has reached every campaign and job")


def _processes() -> list[Prerequisite]:
    alive = Process.objects.alive()
    served: set[str] = set()
    for row in alive.filter(role=Process.Role.WORKER):
        served.update(row.queues)
    unserved = [name for name in SERVICES if name not in served]
    workers = Prerequisite("workers", True, "A live worker serves every queue")
    if unserved:
        missing = f"No live worker for: {', '.join(unserved)}"
        workers = Prerequisite("workers", False, missing, "Start `manage.py rundramatiq`.")
    supervisor = Prerequisite("supervisor", True, "A supervisor is alive")
    if not alive.filter(role=Process.Role.SUPERVISOR).exists():
        supervisor = Prerequisite("supervisor", False, "No live supervisor", "Start `manage.py supervise`.")
    return [workers, supervisor]


def _outlook(returning: QuerySet[Campaign]) -> list[Prerequisite]:
    """Check that what the vendors have left is enough, if the installation refuses to begin what cannot be finished."""
    if not settings.REFUSE_UNFINISHABLE:
        return []
    if short := foresight.shortfall(timezone.now(), lambda: _open_leads(returning)):
        return [Prerequisite("outlook", False, f"What is left is not enough: {short}", foresight.MEND)]
    return [Prerequisite("outlook", True, "What the services have left is enough, as far as known")]


def services_still_paused() -> list[str]:
    """Return the services whose queue an operator's own pause keeps shut, in the order of the pipeline."""
    keys = {row.key for row in pauses.all_standing()}
    return [name for name in SERVICES if QueuePause.ALL in keys or f"operator:{name}" in keys]


def _open_leads(campaigns: QuerySet[Campaign]) -> int:
    """Count the leads that these campaigns go on with: of one that holds after its first leads no more than these."""
    leads = summed(LeadTally.objects.filter(state=Lead.State.OPEN, campaign_id__in=_ids(campaigns)), "campaign_id")
    first = dict(campaigns.exclude(first_leads=None).values_list("pk", "first_leads"))
    return sum(min(number, first.get(pk) or number) for pk, number in leads.items())


def _jobs_by_service(campaigns: QuerySet[Campaign]) -> dict[str, int]:
    counts = summed(JobCount.objects.filter(status=Job.Status.PAUSED, campaign_id__in=_ids(campaigns)), "service")
    return {name: counts[name] for name in SERVICES if name in counts}


def _ids(campaigns: QuerySet[Campaign]) -> list[int]:
    """Read the ids. As a subquery they would be joined by statistics from before the pause: every tally is then read
    for each campaign."""
    return list(campaigns.order_by().values_list("pk", flat=True))
