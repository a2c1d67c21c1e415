"""The queue resume: plan and act. The only way back for campaigns that the system paused."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import QuerySet

from campaigns.models import Campaign, Job, Process
from campaigns.moves import move
from campaigns.tallies import JobCount, summed
from campaigns.wake import wake_supervisor
from circuitbreakers import broker, events, incidents, pauses, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Breaker, Incident, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.states import SwitchSnapshot

logger = logging.getLogger(__name__)

RESUMED = "Campaign resumed - services are available"
Status = Campaign.Status


@dataclass(frozen=True)
class Prerequisite:
    """One thing that must hold before the queue is resumed; `mend` says how to make it so."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class ResumePlan:
    """What a queue resume would do now, and whether it may.

    `epochs` identify the breakers that were looked at; `at` is that instant by Redis's clock.
    """

    prerequisites: list[Prerequisite]
    campaigns: int = 0
    jobs: dict[str, int] = field(default_factory=dict)
    services_still_paused: list[str] = field(default_factory=list)
    campaigns_still_paused: int = 0
    epochs: dict[str, int] = field(default_factory=dict)
    at: datetime | None = None

    @property
    def ready(self) -> bool:
        return all(item.ok for item in self.prerequisites)

    @property
    def missing(self) -> str:
        """What is missing, in one line."""
        return "; ".join(item.detail for item in self.prerequisites if not item.ok)


class ResumeRefused(Exception):
    """A prerequisite is missing. Nothing has changed."""

    def __init__(self, why: str, plan: ResumePlan | None = None) -> None:
        super().__init__(f"Cannot resume queue: {why}")
        self.plan = plan


@dataclass
class Resumed:
    """What a queue resume did. `interrupted_by`: the service whose opening paused everything again meanwhile."""

    jobs: dict[str, int] = field(default_factory=dict)
    campaigns_eligible: int = 0
    campaigns_resumed: int = 0
    services: list[str] = field(default_factory=list)
    services_still_paused: list[str] = field(default_factory=list)
    campaigns_still_paused: int = 0
    errors: list[str] = field(default_factory=list)
    interrupted_by: str = ""

    @property
    def jobs_resumed(self) -> int:
        return sum(self.jobs.values())

    @property
    def message(self) -> str:
        if self.interrupted_by:
            return (
                f"Paused again by {self.interrupted_by} while resuming: {self.campaigns_resumed} of "
                f"{self.campaigns_eligible} campaigns had been resumed and are paused again. "
                f"Reset {self.interrupted_by}, then resume again."
            )
        text = f"Queue resumed successfully: {self.jobs_resumed} jobs and {self.campaigns_resumed} campaigns resumed"
        return f"{text} (with {len(self.errors)} campaign errors)" if self.errors else text

    def as_dict(self) -> dict[str, Any]:
        """The body of docs/contract.md#http."""
        body: dict[str, Any] = {
            "queue_resumed": not self.interrupted_by,
            "jobs_resumed": self.jobs_resumed,
            "campaigns_eligible": self.campaigns_eligible,
            "campaigns_resumed": self.campaigns_resumed,
            "services_resumed": self.services,
            "services_still_paused": self.services_still_paused,
            "campaigns_still_paused": self.campaigns_still_paused,
            "prerequisites_met": "All circuit breakers closed",
        }
        if self.errors:
            body["campaign_resume_errors"] = self.errors
        if self.interrupted_by:
            body["interrupted_by"] = self.interrupted_by
        return {**body, "message": self.message}


