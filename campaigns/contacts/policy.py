"""The policy says when a person may be written to, and the sentences say why not. Pure but for the settings."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

MOST_DAYS, MOST_PEOPLE = 3650, 1_000_000


class PolicyRefused(ValueError):
    """This is no policy. The text says why."""


@dataclass(frozen=True)
class ContactPolicy:
    """A policy is the installation's, or a campaign's own.

    `exclusive`: nobody who is in an unfinished conversation elsewhere. `cooldown_days`: nobody who was written to so
    many days ago or less; 0: all. `domain_people` in `domain_days`: not more people of one registrable domain; 0: all.
    """

    exclusive: bool
    cooldown_days: int
    domain_people: int
    domain_days: int

    def as_dict(self) -> dict[str, Any]:
        """Return the policy for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Standing:
    """How a person stands under one name. `held_by`: the campaign in conversation now, since `held_since`; `pushed_by`:
    the last that wrote, at `pushed_at`; None where there is none."""

    held_by: int | None = None
    held_since: datetime | None = None
    pushed_by: int | None = None
    pushed_at: datetime | None = None


LIMITS = {"cooldown_days": (0, MOST_DAYS), "domain_people": (0, MOST_PEOPLE), "domain_days": (1, MOST_DAYS)}


def installation() -> ContactPolicy:
    """Return the policy that the settings give."""
    return ContactPolicy(
        exclusive=settings.CONTACT_EXCLUSIVE,
        cooldown_days=settings.CONTACT_COOLDOWN_DAYS,
        domain_people=settings.CONTACT_DOMAIN_PEOPLE,
        domain_days=settings.CONTACT_DOMAIN_DAYS,
    )


def policy_of(departures: Mapping[str, Any] | None) -> ContactPolicy:
    """Return the policy of a campaign; `departures`: its `contact_policy`."""
    return replace(installation(), **departures) if departures else installation()


def parse(departures: Mapping[str, Any]) -> dict[str, Any]:
    """Read where a campaign departs from the installation's policy. PolicyRefused for what no policy can be."""
    for name, value in departures.items():
        if name == "exclusive":
            if not isinstance(value, bool):
                raise PolicyRefused(f"exclusive must be true or false, not {value!r}.")
        elif name not in LIMITS:
            raise PolicyRefused(f"A contact policy has exclusive, {', '.join(LIMITS)}, and no {name}.")
        else:
            least, most = LIMITS[name]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise PolicyRefused(f"{name} must be a whole number from {least} to {most:,}, not {value!r}.")
    return dict(departures)


def refusal(
    policy: ContactPolicy, campaign: int | None, standings: Iterable[Standing], now: datetime, *, dated: bool = True
) -> str:
    """Say why `campaign` (None: one that is not made yet) may not write to the person who stands so under each name; ''
    if it may. Not `dated`, the sentence is the same for many people, so that they can be counted."""
    for standing in standings:
        if policy.exclusive and standing.held_by not in (None, campaign):
            return in_conversation(standing.held_by, standing.held_since if dated else None)
        if (
            standing.pushed_at
            and (campaign is None or standing.pushed_by != campaign)
            and standing.pushed_at > now - timedelta(days=policy.cooldown_days)
        ):
            if dated:
                return written_to(standing.pushed_by, standing.pushed_at)
            return f"{written_to(standing.pushed_by)} in the last {policy.cooldown_days} days"
    return ""


def told(standing: Standing) -> str:
    """Tell a person's standing, as `in conversation by campaign 12 since ..., last written to by ...`; '' for nobody's
    person."""
    held = in_conversation(standing.held_by, standing.held_since) if standing.held_by else ""
    written = f"last {written_to(standing.pushed_by, standing.pushed_at)}" if standing.pushed_at else ""
    return ", ".join(filter(None, (held, written)))


def in_conversation(campaign: int | None, since: datetime | None) -> str:
    return f"in conversation by campaign {campaign}" + (f" since {since:%Y-%m-%d}" if since else "")


def written_to(campaign: int | None, at: datetime | None = None) -> str:
    by = f"campaign {campaign}" if campaign else "another campaign"
    return f"written to by {by}" + (f" on {at:%Y-%m-%d}" if at else "")


def domain_full(domain: str, days: int, pushed: int, held: int = 0) -> str:
    """Say that a domain has no room: so many people written to, and so many more in conversation."""
    return f"{pushed + held} people of {domain} written to in {days} days" + (" or about to be" if held else "")
