"""Compare the switch with PostgreSQL and mend it. Pause wins: nothing here closes a breaker or lifts a pause."""

import json
import logging

from django.utils import timezone

from circuitbreakers import events, incidents, pauses, switch
from circuitbreakers.breaker import apply_hold, finish_announcement
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Breaker, Incident, QueuePause
from circuitbreakers.policy import policy_of
from circuitbreakers.services import SERVICES

logger = logging.getLogger(__name__)


def compare() -> int:
    """Finish what anyone left between the two stores; how many differences it mended. Safe when two run.

    Raises RedisUnavailable.
    """
    found = _finish_openings()
    with switch_lock():
        snapshot = switch.read_all()
        open_incidents = incidents.unreset()
        breakers = {row.service: row for row in Breaker.objects.all()}
        for service in SERVICES:
            state, incident = snapshot.breakers[service], open_incidents.get(service)
            if marked := _finish_reset(state, incident):
                found, incident = found + marked, None
            found += _rebuild(state, incident, breakers.get(service))
        found += _match_holds(snapshot, breakers)
        found += _match_pauses(snapshot)
        if _status_is_wrong(switch.read_all()):
            pauses.activate("")
            found += 1
        if not snapshot.sealed and switch.run("seal", switch.EVERYBODY, [snapshot.run_id])[0] == "sealed":
            logger.warning("Redis started anew: compared with PostgreSQL and sealed", extra={"run_id": snapshot.run_id})
    return found


def _status_is_wrong(snapshot: switch.Snapshot) -> bool:
    """Whether a queue has no status, or is ACTIVE under a pause: a part of the switch came back from an old copy."""
    everything = bool({QueuePause.SYSTEM, QueuePause.ALL} & snapshot.pauses.keys())
    for service in SERVICES:
        status = snapshot.queue.get(service)
        paused = everything or pauses.operator_key(service) in snapshot.pauses
        if status not in ("ACTIVE", "PAUSED") or (paused and status == "ACTIVE"):
            return True
    return False


def _finish_openings() -> int:
    """Announce openings without an incident: their process died, froze, or could not reach PostgreSQL."""
    found = 0
    for state in switch.read_all().breakers.values():
        if state.state in ("open", "half_open") and incidents.of_opening(state) is None:
            logger.warning("Finishing the announcement of %s", state.service, extra={"service": state.service})
            finish_announcement(state)
            found += 1
    return found


def _finish_reset(state: switch.BreakerState, incident: Incident | None) -> int:
    """A reset known to the switch but not to PostgreSQL."""
    if incident is None or state.state != "closed" or state.reset_of < incident.epoch:
        return 0
    actor = events.Actor(state.reset_by or "unknown", "supervisor")
    return incidents.mark_reset(state.service, state.reset_of, actor=actor, reason="Finished by the supervisor")


def _rebuild(state: switch.BreakerState, incident: Incident | None, row: Breaker | None) -> int:
    """Create a lost hash, reopen one that was rolled back to before its opening or to before its reset."""
    rolled_back = False
    if state.state not in ("lost", "closed"):
        past = incidents.of_opening(state)
        # A reset is written to the switch first, so an opening that PostgreSQL has seen reset is an old copy. What the
        # lost writes did is unknown: it becomes a new opening, visible, to be reset again.
        rolled_back = past is not None and past.reset_at is not None
    if state.state == "closed" and incident is None:
        return 0
    wanted = "open" if incident or rolled_back else "closed"
    answer = switch.run(
        "rebuild",
        state.service,
        [
            wanted,
            incident.epoch if incident else "",
            incident.opened_at.isoformat() if incident else "",
            incident.reason if incident else "switch restored from an old copy",
            incident.failure_type if incident else "unknown",
            int(bool(row and row.held_at)),
            row.hold_reason if row else "",
            policy_of(state.service).reset_timeout_us,
        ],
    )
    if answer[0] == "kept":
        return 0
    logger.warning("Breaker state of %s %s from PostgreSQL: %s", state.service, answer[0], wanted,
                   extra={"service": state.service})  # fmt: skip
    events.record("breaker", state.service, answer[0], actor=events.SUPERVISOR, after={"state": wanted},
                  incident=incident)  # fmt: skip
    return 1


def _match_holds(snapshot: switch.Snapshot, breakers: dict[str, Breaker]) -> int:
    """A hold in one store and not in the other stands in both."""
    found = 0
    for service, row in breakers.items():
        if row.held_at and not switch.read(service).held:
            apply_hold(service, row.hold_reason)
            found += 1
        elif snapshot.breakers[service].held and not row.held_at:
            reason = snapshot.breakers[service].hold_reason or "Found in the switch"
            Breaker.objects.filter(pk=row.pk).update(
                held_at=timezone.now(), held_by=events.SUPERVISOR.name, hold_reason=reason[:500]
            )
            events.record("breaker", service, "held", actor=events.SUPERVISOR, reason="Found in the switch only")
            found += 1
    return found


def _match_pauses(snapshot: switch.Snapshot) -> int:
    """A pause in one store and not in the other stands in both."""
    found = 0
    opening = any(
        state.state in ("open", "half_open") and incidents.of_opening(state) is None
        for state in snapshot.breakers.values()
    )
    rows = {row.key: row for row in pauses.all_standing()}
    for key, row in rows.items():
        if key not in snapshot.pauses:
            pauses.write_to_switch(row)
            found += 1
    for key, value in snapshot.pauses.items():
        # The system pause of an opening that has only just happened comes with its incident.
        if key not in rows and not (opening and key == QueuePause.SYSTEM):
            QueuePause.objects.create(
                key=key,
                reason=str(value.get("cause") or "Found in the switch"),
                actor=str(value.get("actor") or events.SUPERVISOR.name),
            )
            events.record("queue", key, "paused", actor=events.SUPERVISOR, reason="Found in the switch only",
                          after={"pause": json.dumps(value)})  # fmt: skip
            found += 1
    return found
