"""The dashboard's numbers are read here, each from an index: jobs, calls per minute, spend, campaigns and leads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import TruncMinute

from campaigns import budgets, first_leads, targets
from campaigns.models import Campaign, Job, Lead, VendorCall
from campaigns.remaining import KINDS_OF_LEAD, steps_from
from campaigns.tallies import JobCount, LeadTally, summed
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import SERVICES
from console.labels import grouped

MINUTES = 60
# The pace behind a time to finish is that of the last five minutes.
PACE = timedelta(minutes=5)
SHOWN = 12
# What counts as a failed call on a chart: the vendor's doing, whether or not it opens the breaker.
FAILED = Q(outcome__in=[name for name, judged in OUTCOMES.items() if judged not in ("success", "ignored")])


@dataclass
class Minute:
    """A Minute counts the calls of one service; heights are per cent of the hour's busiest minute."""

    calls: int = 0
    failed: int = 0
    height: float = 0.0
    failed_height: float = 0.0


@dataclass
class CampaignRow:
    """A CampaignRow is a campaign with its leads counted now. `parts`: (state or stage, tone, leads, per cent)."""

    pk: int
    name: str
    status: str
    status_message: str
    target_halt: str = ""
    budget_halt: str = ""
    first_leads: int | None = None
    first_leads_hold: str = ""
    leads: int = 0
    ended: int = 0
    parts: list[tuple[str, str, int, float]] = field(default_factory=list)
    calls_left: int = 0
    finish: str = ""

    @property
    def waits_for_target(self) -> str:
        """Return why it waits for its target; "" if it does not, or has ended."""
        return self.target_halt if self.status in ("CREATED", "RUNNING", "PAUSED") else ""

    @property
    def waits_for_budget(self) -> str:
        """Return why it waits for its budget; "" if it does not, or has ended."""
        return self.budget_halt if self.status in ("CREATED", "RUNNING", "PAUSED") else ""

    @property
    def percent(self) -> float:
        return 100 * self.ended / self.leads if self.leads else 0.0

    @property
    def parts_in_words(self) -> str:
        """Write the parts for whoever does not see the bar: `1,200 pushed, 3 failed`."""
        return ", ".join(f"{grouped(count)} {name.lower()}" for name, _, count, _ in self.parts)


def jobs_by_service() -> dict[tuple[str, str], int]:
    """Count the unfinished jobs by service and status."""
    return summed(JobCount.objects.filter(status__in=Job.UNFINISHED), "service", "status")


def last_minute(now: datetime) -> Iterable[tuple[str, int, int]]:
    """Count the sixty seconds before `now`, as (service, calls, of these failed)."""
    calls = VendorCall.objects.filter(admitted_at__gt=now - timedelta(seconds=60)).order_by()
    return calls.values_list("service").annotate(n=Count("pk"), failed=Count("pk", filter=FAILED))


