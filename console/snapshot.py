"""The dashboard is drawn from one reading of switch and rows: made once for all viewers, true as of one instant."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction

from campaigns import first_leads, foresight, ramp_report, spend
from campaigns.foresight import Forecast
from campaigns.models import Process
from campaigns.ramp_report import RampReport
from circuitbreakers import budget_halts, limits_report, planned, probes, switch
from circuitbreakers.limits_report import ServiceLimits
from circuitbreakers.models import Breaker, Event, Incident, PlannedPause, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.states import SwitchSnapshot
from console import statistics
from console.sentence import Sentence, compose
from console.statistics import CampaignRow, Minute
from notifications.channels import troubles

INCIDENTS = 6
# Probes that a card shows, and for how long they are worth showing.
PROBES = 3
PROBES_SINCE = timedelta(days=1)


@dataclass(frozen=True)
class Probe:
    """A Probe is one health call, as it is on record: `text` says whether it succeeded and what came of it."""

    at: datetime
    ok: bool
    text: str
    by: str


@dataclass
class Card:
    """A Card is one service: its breaker, its queue, its calls and its price."""

    service: str
    state: str
    queue: str = "PAUSED"
    failures: int = 0
    threshold: int = 5
    last_error: str = ""
    last_failure_at: datetime | None = None
    since: datetime | None = None
    reason: str = ""
    hold_reason: str = ""
    held_by: str = ""
    probe_due: datetime | None = None
    probes: list[Probe] = field(default_factory=list)
    slowed_until: datetime | None = None
    outlook: Forecast | None = None
    budget_halt: str = ""
    ramp: RampReport | None = None
    stopped: str = ""
    tried: str = ""
    limits: ServiceLimits | None = None
    in_flight: int = 0
    pending: int = 0
    processing: int = 0
    paused: int = 0
    per_minute: int = 0
    failed_per_minute: int = 0
    calls_today: int = 0
    spent_today: Decimal = Decimal(0)
    minutes: list[Minute] = field(default_factory=list)
    peak: int = 0

    @property
    def is_coming_back(self) -> bool:
        """Say whether an operator has something to follow here although the breaker may be closed."""
        return bool(self.ramp or self.stopped or self.tried)


@dataclass
class ConsoleSnapshot:
    """A ConsoleSnapshot is everything that the console's live parts show. `at` is by the database's clock."""

    at: datetime
    mode: str
    redis: bool
    sentence: Sentence
    cards: list[Card]
    pauses: list[QueuePause]
    campaigns: dict[str, int]
    shown: list[CampaignRow]
    processes: list[Process]
    missing: list[str]
    overruns: list[str]
    incidents: list[Incident]
    open_incidents: list[Incident]
    spent_today: Decimal
    untold: list[str]
    reminders: list[str] = field(default_factory=list)
    planned: list[PlannedPause] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        return sum(card.pending + card.processing + card.paused for card in self.cards)

    def card_of(self, service: str) -> Card:
        return next(card for card in self.cards if card.service == service)

    def state_of(self, service: str) -> str:
        return self.card_of(service).state


@contextmanager
def one_instant() -> Iterator[None]:
    """All reads in here see the database as of the first of them (inside another transaction: as that one does)."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def read() -> ConsoleSnapshot:
    """Read everything anew. Without Redis the snapshot shows what PostgreSQL knows, and says so."""
    try:
        switch_snapshot = switch.read_all()
    except switch.RedisUnavailable:
        switch_snapshot = None
    with one_instant():
        return _read(switch_snapshot)


def read_sentence() -> str:
    """Read the first sentence anew, with what is to be done next."""
    sentence = read().sentence
    return f"{sentence.text} Next: {sentence.next}." if sentence.next else sentence.text


