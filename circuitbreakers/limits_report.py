"""Every door is told here how fast each service may be called, whether by hand, and then by whom, when and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from circuitbreakers import limits, policies, rates
from circuitbreakers.models import Breaker, Event
from circuitbreakers.policy import Limits
from circuitbreakers.services import SERVICES


@dataclass(frozen=True)
class Setting:
    """A Setting is one knob: `value` is what holds, `environment` what would hold if nobody had set it by hand.

    Who set it, when and why is empty where it is the environment's, or where SQL has set it.
    """

    value: str | int
    environment: str | int
    by_hand: bool
    set_by: str = ""
    set_at: datetime | None = None
    reason: str = ""

    @property
    def whose(self) -> str:
        """Say whose value it is, in a few words."""
        if not self.by_hand:
            return "the environment's"
        at = f" at {self.set_at:%Y-%m-%d %H:%M} UTC" if self.set_at else ""
        return f"by {self.set_by or 'hand'}{at}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class ServiceLimits:
    """ServiceLimits are all knobs of one service. `in_force` is what the gate goes by, the speed taken into account;
    `version` is to be given back with an edit."""

    rate_limits: Setting
    dispatch_window: Setting
    speed: Setting
    in_force: str
    published: str
    above_published: bool
    version: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def settings(self) -> dict[str, Setting]:
        """Return the knobs by name, as people read them."""
        return {"rate limits": self.rate_limits, "dispatch window": self.dispatch_window, "speed (%)": self.speed}

    @property
    def in_words(self) -> str:
        """Say the rate limits in a few words: `200/60`, or `200/60 at 20 %`."""
        limits = str(self.rate_limits.value) or "none"
        return f"{limits} at {self.speed.value} %" if self.speed.by_hand else limits


def read(services: Sequence[str] = SERVICES, rows: Mapping[str, Breaker] | None = None) -> dict[str, ServiceLimits]:
    """Return the limits of each service, of the rows at hand or read anew."""
    if rows is None:
        rows = Breaker.objects.in_bulk(services)
    return {service: _of(service, rows.get(service) or Breaker(service=service)) for service in services}


def _of(service: str, row: Breaker) -> ServiceLimits:
    full = policies.at_full_speed(service, row.limits)
    return ServiceLimits(
        rate_limits=_setting(row, "rate_limits", rates.text_of(full), rates.text_of(settings.RATE_LIMITS[service])),
        dispatch_window=_setting(
            row, "dispatch_window", row.dispatch_window or settings.DISPATCH_WINDOW, settings.DISPATCH_WINDOW
        ),
        speed=_setting(row, "speed", row.speed, limits.FULL),
        in_force=rates.text_of(limit.scaled(row.speed) for limit in full),
        published=rates.text_of(limits.published(service)),
        above_published=bool(rates.above(full, limits.published(service))),
        version=row.version,
    )


def _setting(row: Breaker, knob: str, value: str | int, environment: str | int) -> Setting:
    if getattr(row, knob) == getattr(Limits(), knob):
        return Setting(value, environment, by_hand=False)
    # Few events are about a policy, and by the index of a subject's events the last ones come first.
    event = Event.objects.filter(subject_type="policy", subject_id=row.pk, after__has_key=knob).first()
    if event is None or (event.after or {})[knob] != getattr(row, knob):
        return Setting(value, environment, by_hand=True)
    return Setting(value, environment, True, event.actor, event.at, event.reason)