def last_hour(now: datetime) -> dict[str, list[Minute]]:
    """Return sixty minutes for each service, the present one last."""
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    hours = {service: [Minute() for _ in range(MINUTES)] for service in SERVICES}
    rows = (
        VendorCall.objects.filter(admitted_at__gte=first)
        .order_by()
        .values_list("service", TruncMinute("admitted_at"))
        .annotate(n=Count("pk"), failed=Count("pk", filter=FAILED))
    )
    for service, minute, calls, failed in rows:
        place = int((minute - first).total_seconds() // 60)
        if place < MINUTES:  # a call admitted by Redis's clock, a little ahead
            hours[service][place] = Minute(calls, failed)
    for minutes in hours.values():
        peak = max(minute.calls for minute in minutes) or 1
        for one in minutes:
            one.height, one.failed_height = 100 * one.calls / peak, 100 * one.failed / peak
    return hours


def campaigns_by_status() -> dict[str, int]:
    return dict(Campaign.objects.order_by().values_list("status").annotate(n=Count("pk")))


def halted_running() -> int:
    """Count the running campaigns that wait for their target."""
    return targets.halted().filter(status="RUNNING").count()


def held_running() -> int:
    """Count the running campaigns that wait for their budget."""
    return budgets.held().filter(status="RUNNING").count()


def shown_campaigns(now: datetime) -> list[CampaignRow]:
    """Return the campaigns that run, then those that are paused, then the latest others, with their leads."""
    rank = Case(
        When(status="RUNNING", then=Value(0)),
        When(status="PAUSED", then=Value(1)),
        When(status="CREATED", then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    ids: list[int] = []
    # Status by status, so that each is a short walk along the index and a thousand campaigns are not sorted.
    for status in ("RUNNING", "PAUSED", "CREATED", "COMPLETED", "FAILED"):
        if len(ids) < SHOWN:
            ids += (
                Campaign.objects.filter(status=status).order_by("-id").values_list("pk", flat=True)[: SHOWN - len(ids)]
            )
    return campaign_rows(Campaign.objects.filter(pk__in=ids).order_by(rank, "-id"), now)


def campaign_row(pk: int, now: datetime) -> CampaignRow:
    """Return one campaign as the dashboard shows it."""
    return campaign_rows(Campaign.objects.filter(pk=pk), now)[0]


def campaign_rows(campaigns: QuerySet[Campaign], now: datetime) -> list[CampaignRow]:
    """Return these campaigns in their order, with their leads."""
    fields = ("pk", "name", "status", "status_message", "target_halt", "budget_halt", "first_leads")
    rows = [CampaignRow(**row) for row in campaigns.values(*fields)]
    unfinished = [row for row in rows if row.status in ("RUNNING", "PAUSED")]
    holds = first_leads.holds({row.pk: row.first_leads for row in unfinished})
    for row in unfinished:
        row.first_leads_hold = holds.get(row.pk, "")
    count_leads({row.pk: row for row in rows})
    set_finish(rows, now)
    return rows


def count_leads(rows: dict[int, CampaignRow]) -> None:
    """Count into `rows` the leads by state, those in work by stage, and the calls that they still need at most."""
    counted: dict[int, dict[str, int]] = {pk: {} for pk in rows}
    leads = summed(LeadTally.objects.filter(campaign_id__in=list(rows)), "campaign_id", "state", "stage")
    for (pk, state, stage), number in leads.items():
        name = stage or "waiting" if state == Lead.State.OPEN else state
        counted[pk][name] = counted[pk].get(name, 0) + number
    for pk, row in rows.items():
        numbers = counted[pk]
        row.leads = sum(numbers.values())
        row.ended = sum(numbers.get(state, 0) for state in ("PUSHED", "DROPPED", "FAILED"))
        row.calls_left = sum(count * len(steps_from(stage)) for stage, count in numbers.items())
        order = ("PUSHED", "DROPPED", "FAILED", *reversed(KINDS_OF_LEAD), "waiting")
        row.parts = [
            (name, name.lower(), numbers[name], 100 * numbers[name] / row.leads) for name in order if numbers.get(name)
        ]


def set_finish(rows: list[CampaignRow], now: datetime) -> None:
    """Set a time to finish at the pace of the last five minutes, if there is one. At most: drops make it sooner."""
    running = [row.pk for row in rows if row.status == "RUNNING"]
    recent = VendorCall.objects.filter(admitted_at__gt=now - PACE, campaign__in=running, outcome="success").order_by()
    calls = dict(recent.values_list("campaign_id").annotate(n=Count("pk")))
    for row in rows:
        if row.status == "RUNNING" and row.calls_left:
            pace = calls.get(row.pk, 0) / PACE.total_seconds()
            row.finish = f"at most {duration(row.calls_left / pace)} left at this pace" if pace else "no pace yet"


def duration(seconds: float) -> str:
    """Write seconds as `1 min`, `12 min`, `3 h 20 min` or `2 days`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "1 min"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days"
