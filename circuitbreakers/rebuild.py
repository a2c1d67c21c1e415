"""Compare the switch with PostgreSQL and mend it. Pause wins: nothing here closes a breaker or lifts a pause."""

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from circuitbreakers import events, incidents, pauses, postgresql, ramps, switch
from circuitbreakers.breaker import apply_hold, finish_announcement
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import PAUSE_KEYS, Breaker, Incident, QueuePause, Ramp
from circuitbreakers.policies import policy_of
from circuitbreakers.services import SERVICES
from circuitbreakers.signals import switch_sealed
from circuitbreakers.states import BreakerState, Stage, SwitchSnapshot
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

# Keys of `queue_pauses` that are none of ours and have been logged.
_strange: set[str] = set()


class Comparison:
    """A comparison has pieces: what cannot be compared is logged and does not keep the rest from being mended."""

    def __init__(self) -> None:
        self.mended = 0
        self.failed: list[str] = []

    def mend(self, what: str, piece: Callable[[], int], *, calm: bool = False) -> None:
        """Run one piece in a savepoint of its own, or without one where it has nothing to write, and count what it
        mended."""
        try:
            with nullcontext() if calm else transaction.atomic():
                self.mended += piece()
        except switch.RedisUnavailable:
            raise
        except Exception as error:
            if postgresql.away(error) and not postgresql.row_in_use(error):
                # A store is away, which is not about this piece: the next round begins anew.
                raise
            logger.exception("Cannot compare %s with PostgreSQL", what)
            self.failed.append(what)


def compare() -> int:
    """Finish what anyone left between the two stores; how many differences it mended. Safe when two run.

    Raises RedisUnavailable.
    """
    comparison = Comparison()
    for state in switch.read_all().breakers.values():
        closed = state.state not in ("open", "half_open")
        comparison.mend(f"the opening of {state.service}", partial(_finish_opening, state), calm=closed)
    with switch_lock():
        snapshot = switch.read_all()
        open_incidents = incidents.unreset()
        breakers = {row.service: row for row in Breaker.objects.all()}
        ramping = ramps.unfinished()
        for service in SERVICES:
            state, incident, ramp = snapshot.breakers[service], open_incidents.get(service), ramping.get(service)
            row, stage = breakers.get(service), snapshot.gates[service].stage
            pieces = {
                "breaker": partial(_mend_breaker, state, incident, row, ramp),
                "ramp": partial(ramps.match, service, stage, ramp, sealed=snapshot.sealed),
            } | ({"hold": partial(_match_hold, state, row)} if row else {})
            for what, piece in pieces.items():
                comparison.mend(f"the {what} of {service}", piece, calm=_is_calm(state, stage, incident, row, ramp))
        _match_pauses(snapshot, comparison)
        # What was mended may have changed it since the snapshot.
        if comparison.mended or comparison.failed or _status_is_wrong(snapshot):
            comparison.mend("the queue status", partial(_mend_status, all_compared=not comparison.failed))
        sealed = not snapshot.sealed and _seal(snapshot.run_id, comparison.failed)
    if sealed:
        # After the lock: whoever listens may have many rows to touch.
        for _, result in switch_sealed.send_robust(sender=None):
            if isinstance(result, Exception):
                logger.error("A listener failed on the seal of Redis: %r", result)
    return comparison.mended


def _seal(run_id: str, failed: list[str]) -> bool:
    """Open the gate of a server that started anew; True when this call did it.

    Pause wins: anything that could not be compared may be an opening, a hold or a pause that this server has lost, and
    keeps the gate shut. A strange key of `queue_pauses` does not: no script reads it, so it pauses nothing anywhere.
    """
    if failed:
        logger.error("Redis started anew and is not sealed: cannot compare %s", ", ".join(failed))
        return False
    if switch.run("seal", switch.EVERYBODY, [run_id])[0] != "sealed":
        return False
    logger.warning("Redis started anew: compared with PostgreSQL and sealed", extra={"run_id": run_id})
    return True


def _mend_status(*, all_compared: bool) -> int:
    """Derive the queue status anew where it contradicts the pauses of the switch."""
    snapshot = switch.read_all()
    if not _status_is_wrong(snapshot):
        return 0
    if all_compared:
        pauses.activate("")
    else:
        # What failed may be a pause that is missing here: nothing becomes ACTIVE, the known pauses shut their queues.
        for key in snapshot.pauses.keys() & set(PAUSE_KEYS):
            switch.run("pause", switch.EVERYBODY, [key, json.dumps(snapshot.pauses[key])])
    return 1


def _status_is_wrong(snapshot: SwitchSnapshot) -> bool:
    """Say whether a queue has no status, or is ACTIVE under a pause: a part came back from an old copy."""
    everything = bool({QueuePause.SYSTEM, QueuePause.ALL} & snapshot.pauses.keys())
    for service in SERVICES:
        status = snapshot.queue.get(service)
        paused = everything or pauses.operator_key(service) in snapshot.pauses
        if status not in ("ACTIVE", "PAUSED") or (paused and status == "ACTIVE"):
            return True
    return False


