"""`manage.py breaker` shows, resets, probes, holds and releases the five circuit breakers, and sets how fast each
service is called."""

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from circuitbreakers import breaker, gate, limits, limits_report, probes, switch
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, instant, table
from circuitbreakers.confirmations import SecondPersonNeeded
from circuitbreakers.policies import policy_of
from circuitbreakers.services import SERVICES, validate


class Command(VerbCommand):
    help = "Look at the circuit breakers, probe, reset, hold and release them; set how fast each service is called."
    refusals = (breaker.BreakerRefused, probes.ProbeRunning, SecondPersonNeeded)

    def add_verbs(self) -> None:
        self.verb("status", "the five breakers")
        reset = self.verb("reset", "close a breaker; resumes nothing", changes=True)
        reset.add_argument("--force", action="store_true", help="even if the probe fails; needs a reason")
        probe = self.verb("probe", "one free health call now; on record with its actor and what it found", changes=True)
        hold = self.verb("hold", "force a breaker open until it is released", changes=True)
        hold.add_argument("--remind-at", type=instant, help="ISO 8601: when to ask whether it is still needed")
        release = self.verb("release", "end a hold; the breaker stays open, to be reset", changes=True)
        lift = self.verb(
            "lift-wait", "ask a service again at once although it asked us to wait (429, Retry-After)", changes=True
        )
        shown = self.verb("limits", "how fast each service may be called, and who set that, when and why")
        shown.add_argument("service", nargs="?")
        set_limits = self.verb(
            "set-limits", "set rate limits and dispatch window by hand; needs a reason", changes=True
        )
        set_limits.add_argument(
            "--rate-limits", help="COUNT/SECONDS, such as 200/60,tokens=30000/60; '': the environment's"
        )
        set_limits.add_argument(
            "--dispatch-window", type=_window, help="most messages that wait; '': the environment's"
        )
        set_limits.add_argument(
            "--if-version", type=int, help="refuse if it was edited since `breaker limits` showed this"
        )
        set_limits.add_argument("--above-published", action="store_true", help="even above what the vendor publishes")
        slow = self.verb("slow", "slow a service to a share of all its rate limits; needs a reason", changes=True)
        slow.add_argument("--percent", type=int, default=limits.SLOW, help=f"default: {limits.SLOW}")
        full = self.verb("full-speed", "back to the full rate limits", changes=True)
        for parser in (reset, probe, hold, release, lift, set_limits, slow, full):
            parser.add_argument("service")

    def status(self, options: dict[str, Any]) -> None:
        snapshot, allowed = switch.read_all(), limits_report.read()
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
                "limits": allowed[state.service].as_dict(),
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
                allowed[name].in_words,
                state["reason"],
            ]
            for name, state in data.items()
        ]
        self.show(
            {"mode": settings.MODE, "breakers": data},
            f"Mode: {settings.MODE.upper()}",
            table(
                [
                    "service",
                    "breaker",
                    "failures",
                    "queue",
                    "opened (UTC)",
                    "waits until (UTC)",
                    "rate limits",
                    "reason",
                ],
                rows,
            ),
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
        self._say(service, until is not None, message)

    def limits(self, options: dict[str, Any]) -> None:
        shown = limits_report.read([validate(options["service"])] if options["service"] else SERVICES)
        rows = [
            [name, knob, setting.value, setting.whose]
            for name, one in shown.items()
            for knob, setting in one.settings().items()
        ]
        self.show(
            {name: one.as_dict() for name, one in shown.items()},
            table(["service", "what", "value", "set"], rows),
            *(
                f"{name}: in force {one.in_force}; the vendor publishes {one.published}"
                f"{' (it is above that)' if one.above_published else ''}; version {one.version}"
                for name, one in shown.items()
            ),
        )

    def set_limits(self, options: dict[str, Any]) -> None:
        service = validate(options["service"])
        values: dict[str, Any] = {}
        if options["rate_limits"] is not None:
            values["rate_limits"] = options["rate_limits"]
        if options["dispatch_window"] is not None:
            values["dispatch_window"] = options["dispatch_window"] or None
        if not values:
            raise CommandError("Give --rate-limits, --dispatch-window, or both.", returncode=WRONG_USAGE)
        before = limits_report.read([service])[service].settings()
        changed = limits.change(
            service,
            values,
            actor=self.actor(options),
            reason=options["reason"],
            version=options["if_version"],
            above_published=options["above_published"],
        )
        now = limits_report.read([service])[service]
        lines = [
            f"{knob} of {service}: {setting.value or 'none'} (was {before[knob].value or 'none'}, {before[knob].whose})"
            for knob, setting in now.settings().items()
            if setting != before[knob]
        ]
        self.show(
            {"service": service, "changed": bool(changed), "limits": now.as_dict()},
            *(lines if changed else [f"The limits of {service} were so already."]),
        )

    def slow(self, options: dict[str, Any]) -> None:
        service, percent = options["service"], options["percent"]
        changed = limits.slow(service, actor=self.actor(options), reason=options["reason"], percent=percent)
        did = "is slowed" if changed else "was slowed already"
        self._say(service, changed, f"{service} {did} to {percent} % of its rate limits.")

    def full_speed(self, options: dict[str, Any]) -> None:
        service = options["service"]
        changed = limits.full_speed(service, actor=self.actor(options), reason=options["reason"])
        self._say(service, changed, f"{service} {'is back' if changed else 'was'} at its full rate limits.")

    def _changed(self, options: dict[str, Any], changed: bool, did: str, did_not: str) -> None:
        service = options["service"]
        self._say(service, changed, f"The {service} breaker {did if changed else did_not}.")

    def _say(self, service: str, changed: bool, message: str) -> None:
        self.show({"service": service, "changed": changed, "message": message}, message)


def _window(text: str) -> int:
    """Read a dispatch window; 0 for the environment's."""
    if not text.strip():
        return 0
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ArgumentTypeError(f"a whole number of messages above zero, or '' for the environment's, not {text!r}")
    return int(text)


def _second(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else None
