"""Foresight says how far a service's credits, plan or model reach, as far as free calls and our own ledger tell.

The pace is that of today and yesterday (UTC), the yield that of the last 30 days: what a service used for each
lead that was pushed. An outlook that cannot be read blocks nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Sum

from campaigns.models import OutlookReading
from campaigns.tallies import CallTally
from circuitbreakers.services import SERVICES

# So many hours before the end it is told, once each.
TELL = (7 * 24, 24, 2)
YIELD_DAYS = 30
# A reading that is older is no longer shown as if it held (the services are asked every quarter of an hour).
STALE = timedelta(hours=2)
# What lasts longer at its pace has no end that is worth a date.
FAR = timedelta(days=60)
# What to do when it is not enough.
MEND = "Buy credits or room in the plan, or raise REFUSE_UNFINISHABLE."
# What is pushed is counted by this service's credits.
PUSHES = "instantly"


@dataclass(frozen=True)
class Usage:
    """A usage is what one service used of its own unit: for a pushed lead, and for an hour; None: nobody knows yet."""

    per_lead: Decimal | None = None
    per_hour: Decimal | None = None


@dataclass(frozen=True)
class Forecast:
    """A forecast is a sentence on one service. `ends_at` is when something runs out, None if nothing is known to;
    `hours` those up to then, `leads` how many it is still enough for. `readable` is False for want of an answer; `news`
    if there is anything that changes by the day."""

    service: str
    sentence: str
    asked_at: datetime | None = None
    ends_at: datetime | None = None
    hours: int | None = None
    leads: int | None = None
    readable: bool = True
    news: bool = False

    @property
    def alarming(self) -> bool:
        """Say whether it ends within the longest of the times at which it is told."""
        return self.hours is not None and self.hours <= TELL[0]

    def is_fresh(self, now: datetime) -> bool:
        """Say whether the service answered when it was asked last, not long ago."""
        return self.readable and self.asked_at is not None and now - self.asked_at <= STALE

    @property
    def told_at(self) -> int | None:
        """Return the nearest of the times before the end that has come (hours), None if none has."""
        return min((hours for hours in TELL if self.hours is not None and self.hours <= hours), default=None)


def forecast(reading: OutlookReading, usage: Usage, now: datetime) -> Forecast:
    """Make the sentence on one service. Pure."""
    service, parts, ends = reading.service, [], []
    leads = None
    if reading.left == 0:
        leads = 0
        ends.append(now)
        parts.append(f"no {reading.unit} left")
    elif reading.left is not None:
        parts.append(f"{reading.left.normalize():,f} {reading.unit} left")
        if usage.per_lead:
            leads = int(reading.left / usage.per_lead)
            parts[-1] += f": enough for {leads:,} leads at the present yield"
        if usage.per_hour and (lasts := float(reading.left / usage.per_hour)) < FAR / timedelta(hours=1):
            ends.append((reading.read_at or now) + timedelta(hours=lasts))
            parts[-1] += f", at the present pace until {ends[-1]:%A %d %B %H:%M} UTC"
    if reading.ends:
        ends.append(datetime.combine(reading.ends, time(), UTC))
        parts.append(f"model {reading.model} is shut down on {reading.ends}")
    elif reading.model:
        parts.append(f"model {reading.model}, of which no end is announced")
    if reading.problem:
        parts.append(f"cannot be read: {reading.problem}")
    elif now - reading.asked_at > STALE:
        parts.append(f"not read since {reading.asked_at:%Y-%m-%d %H:%M} UTC")
    end = min(ends, default=None)
    return Forecast(
        service,
        "; ".join(parts) or "it does not say what is left",
        reading.asked_at,
        end,
        max(0, int((end - now) / timedelta(hours=1))) if end else None,
        leads,
        not reading.problem,
        news=bool(reading.left is not None or reading.ends or reading.problem),
    )


def usages(now: datetime) -> dict[str, Usage]:
    """Read what each service uses for a pushed lead and for an hour, from the ledger's tallies. Two statements."""
    today = now.astimezone(UTC).date()
    month = _used(today - timedelta(days=YIELD_DAYS - 1))
    lately = _used(today - timedelta(days=1))
    hours = Decimal((now - datetime.combine(today - timedelta(days=1), time(), UTC)) / timedelta(hours=1))
    pushed = month.get(PUSHES)
    return {
        service: Usage(
            month[service] / pushed if pushed and month.get(service) else None,
            lately[service] / hours if lately.get(service) else None,
        )
        for service in SERVICES
    }


def _used(since: object) -> dict[str, Decimal]:
    rows = CallTally.objects.filter(day__gte=since).order_by().values_list("service").annotate(used=Sum("credits"))
    return {service: used for service, used in rows if used}


def all_forecasts(now: datetime) -> list[Forecast]:
    """Return the forecasts of the five services in the pipeline's order; one that was not asked yet says so."""
    readings = {row.service: row for row in OutlookReading.objects.all()}
    used = usages(now)
    unread = {name: Forecast(name, "not read yet", readable=False) for name in SERVICES if name not in readings}
    return [unread.get(name) or forecast(readings[name], used[name], now) for name in SERVICES]


def warnings(now: datetime, waiting: int) -> list[str]:
    """Say which services end soon, or are not enough for so many leads that wait."""
    return [
        f"{one.service}: {one.sentence}"
        for one in all_forecasts(now)
        if one.alarming or (one.leads is not None and one.leads < waiting)
    ]


def shortfall(now: datetime, waiting: Callable[[], int]) -> str:
    """Say for which services more than REFUSE_UNFINISHABLE of the leads that wait are beyond what is left, going by the
    last outlook; '' if it is enough, and always when the setting is 0. What could not be read is no reason."""
    most = settings.REFUSE_UNFINISHABLE
    if not most:
        return ""
    leads = waiting()
    return ", ".join(
        f"{one.service} has enough for {one.leads:,} of {leads:,} leads"
        for one in all_forecasts(now)
        if one.leads is not None and one.is_fresh(now) and leads - one.leads > most
    )


def price_age(now: datetime) -> str:
    """Say how old the price table is."""
    if settings.PRICES_AT is None:
        return "prices are your own, of PRICES_JSON"
    days = (now.date() - settings.PRICES_AT).days
    return f"prices are those of {settings.PRICES_AT}, {days} day{'s' * (days != 1)} old"
