"""The queue resume is the only way back for campaigns that the system paused. `resume_plan` says what it needs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Left, Now

from campaigns import ramp_report, resume_plan, two_persons
from campaigns.models import Campaign, Job
from campaigns.resume_plan import ResumePlan, services_still_paused
from campaigns.tallies import JobCount, summed
from campaigns.wake import wake_supervisor
from circuitbreakers import confirmations, events, incidents, pauses, postgresql, ramps, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Confirmation, Incident, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.storable import length_of
from telemetry import ids

logger = logging.getLogger(__name__)

RESUMED = "Campaign resumed - services are available"
# What a campaign says that an operator paused too; in their own words, which are cut to what its column holds.
STILL_PAUSED = Left(
    Concat(Value("Paused by "), F("operator_paused_by"), Value(": "), F("operator_pause_reason")),
    length_of(Campaign, "status_message") or 0,
)
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


@dataclass(frozen=True)
class Lifted:
    """These campaigns are no longer paused by the system: those that run again, with the number of their jobs by
    service, and those that an operator keeps paused."""

    running: list[int]
    jobs: dict[str, int]
    still_paused: list[int]


def resume(
    *,
    actor: events.Actor,
    reason: str = "",
    canary_for_all: bool = False,
    all_at_once: bool = False,
    confirmed: Confirmation | None = None,
) -> Resumed:
    """Bring back queue -> campaigns -> jobs -> workers, in one transaction whatever their number. May be repeated: it
    picks up what an interrupted one left.

    Services whose breakers had opened begin at their canary: all services with `canary_for_all`, none with
    `all_at_once`, which needs a reason and also ends the ramps of an earlier resume.

    `confirmed` is what a second person has claimed. Raises ResumeRefused when a prerequisite is missing, or more would
    go on than was shown to two persons; SecondPersonNeeded; RedisUnavailable. Jobs are PENDING with their campaign;
    the answer counts them and does not wait for them.
    """
    logger.info("Manual queue resume requested - validating prerequisites", extra={"actor": actor.name})
    if all_at_once and not reason.strip():
        raise ResumeRefused("all at once needs a reason: it becomes part of the record")
    try:
        with confirmations.asking(actor=actor, reason=reason):
            paused, incident, lifted = _reopen(actor, reason, canary_for_all, all_at_once, confirmed)
    except ResumeRefused as refusal:
        events.record("queue", "all", "resume_refused", actor=actor, reason=str(refusal), incident=incidents.current())
        raise
    with ids.named(incident=incident.pk if incident else None):
        result = Resumed()
        if lifted is not None:
            _report(result, lifted, actor)
        else:
            _lift_one_by_one(paused, result, actor, reason, incident)
        return _finish(result, actor, reason, incident)


def _reopen(
    actor: events.Actor, reason: str, canary_for_all: bool, all_at_once: bool, confirmed: Confirmation | None
) -> tuple[list[int], Incident | None, Lifted | None]:
    """Bring queue and campaigns back, in one transaction: the campaigns that the system had paused, the incident that
    ends, and what was lifted; None if each has to be lifted for itself."""
    with switch_lock():
        plan = _require_ready(actor, canary_for_all, all_at_once, confirmed)
        eligible = Campaign.objects.filter(status=Status.PAUSED).exclude(system_paused_at=None)
        paused = list(eligible.order_by("pk").values_list("pk", flat=True))
        incident, begin = _end_pause(plan, actor, reason, canary_for_all, all_at_once)
        if incident is None and paused:
            # A repeated resume goes on with what an interrupted one left of the latest incident.
            incident = Incident.objects.order_by("-id").first()
        lifted = _lift_all(paused, actor, reason, incident)
        try:
            # Last, so that whatever fails before it has changed nothing; nobody can see a campaign run before it.
            pauses.activate(QueuePause.SYSTEM, plan.epochs, begin)
        except pauses.SwitchRefused as error:
            raise ResumeRefused(str(error), plan) from None
        return paused, incident, lifted


def _finish(result: Resumed, actor: events.Actor, reason: str, incident: Incident | None) -> Resumed:
    """Say what the resume has done: to the caller, in the record and in the log."""
    result.services_still_paused = services_still_paused()
    result.services = [name for name in SERVICES if name not in result.services_still_paused]
    result.campaigns_still_paused = (
        Campaign.objects.filter(status=Status.PAUSED).exclude(operator_paused_at=None).count()
    )
    if result.interrupted_by:
        result.services = []
    else:
        result.stages = {one.service: one.sentence for one in ramp_report.read(switch.read_all())}
    for service in SERVICES:
        if count := result.jobs.get(service):
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


def _require_ready(
    actor: events.Actor, canary_for_all: bool, all_at_once: bool, confirmed: Confirmation | None
) -> ResumePlan:
    """Check every prerequisite, and that a second person has confirmed where one is wanted: step 1."""
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
    return plan


def _end_pause(
    plan: ResumePlan, actor: events.Actor, reason: str, canary_for_all: bool, all_at_once: bool
) -> tuple[Incident | None, list[str] | None]:
    """Write the end of the system's pause: step 2. Returns the incident that it ends, and the services that begin a
    ramp: None leaves those alone that are under way."""
    incident = incidents.current()
    row = pauses.standing(QueuePause.SYSTEM)
    if row:
        # Redis's clock, as in the ledger: no admission can be earlier than this instant.
        pauses.end(row, actor=actor, reason=reason, at=plan.at)
    if all_at_once:
        ramps.skip(actor=actor, reason=reason)
        return incident, []
    return incident, ramps.begin(row, everyone=canary_for_all, actor=actor, reason=reason) if row else None


def _lift(campaigns: Sequence[int], actor: events.Actor, reason: str, incident: Incident | None) -> Lifted:
    """Lift the system's pause of these campaigns: step 3. Call it under the switch lock; those that are not paused by
    then are left alone."""
    paused = Campaign.objects.filter(pk__in=campaigns, status=Status.PAUSED).exclude(system_paused_at=None)
    by_operator = dict(paused.order_by("pk").values_list("pk", "operator_paused_at"))
    running = [pk for pk, at in by_operator.items() if not at]
    still_paused = [pk for pk, at in by_operator.items() if at]
    waiting = JobCount.objects.filter(status=Job.Status.PAUSED, campaign_id__in=running)
    jobs = summed(waiting, "service")
    paused.filter(operator_paused_at=None).update(
        status=Status.RUNNING,
        status_message=RESUMED,
        system_paused_at=None,
        running_since=Now(),  # by the clock that messages are dated by
    )
    paused.exclude(operator_paused_at=None).update(status_message=STILL_PAUSED, system_paused_at=None)
    details: Any = {"actor": actor, "reason": reason, "incident": incident, "before": {"status": Status.PAUSED}}
    events.record_each("campaign", running, "resumed", after={"status": Status.RUNNING}, **details)
    events.record_each("campaign", still_paused, "system_pause_lifted", after={"status": Status.PAUSED}, **details)
    if running:
        wake_supervisor()
    return Lifted(running, jobs, still_paused)


def _lift_all(campaigns: Sequence[int], actor: events.Actor, reason: str, incident: Incident | None) -> Lifted | None:
    """Lift the system's pause of all these campaigns at once; None when one of their rows is stuck or refuses."""
    try:
        with transaction.atomic():
            return _lift(campaigns, actor, reason, incident)
    except DatabaseError as error:
        if postgresql.server_away(error):
            raise
        return None


