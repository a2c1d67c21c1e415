"""Probes are health calls: free, on record, one at a time per service in the whole fleet; registered by whoever can
make them."""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from circuitbreakers import events, incidents, switch
from circuitbreakers.models import Event
from circuitbreakers.policies import policy_of
from circuitbreakers.services import validate
from circuitbreakers.storable import storable

logger = logging.getLogger(__name__)

# Longer than any vendor's total deadline on a health call, so a live probe never loses its lease (seconds).
LEASE = 60
PROBED = "probed"  # the verb of its event


@dataclass(frozen=True)
class ProbeResult:
    """A result says what a health call found: whether it succeeded, what that proves, and one sentence for people."""

    ok: bool
    proves: str
    detail: str
    failure_type: str | None = None


class ProbeRunning(Exception):
    """Somebody else's probe of this service holds the lease and did not end in time."""


# What opens at once may be seen by the paid calls alone: a key without the scope, credit that is used up.
UNSEEN = ("auth", "quota_exhausted")

# By service: the health call, and what the next paid call would be refused.
_probes: dict[str, tuple[Callable[[], ProbeResult], Callable[[], ProbeResult | None]]] = {}


def register_probe(
    service: str, probe: Callable[[], ProbeResult], needs: Callable[[], ProbeResult | None] = lambda: None
) -> None:
    """Make `probe` the health call of `service`; it returns a result and does not raise for a vendor's failure.

    `needs` asks for free what the next paid call would be refused, and returns the refusal, None if there is none. It
    is asked after a health call that succeeded, of a breaker that opened by what a health call need not show.
    """
    _probes[validate(service)] = (probe, needs)


def probe(service: str, *, actor: events.Actor = events.SUPERVISOR, reason: str = "", wait: float = 0) -> ProbeResult:
    """Make the health call now, under the fleet-wide lease, and tell the breaker; an event says what it found.

    While another process probes, waits up to `wait` seconds for that probe's result and returns it instead.
    Raises ProbeRunning when it did not end, RedisUnavailable when the lease cannot be asked for.
    """
    # Looked at before the lease is asked for: the probe that holds it may end right after.
    before = switch.read(service)
    token = secrets.token_hex(8)
    if not switch.take_probe_lease(service, token, LEASE):
        return _result_of_running(service, before.last_probe_at, wait)
    result = ProbeResult(False, "nothing", "The probe did not finish.")
    try:
        health_call, needs = _probes[service]
        result = health_call()
        if result.ok and before.state != "closed" and before.failure_type in UNSEEN:
            result = needs() or result
    finally:
        policy = policy_of(service)
        outcome = switch.run(
            "probe",
            service,
            [
                token,
                int(result.ok),
                result.detail,
                result.proves,
                policy.reset_timeout_us,
                policy.reset_timeout_ceiling_us,
            ],
        )
    if outcome[0] == "reopened":
        logger.warning("Probe failed for %s: %s", service, result.detail, extra={"service": service})
    _record(service, result, outcome[0], actor, reason)
    return result


def _record(service: str, result: ProbeResult, outcome: str, actor: events.Actor, why: str) -> None:
    """Write the event on the incident that the probe belongs to, if one is open: a failed probe is no new opening."""
    events.record(
        "breaker",
        service,
        PROBED,
        actor=actor,
        reason=f"{'succeeded' if result.ok else 'failed'}: {result.detail}",
        after={"ok": result.ok, "outcome": outcome, **({"why": storable(why)} if why else {})},
        incident=incidents.unreset().get(service),
    )


def recent(services: Sequence[str], *, since: datetime, most: int) -> list[Event]:
    """Return the latest probes since then, at most so many of each service, newest first. One statement."""
    first, *others = [
        Event.objects.filter(subject_type="breaker", subject_id=name, verb=PROBED, at__gte=since).order_by("-id")[:most]
        for name in services
    ]
    return sorted(first.union(*others, all=True), key=lambda row: -row.pk)


def _result_of_running(service: str, before: datetime | None, wait: float) -> ProbeResult:
    until = time.monotonic() + wait
    while time.monotonic() < until:
        state = switch.read(service)
        if state.last_probe_at != before:
            return ProbeResult(state.last_probe_ok, state.last_probe_proves, state.last_probe_detail)
        time.sleep(0.05)
    left = switch.probe_lease_left(service)
    raise ProbeRunning(f"Another probe of {service} is running. Try again in {max(left, 1)} s: it has ended by then.")