def _is_calm(
    state: BreakerState, stage: Stage, incident: Incident | None, row: Breaker | None, ramp: Ramp | None
) -> bool:
    """Say whether both stores have a service closed, not held and at full speed: then there is nothing to write, and no
    savepoint to be paid for each second."""
    held = state.held or (row is not None and row.held_at is not None)
    return state.state == "closed" and not held and stage.full and incident is None and ramp is None


def _finish_opening(state: BreakerState) -> int:
    """Announce an opening without an incident: its process died, froze, or could not reach PostgreSQL."""
    if state.state not in ("open", "half_open") or incidents.of_opening(state):
        return 0
    logger.warning("Finishing the announcement of %s", state.service, extra={"service": state.service})
    finish_announcement(state)
    return 1


def _mend_breaker(state: BreakerState, incident: Incident | None, row: Breaker | None, ramp: Ramp | None) -> int:
    if marked := _finish_reset(state, incident):
        incident = None
    return marked + _rebuild(state, incident, row, ramp)


def _finish_reset(state: BreakerState, incident: Incident | None) -> int:
    """Write down a reset known to the switch but not to PostgreSQL."""
    if incident is None or state.state != "closed" or state.reset_of < incident.epoch:
        return 0
    actor = events.Actor(state.reset_by or "unknown", "supervisor")
    return incidents.mark_reset(state.service, state.reset_of, actor=actor, reason="Finished by the supervisor")


def _rebuild(state: BreakerState, incident: Incident | None, row: Breaker | None, ramp: Ramp | None) -> int:
    """Create a lost hash, reopen one that was rolled back to before its opening or to before its reset.

    `incident` is the one not yet reset.
    """
    rolled_back = False
    # Its pause has ended, so campaigns run again: only a new opening, with a cascade of its own, stops them.
    if incident and incident.pause.ended_at and state.opening_epoch <= incident.epoch:
        rolled_back, incident = True, None
    elif state.state not in ("lost", "closed"):
        past = incidents.of_opening(state)
        # A reset is written to the switch first, so an opening that PostgreSQL has seen reset is an old copy. What the
        # lost writes did is unknown: it becomes a new opening, visible, to be reset again.
        rolled_back = past is not None and past.reset_at is not None
    if state.state == "closed" and not (incident or rolled_back):
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
            ramp.stage if ramp else "",
        ],
    )
    service, done = state.service, answer[0]
    if done == "kept":
        return 0
    logger.warning("Breaker state of %s %s from PostgreSQL: %s", service, done, wanted, extra={"service": service})
    after = {"state": wanted}
    events.record("breaker", service, done, actor=events.SUPERVISOR, after=after, incident=incident)
    return 1


def _match_hold(state: BreakerState, row: Breaker) -> int:
    """Make a hold that is in one store and not in the other stand in both."""
    if row.held_at and not switch.read(row.service).held:
        apply_hold(row.service, row.hold_reason)
        return 1
    if state.held and not row.held_at:
        reason = fit(state.hold_reason, Breaker, "hold_reason") or "Found in the switch"
        Breaker.objects.filter(pk=row.pk).update(
            held_at=timezone.now(), held_by=events.SUPERVISOR.name, hold_reason=reason
        )
        events.record("breaker", row.service, "held", actor=events.SUPERVISOR, reason="Found in the switch only")
        return 1
    return 0


def _match_pauses(snapshot: SwitchSnapshot, comparison: Comparison) -> None:
    """Make a pause that is in one store and not in the other stand in both."""
    rows = {row.key: row for row in pauses.all_standing()}
    for key, row in rows.items():
        if key not in snapshot.pauses:
            comparison.mend(f"the pause {key}", partial(_write_pause, row))
    for key, value in snapshot.pauses.items():
        if key in PAUSE_KEYS and key not in rows:
            comparison.mend(f"the pause {key}", partial(_keep_pause, key, value, snapshot))
        elif key not in PAUSE_KEYS and key not in _strange:
            _strange.add(key)
            logger.warning("queue_pauses in Redis has a key that pauses nothing: %r", key)


def _write_pause(row: QueuePause) -> int:
    pauses.write_to_switch(row)
    return 1


def _keep_pause(key: str, value: dict[str, Any], snapshot: SwitchSnapshot) -> int:
    """Write down a pause that only the switch knows."""
    if key == QueuePause.SYSTEM and any(
        state.state in ("open", "half_open") and incidents.of_opening(state) is None
        for state in snapshot.breakers.values()
    ):
        return 0  # that of an opening which has only just happened comes with its incident
    QueuePause.objects.create(
        key=key,
        reason=fit(value.get("cause") or "", QueuePause, "reason") or "Found in the switch",
        actor=events.Actor(str(value.get("actor") or events.SUPERVISOR.name), "supervisor").name,
    )
    after = {"pause": json.dumps(value)}
    events.record("queue", key, "paused", actor=events.SUPERVISOR, reason="Found in the switch only", after=after)
    return 1