def _lift_one_by_one(
    campaigns: Sequence[int], result: Resumed, actor: events.Actor, reason: str, incident: Incident | None
) -> None:
    """Resume each campaign in its own transaction: one that fails is reported and does not stop the others."""
    for pk in campaigns:
        try:
            with switch_lock():
                again = incidents.current()
                if again or pauses.standing(QueuePause.SYSTEM):
                    result.interrupted_by = again.service if again else "the system"
                    result.campaigns_eligible = len(campaigns)
                    return
                lifted = _lift([pk], actor, reason, incident)
        except DatabaseError as error:
            result.campaigns_eligible += 1
            result.errors.append(f"Campaign {pk}: {type(error).__name__}")
            logger.error("Campaign %s could not be resumed: %r", pk, error, extra={"campaign": pk})
        else:
            _report(result, lifted, actor)


def _report(result: Resumed, lifted: Lifted, actor: events.Actor) -> None:
    """Count campaigns whose pause is lifted, and write their lines to the log."""
    result.campaigns_eligible += len(lifted.running)
    result.campaigns_resumed += len(lifted.running)
    for service, number in lifted.jobs.items():
        result.jobs[service] = result.jobs.get(service, 0) + number
    running = set(lifted.running)
    for pk in sorted([*lifted.running, *lifted.still_paused]):
        verb = "resumed" if pk in running else "system_pause_lifted"
        logger.info("Campaign %s %s by %s", pk, verb, actor.name, extra={"campaign": pk})
        if pk in running:
            logger.info("Queue resume: Campaign %s resumed", pk, extra={"campaign": pk})
