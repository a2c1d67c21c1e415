"""`manage.py breaker` shows, resets, probes, holds and releases the five circuit breakers."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from circuitbreakers import breaker, gate, probes, switch
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, table
from circuitbreakers.policies import policy_of


class Command(VerbCommand):
    help = "Look at the circuit breakers, probe, reset, hold and release them."
    refusals = (breaker.BreakerRefused, probes.ProbeRunning)

    def add_verbs(self) -> None:
        self.verb("status", "the five breakers")
        reset = self.verb("reset", "close a breaker; resumes nothing", changes=True)
        reset.add_argument("--force", action="store_true", help="even if the probe fails; needs a reason")
        probe = self.verb("probe", "one free health call now; on record with its actor and what it found", changes=True)
        hold = self.verb("hold", "force a breaker open until it is released", changes=True)
        hold.add_argument("--remind-at", type=_instant, help="ISO 8601: when to ask whether it is still needed")
        release = self.verb("release", "end a hold; the breaker stays open, to be reset", changes=True)
        lift = self.verb(
            "lift-wait", "ask a service again at once although it asked us to wait (429, Retry-After)", changes=True
        )
        for parser in (reset, probe, hold, release, lift):
            parser.add_argument("service")

    def status(self, options: dict[str, Any]) -> None:
        snapshot = switch.read_all()
        data: dict[str, dict[str, Any]] = {
            state.service: {
                "circuit_state": state.at(snapshot.now),
                "held": state.held,
                "queue_paused": snapshot.queue.get(state.service) != "ACTIVE",
                "failure_count": state.failure_count,
                "failure_threshold": policy_of(state.service).failure_threshold,
                "opened_at": state.opened_at,
                "open_until": state.open_until,
                "reason": state.reason,
                "last_error": state.last_error,
                "waits_until": snapshot.waits_until(state.service),
            }
            for state in snapshot.breakers.values()
        }
        rows = [
            [
                name,
                state["circuit_state"] + (" (held)" if state["held"] else ""),
                f"{state['failure_count']}/{state['failure_threshold']}",
                snapshot.queue.get(name),
                _second(state["opened_at"]),
                _second(state["waits_until"]),
                state["reason"],
            ]
            for name, state in data.items()
        ]
        self.show(
            {"mode": settings.MODE, "breakers": data},
            f"Mode: {settings.MODE.upper()}",
            table(["service", "breaker", "failures", "queue", "opened (UTC)", "waits until (UTC)", "reason"], rows),
        )

    def reset(self, options: dict[str, Any]) -> None:
        service = options["service"]
        try:
            changed = breaker.reset(
                service, actor=self.actor(options), reason=options["reason"], force=options["force"]
            )
        except switch.RedisUnavailable as error:
            raise CommandError(f"Error resetting circuit breaker: {error}") from None
        message = f"Circuit breaker reset for {service} - service manually resumed"
        self.show(
            {"service": service, "action": "circuit_breaker_reset", "changed": changed, "message": message},
            message if changed else f"The {service} breaker was closed already; its failure count is 0.",
            "The queue is as it was. To bring the campaigns back: manage.py queue resume",
        )

    def probe(self, options: dict[str, Any]) -> None:
        result = probes.probe(options["service"], actor=self.actor(options), reason=options["reason"])
        self.show(
            {"service": options["service"], "ok": result.ok, "detail": result.detail, "proves": result.proves},
            f"{'ok' if result.ok else 'FAILED'}: {result.detail}",
            f"This proves: {result.proves}" if result.ok else f"Failure type: {result.failure_type}",
        )
        if not result.ok:
            raise CommandError(f"The probe of {options['service']} failed.", returncode=REFUSED)

    def hold(self, options: dict[str, Any]) -> None:
        if not options["reason"].strip():
            raise CommandError("A hold needs a --reason: it becomes part of the incident.", returncode=WRONG_USAGE)
        changed = breaker.hold(
            options["service"], actor=self.actor(options), reason=options["reason"], remind_at=options["remind_at"]
        )
        self._changed(options, changed, "is held open", "was held already")

    def release(self, options: dict[str, Any]) -> None:
        changed = breaker.release(options["service"], actor=self.actor(options), reason=options["reason"])
        self._changed(options, changed, "is released and stays open: reset it next", "was not held")

    def lift_wait(self, options: dict[str, Any]) -> None:
        service = options["service"]
        until = gate.lift_wait(service, actor=self.actor(options), reason=options["reason"])
        message = (
            f"The wait of {service} until {until:%Y-%m-%d %H:%M:%S} UTC is lifted."
            if until
            else f"{service} has not asked us to wait."
        )
        self.show({"service": service, "changed": until is not None, "message": message}, message)

    def _changed(self, options: dict[str, Any], changed: bool, did: str, did_not: str) -> None:
        service = options["service"]
        message = f"The {service} breaker {did if changed else did_not}."
        self.show({"service": service, "changed": changed, "message": message}, message)


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else timezone.make_aware(value)


def _second(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else None
