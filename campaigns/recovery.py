"""The queue resume is the only way back for campaigns that the system paused. `resume_plan` says what it needs."""

import logging
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection

from campaigns import ramp_report, resume_plan, two_persons
from campaigns.models import Campaign, Job
from campaigns.moves import move
from campaigns.resume_plan import ResumePlan, services_still_paused
from campaigns.tallies import JobCount, summed
from campaigns.wake import wake_supervisor
from circuitbreakers import confirmations, events, incidents, pauses, ramps, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Confirmation, Incident, QueuePause
from circuitbreakers.services import SERVICES
from telemetry import ids

logger = logging.getLogger(__name__)

RESUMED = "Campaign resumed - services are available"
Status = Campaign.Status


class ResumeRefused(Exception):
    """A prerequisite is missing. Nothing has changed."""

    def __init__(self, why: str, plan: ResumePlan | None = None) -> None:
        super().__init__(f"Cannot resume queue: {why}")
        self.plan = plan


@dataclass
class Resumed:
    """This is what a queue resume did. `interrupted_by`: the service whose opening paused all again meanwhile;
    `stages`: of each service that is not at full speed, where it is and what moves it on."""

    jobs: dict[str, int] = field(default_factory=dict)
    campaigns_eligible: int = 0
    campaigns_resumed: int = 0
    services: list[str] = field(default_factory=list)
    services_still_paused: list[str] = field(default_factory=list)
    campaigns_still_paused: int = 0
    errors: list[str] = field(default_factory=list)
    interrupted_by: str = ""
    stages: dict[str, str] = field(default_factory=dict)

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
        """Return the body of docs/contract.md#http."""
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
        if self.stages:
            body["stages"] = self.stages
        if self.errors:
            body["campaign_resume_errors"] = self.errors
        if self.interrupted_by:
            body["interrupted_by"] = self.interrupted_by
        return {**body, "message": self.message}


def resume(
    *,
    actor: events.Actor,
    reason: str = "",
    canary_for_all: bool = False,
    all_at_once: bool = False,
    confirmed: Confirmation | None = None,
) -> Resumed:
    """Bring back queue -> campaigns -> jobs -> workers, in this order. May be repeated: it picks up what an interrupted
    one left.

    Services whose breakers had opened begin at their canary: all services with `canary_for_all`, none with
    `all_at_once`, which needs a reason and also ends the ramps of an earlier resume.

    `confirmed` is what a second person has claimed. Raises ResumeRefused when a prerequisite is missing, or more would
    go on than was shown to two persons; SecondPersonNeeded; RedisUnavailable. Jobs are PENDING with their campaign;
    the answer counts them and does not wait for them.
    """
    logger.info("Manual queue resume requested - validating prerequisites", extra={"actor": actor.name})
    if all_at_once and not reason.strip():
        raise ResumeRefused("all at once needs a reason: it becomes part of the record")
    with confirmations.asking(actor=actor, reason=reason):
        incident = _reopen_queue(actor, reason, canary_for_all, all_at_once, confirmed)
    with ids.named(incident=incident.pk if incident else None):
        return _resume(actor, reason, incident)


def _resume(actor: events.Actor, reason: str, incident: Incident | None) -> Resumed:
    result = Resumed()
    _resume_campaigns(result, actor, reason, incident)
    result.services_still_paused = services_still_paused()
    result.services = [name for name in SERVICES if name not in result.services_still_paused]
    result.campaigns_still_paused = (
        Campaign.objects.filter(status=Status.PAUSED).exclude(operator_paused_at=None).count()
    )
    if result.interrupted_by:
        result.services = []
    else:
        result.stages = {one.service: one.sentence for one in ramp_report.read(switch.read_all())}
    for service, count in result.jobs.items():
        logger.info("Queue resume: %d jobs resumed for %s", count, service, extra={"service": service})
    verb = "resume_interrupted" if result.interrupted_by else "resumed"
    after = {"jobs": result.jobs_resumed, "campaigns": result.campaigns_resumed}
    events.record("queue", "all", verb, actor=actor, reason=reason, after=after, incident=incident)
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


def _reopen_queue(
    actor: events.Actor, reason: str, canary_for_all: bool, all_at_once: bool, confirmed: Confirmation | None
) -> Incident | None:
    """Check everything and make the queue ACTIVE, under the switch lock: step 1. Returns the incident that it ends."""
    begin = None
    with switch_lock():
        plan = resume_plan.plan()
        if any(item.name in ("redis", "broker") and not item.ok for item in plan.prerequisites):
            raise switch.RedisUnavailable
        if not plan.ready:
            raise ResumeRefused(plan.missing, plan)
        if confirmed and (grown := two_persons.grown(plan, confirmed)):
            raise ResumeRefused(f"it is not what was asked for: {grown}. Ask anew", plan)
        if not confirmed:
            two_persons.require(plan, canary_for_all=canary_for_all, all_at_once=all_at_once)
        logger.info(
            "Prerequisites met: All circuit breakers are closed - proceeding with queue resume",
            extra={"actor": actor.name},
        )
        incident = incidents.current()
        row = pauses.standing(QueuePause.SYSTEM)
        if row:
            # Redis's clock, as in the ledger: no admission can be earlier than this instant.
            pauses.end(row, actor=actor, reason=reason, at=plan.at)
        if all_at_once:
            ramps.skip(actor=actor, reason=reason)
            begin = []
        elif row:
            begin = ramps.begin(row, everyone=canary_for_all, actor=actor, reason=reason)
        try:
            pauses.activate(QueuePause.SYSTEM, plan.epochs, begin)
        except pauses.SwitchRefused as error:
            raise ResumeRefused(str(error), plan) from None
        left = Campaign.objects.exclude(system_paused_at=None).exists()
    # A repeated resume goes on with what an interrupted one left of the latest incident.
    return incident or (Incident.objects.order_by("-id").first() if left else None)


def _resume_campaigns(result: Resumed, actor: events.Actor, reason: str, incident: Incident | None) -> None:
    """Resume each campaign in its own transaction: step 2; one that fails is reported and does not stop the others."""
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
            if result.campaigns_resumed == 1:
                wake_supervisor()  # the first calls need not wait for the last campaign
            logger.info("Queue resume: Campaign %s resumed", pk, extra={"campaign": pk})
            for service in SERVICES:
                if number := jobs.get(pk, {}).get(service):
                    result.jobs[service] = result.jobs.get(service, 0) + number


def _resume_campaign(pk: int, actor: events.Actor, reason: str, incident: Incident | None) -> bool | None:
    """Lift the system's pause of one campaign: True when it runs, False when an operator's stands, None when gone."""
    campaign = Campaign.objects.filter(pk=pk, status=Status.PAUSED).exclude(system_paused_at=None).first()
    if campaign is None:
        return None
    details: Any = {"actor": actor, "reason": reason, "incident": incident, "system_paused_at": None}
    if campaign.operator_paused_at:
        message = f"Paused by {campaign.operator_paused_by}: {campaign.operator_pause_reason}"
        move(campaign, Status.PAUSED, message, verb="system_pause_lifted", **details)
        return False
    move(campaign, Status.RUNNING, RESUMED, verb="resumed", **details)
    return True
