"""A ramp brings a service back step by step after a queue resume. The switch decides each step; its rows, which survive
the switch, are here, the steps and an operator's verbs in `ramp_verbs`."""

from django.conf import settings
from django.utils import timezone

from circuitbreakers import events, switch
from circuitbreakers.models import Incident, QueuePause, Ramp
from circuitbreakers.services import SERVICES
from circuitbreakers.states import Opening, Stage

STAGES, FULL = (0, 10, 25, 50), 100


def first_stage() -> int | None:
    """Return where a ramp begins; None when the settings want none at all."""
    if settings.RESUME_CANARY_CALLS:
        return STAGES[0]
    return STAGES[1] if settings.RAMP_STEP_CALLS else None


def unfinished() -> dict[str, Ramp]:
    """Return the ramps under way, by service."""
    return {row.service: row for row in Ramp.objects.filter(ended_at=None).select_related("incident")}


def begin(pause: QueuePause, *, everyone: bool, actor: events.Actor, reason: str) -> list[str]:
    """Write the ramps that begin with the end of a system pause, and return their services in the pipeline's order.

    That is each service with an incident under that pause, and each whose ramp another opening interrupted: it begins
    again. `everyone`: those that were healthy all along as well. Under the switch lock, before `pauses.activate`.
    """
    stage = first_stage()
    if stage is None:
        return []
    at = pause.ended_at or timezone.now()
    incidents = {row.service: row for row in Incident.objects.filter(pause=pause).order_by("id")}
    interrupted = unfinished()
    services = [name for name in SERVICES if everyone or name in incidents or name in interrupted]
    for service in services:
        row = interrupted.get(service) or Ramp(service=service, started_at=at)
        row.incident = incidents.get(service, row.incident)
        row.stage, row.stage_since, row.held_by, row.hold_reason = stage, at, "", ""
        row.save()
        record(row, "ramp_began", actor=actor, reason=reason)
    return services


def skip(*, actor: events.Actor, reason: str) -> list[str]:
    """End all ramps under way because the operator wants everything at once; their services. Under the switch lock."""
    rows = unfinished()
    for row in rows.values():
        end(row, Ramp.SKIPPED)
        record(row, "ramp_skipped", actor=actor, reason=reason)
    return list(rows)


def stop(opening: Opening) -> Incident | None:
    """End the ramp that `opening` stops; the incident that goes on with it, None if it is an incident of its own.

    A hold is a person's, and what an old copy of Redis shows is unknown: neither says that the resume failed. Under
    the switch lock.
    """
    row = unfinished().get(opening.service)
    if row is None:
        return None
    if opening.stopped_stage not in map(str, STAGES):
        # Its last step had been taken before the row was told.
        end(row, Ramp.FULL, stage=FULL)
        return None
    row.calls = min(max(opening.stopped_calls, 0), 2**31 - 1)
    end(row, Ramp.STOPPED, stage=int(opening.stopped_stage))
    return row.incident if opening.failure_type not in ("held", "unknown") else None


def stopped_by(opening: Opening, incident: Incident) -> Ramp | None:
    """Return the ramp that `opening` has stopped, if `incident` goes on with it."""
    if incident.epoch != opening.epoch or incident.first_epoch is None:
        return None
    return Ramp.objects.filter(incident=incident, ended_how=Ramp.STOPPED).first()


def end(row: Ramp, how: str, *, stage: int | None = None) -> None:
    """Write the end of a ramp."""
    row.ended_at, row.ended_how = timezone.now(), how
    row.stage = row.stage if stage is None else stage
    row.save(update_fields=["ended_at", "ended_how", "stage", "calls"])


def record(row: Ramp, verb: str, *, actor: events.Actor, reason: str = "", before: int | None = None) -> None:
    """Append what happened to a ramp to the record of its service, and to its incident's timeline."""
    events.record(
        "breaker",
        row.service,
        verb,
        actor=actor,
        reason=reason,
        before=None if before is None else {"stage": before},
        after={"stage": row.stage},
        incident=row.incident,
    )


def put(service: str, stage: int | str, *, held: bool = False, seen: int | str = "") -> bool:
    """Put a service at a stage in the switch ('': keep it); False if it is at another than was `seen`."""
    size = settings.RESUME_CANARY_CALLS
    return bool(switch.run("set_stage", service, [seen, stage, int(held), size])[0] == "set")


def match(service: str, stage: Stage, row: Ramp | None, *, sealed: bool) -> int:
    """Make a ramp that Redis has lost, or has from an old copy, begin again, and end one that no row knows.

    Slower wins: what became of the calls since is not known. Returns 1 if it mended something.
    """
    if (row is None and stage.full) or (row and sealed and stage.percent is not None):
        return 0
    if switch.read(service).state != "closed":
        return 0  # an opening has ended it, or will have with its incident
    if row is None:
        put(service, FULL)
        return 1
    begins = first_stage()
    row.stage, row.stage_since = STAGES[1] if begins is None else begins, timezone.now()
    row.save(update_fields=["stage", "stage_since"])
    put(service, row.stage, held=row.held)
    record(row, "ramp_began", actor=events.SUPERVISOR, reason="Redis had lost it")
    return 1