def _read(switch_snapshot: SwitchSnapshot | None) -> ConsoleSnapshot:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
    pauses = list(QueuePause.objects.filter(ended_at=None).order_by("id"))
    unreset = list(Incident.objects.filter(reset_at=None).defer("evidence").select_related("pause").order_by("-id"))
    cards = [_card(name, switch_snapshot, unreset) for name in SERVICES]
    by_name = {card.service: card for card in cards}
    for event in probes.recent(SERVICES, since=now - PROBES_SINCE, most=PROBES):
        ok = bool((event.after or {}).get("ok"))
        by_name[event.subject_id].probes.append(Probe(event.at, ok, event.reason, event.actor))
    rows = Breaker.objects.in_bulk()
    for service, allowed in limits_report.read(rows=rows).items():
        by_name[service].limits = allowed
    for row in rows.values():
        card = by_name[row.service]
        card.threshold, card.held_by = row.failure_threshold, row.held_by
        if card.state == "half_open" and card.probes:
            card.probe_due = card.probes[0].at + timedelta(seconds=row.reset_timeout)
    for (service, status), count in statistics.jobs_by_service().items():
        setattr(by_name[service], status.lower(), count)
    today = now.astimezone(UTC).date()
    for service, spent in spend.by_service(since=today, until=today).items():
        by_name[service].calls_today, by_name[service].spent_today = spent.calls, spent.cost_usd
    for service, minutes in statistics.last_hour(now).items():
        card = by_name[service]
        card.minutes, card.peak = minutes, max(minute.calls for minute in minutes)
    for service, calls, failed in statistics.last_minute(now):
        by_name[service].per_minute, by_name[service].failed_per_minute = calls, failed
    for foreseen in foresight.all_forecasts(now):
        by_name[foreseen.service].outlook = foreseen if foreseen.news else None
    for report in ramp_report.read(switch_snapshot) if switch_snapshot else []:
        by_name[report.service].ramp = report
    for service, halt in budget_halts.held_services().items():
        by_name[service].budget_halt = halt
    campaigns = statistics.campaigns_by_status()
    processes = list(Process.objects.alive())
    alive = {row.role for row in processes}
    missing = [role for role in Process.Role.values if role not in alive]
    system = next((row for row in pauses if row.key == QueuePause.SYSTEM), None)
    if system:
        _show_the_way_back(by_name, system)
    slowed = {card.service: card.slowed_until for card in cards if card.slowed_until}
    latest = list(Incident.objects.defer("evidence")[:INCIDENTS])
    sentence = compose(
        now=now,
        redis=switch_snapshot is not None,
        states={card.service: card.state for card in cards},
        pauses={row.key: row for row in pauses},
        incident=next((one for one in reversed(unreset + latest) if system and one.pause_id == system.pk), None),
        campaigns=campaigns,
        jobs_waiting=sum(card.paused for card in cards),
        jobs_open=sum(card.pending + card.processing for card in cards),
        missing=missing,
        slowed=slowed,
        held={card.service: card.budget_halt for card in cards if card.budget_halt},
        held_campaigns=statistics.held_running() if campaigns.get("RUNNING") else 0,
        holding=first_leads.holding() if campaigns.get("RUNNING") else 0,
        halted=statistics.halted_running() if campaigns.get("RUNNING") else 0,
    )
    return ConsoleSnapshot(
        at=now,
        mode=settings.MODE,
        redis=switch_snapshot is not None,
        sentence=sentence,
        cards=cards,
        pauses=pauses,
        campaigns=campaigns,
        shown=statistics.shown_campaigns(now),
        processes=processes,
        missing=missing,
        overruns=[sentence for process in processes for sentence in process.overruns(now)],
        incidents=latest,
        open_incidents=unreset,
        spent_today=sum((card.spent_today for card in cards), Decimal(0)),
        untold=troubles(),
        reminders=[reminder.text for reminder in planned.due(rows.values())],
        planned=list(planned.ahead()[: planned.SHOWN]),
    )


def _show_the_way_back(cards: dict[str, Card], system: QueuePause) -> None:
    """Put on the cards where a resume was stopped, and what the one job found that was tried since."""
    for service, text in ramp_report.stopped_by_service().items():
        cards[service].stopped = text
    tried = Event.objects.filter(subject_type="breaker", verb__in=["try_one", "tried_one"], at__gte=system.started_at)
    for event in tried.order_by("id"):
        if event.subject_id in cards:
            found = event.verb == "tried_one"
            cards[event.subject_id].tried = event.reason if found else "one job is being tried"


def _card(service: str, switch_snapshot: SwitchSnapshot | None, unreset: list[Incident]) -> Card:
    """Make a service's card of what the switch says; without it, of the latest incident not yet reset."""
    if switch_snapshot is None:
        incident = next((one for one in unreset if one.service == service), None)
        if incident is None:
            return Card(service, "lost")
        return Card(service, "open", since=incident.opened_at, reason=incident.reason)
    state, gate = switch_snapshot.breakers[service], switch_snapshot.gates[service]
    shut = state.state != "closed"
    return Card(
        service,
        "held" if state.held else state.at(switch_snapshot.now),
        queue=switch_snapshot.queue.get(service, "PAUSED"),
        failures=state.failure_count,
        last_error=state.last_error,
        last_failure_at=state.last_failure_time,
        since=state.opened_at if shut else None,
        reason=state.reason if shut else "",
        hold_reason=state.hold_reason if state.held else "",
        probe_due=state.open_until if shut and not state.held else None,
        slowed_until=switch_snapshot.waits_until(service),
        in_flight=gate.in_flight,
    )