def plan() -> ResumePlan:
    """The prerequisites one by one, and what a resume would bring back. Reads only."""
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
    return ResumePlan(
        checks,
        campaigns=eligible.filter(operator_paused_at=None).count(),
        jobs=_jobs_by_service(eligible.filter(operator_paused_at=None)),
        services_still_paused=services_still_paused(),
        campaigns_still_paused=paused.exclude(operator_paused_at=None).count(),
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
    """Closed in Redis is not enough: after a failover it may be what an old copy says."""
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
    supervised = alive.filter(role=Process.Role.SUPERVISOR).exists()
    start = "Start `manage.py rundramatiq`."
    return [
        Prerequisite("workers", True, "A live worker serves every queue")
        if not unserved
        else Prerequisite("workers", False, f"No live worker for: {', '.join(unserved)}", start),
        Prerequisite("supervisor", True, "A supervisor is alive")
        if supervised
        else Prerequisite("supervisor", False, "No live supervisor", "Start `manage.py supervise`."),
    ]  # fmt: skip


def services_still_paused() -> list[str]:
    """Services whose queue an operator's own pause keeps shut, in the order of the pipeline."""
    keys = {row.key for row in pauses.all_standing()}
    return [name for name in SERVICES if QueuePause.ALL in keys or f"operator:{name}" in keys]


def _jobs_by_service(campaigns: QuerySet[Campaign]) -> dict[str, int]:
    counts = summed(
        JobCount.objects.filter(status=Job.Status.PAUSED, campaign_id__in=campaigns.values("pk")), "service"
    )
    return {name: counts[name] for name in SERVICES if name in counts}


def resume(*, actor: events.Actor, reason: str = "") -> Resumed:
    """Queue -> campaigns -> jobs -> workers, in this order. May be repeated: it picks up what an interrupted one left.

    Raises ResumeRefused when a prerequisite is missing, RedisUnavailable. Jobs follow their campaigns within seconds;
    the answer counts them and does not wait for them.
    """
    logger.info("Manual queue resume requested - validating prerequisites", extra={"actor": actor.name})
    incident = _reopen_queue(actor, reason)
    result = Resumed()
    _resume_campaigns(result, actor, reason, incident)
    result.services_still_paused = services_still_paused()
    result.services = [name for name in SERVICES if name not in result.services_still_paused]
    result.campaigns_still_paused = (
        Campaign.objects.filter(status=Status.PAUSED).exclude(operator_paused_at=None).count()
    )
    if result.interrupted_by:
        result.services = []
    for service, count in result.jobs.items():
        logger.info("Queue resume: %d jobs resumed for %s", count, service, extra={"service": service})
    events.record(
        "queue", "all", "resumed" if not result.interrupted_by else "resume_interrupted", actor=actor, reason=reason,
        after={"jobs": result.jobs_resumed, "campaigns": result.campaigns_resumed}, incident=incident,
    )  # fmt: skip
    wake_supervisor()
    if result.interrupted_by:
        logger.warning("%s", result.message, extra={"actor": actor.name})
    else:
        logger.info(
            "Manual queue resume completed: %d jobs, %d campaigns resumed",
            result.jobs_resumed,
            result.campaigns_resumed,
            extra={"actor": actor.name},
        )
    return result


def _reopen_queue(actor: events.Actor, reason: str) -> Incident | None:
    """Step 1: check everything and make the queue ACTIVE, under the switch lock. Returns the incident that it ends."""
    with switch_lock():
        seen = plan()
        if any(item.name in ("redis", "broker") and not item.ok for item in seen.prerequisites):
            raise switch.RedisUnavailable
        if not seen.ready:
            raise ResumeRefused(seen.missing, seen)
        logger.info(
            "Prerequisites met: All circuit breakers are closed - proceeding with queue resume",
            extra={"actor": actor.name},
        )
        incident = incidents.current()
        row = pauses.standing(QueuePause.SYSTEM)
        if row:
            # Redis's clock, as in the ledger: no admission can be earlier than this instant.
            pauses.end(row, actor=actor, reason=reason, at=seen.at)
        try:
            pauses.activate(QueuePause.SYSTEM, seen.epochs)
        except pauses.SwitchRefused as error:
            raise ResumeRefused(str(error), seen) from None
        left = Campaign.objects.exclude(system_paused_at=None).exists()
    # A repeated resume goes on with what an interrupted one left of the latest incident.
    return incident or (Incident.objects.order_by("-id").first() if left else None)


def _resume_campaigns(result: Resumed, actor: events.Actor, reason: str, incident: Incident | None) -> None:
    """Step 2: each campaign in its own transaction; one that fails is reported and does not stop the others."""
    eligible = Campaign.objects.filter(status=Status.PAUSED).exclude(system_paused_at=None)
    ids = list(eligible.order_by("pk").values_list("pk", flat=True))
    jobs: dict[int, dict[str, int]] = {}
    paused = JobCount.objects.filter(status=Job.Status.PAUSED, campaign_id__in=ids)
    for (pk, service), count in summed(paused, "campaign_id", "service").items():
        jobs.setdefault(pk, {})[service] = count
    for pk in ids:
        try:
            with switch_lock():
                again = incidents.current()
                if again or pauses.standing(QueuePause.SYSTEM):
                    result.interrupted_by = again.service if again else "the system"
                    result.campaigns_eligible = len(ids)
                    return
                running = _resume_campaign(pk, actor, reason, incident)
        except DatabaseError as error:
            connection.close_if_unusable_or_obsolete()
            result.campaigns_eligible += 1
            result.errors.append(f"Campaign {pk}: {type(error).__name__}")
            logger.error("Campaign %s could not be resumed: %r", pk, error, extra={"campaign": pk})
            continue
        if running is None:
            continue
        result.campaigns_eligible += running
        result.campaigns_resumed += running
        if running:
            logger.info("Queue resume: Campaign %s resumed", pk, extra={"campaign": pk})
            for service in SERVICES:
                if number := jobs.get(pk, {}).get(service):
                    result.jobs[service] = result.jobs.get(service, 0) + number


def _resume_campaign(pk: int, actor: events.Actor, reason: str, incident: Incident | None) -> bool | None:
    """Lift the system's pause of one campaign: True when it runs, False when an operator's stands, None when gone."""
    campaign = Campaign.objects.filter(pk=pk, status=Status.PAUSED).exclude(system_paused_at=None).first()
    if campaign is None:
        return None
    if campaign.operator_paused_at:
        message = f"Paused by {campaign.operator_paused_by}: {campaign.operator_pause_reason}"
        move(campaign, Status.PAUSED, message, verb="system_pause_lifted", actor=actor, reason=reason,
             incident=incident, system_paused_at=None)  # fmt: skip
        return False
    move(campaign, Status.RUNNING, RESUMED, verb="resumed", actor=actor, reason=reason, incident=incident,
         system_paused_at=None)  # fmt: skip
    return True
