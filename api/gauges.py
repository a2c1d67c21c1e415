"""Gauges are read from switch and rows at each request: every web process gives the same ones."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from django.db import connection
from django.db.models import Count, F, Min, Sum
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from campaigns import targets
from campaigns.models import Campaign, OutcomeEvent, Process
from campaigns.outcomes import UNKNOWN
from campaigns.overview import counts
from campaigns.tallies import CallTally, JobCount, summed
from circuitbreakers import broker, switch
from circuitbreakers.models import Incident
from circuitbreakers.services import SERVICES
from circuitbreakers.states import SwitchSnapshot
from notifications.models import Delivery, Message

MOST_WAITING = 10_000
STATES = ("closed", "half_open", "open", "lost")

# The first waiting job of each campaign and service, by its index; what runs is little, and has an index of its own.
OLDEST = """
SELECT service, status, extract(epoch FROM statement_timestamp() - min(since))::float8 FROM (
    SELECT queue.service, CASE c.status WHEN 'RUNNING' THEN 'PENDING' ELSE 'PAUSED' END AS status, first.since
    FROM campaigns c CROSS JOIN unnest(%s::text[]) AS queue (service) CROSS JOIN LATERAL (
        SELECT created_at AS since FROM job_rows
        WHERE campaign_id = c.id AND service = queue.service AND status = 'PENDING' ORDER BY id LIMIT 1
    ) first WHERE c.status IN ('RUNNING', 'PAUSED')
    UNION ALL SELECT service, status, claimed_at FROM job_rows WHERE status = 'PROCESSING'
) unfinished GROUP BY service, status
"""


def of_stores() -> Iterator[Metric]:
    """Yield what Redis knows: breakers, queues, messages; only that it is away while it is."""
    try:
        snapshot: SwitchSnapshot | None = switch.read_all()
        depths = broker.depths()
    except switch.RedisUnavailable:
        snapshot, depths = None, {}
    yield GaugeMetricFamily("holdfast_redis_up", "1 if Redis answers.", value=snapshot is not None)
    if snapshot:
        yield from of_switch(snapshot)
    yield by("holdfast_broker_messages", "Messages in a service's queue.", "service", depths)


def of_campaigns() -> Iterator[Metric]:
    """Yield campaigns and jobs by status, how old the oldest are, and the openings that nobody has reset."""
    yield by("holdfast_campaigns", "Campaigns by status.", "status", counts(Campaign.objects.all(), "status"))
    yield GaugeMetricFamily(
        "holdfast_campaigns_halted", "Campaigns whose target does not send.", value=targets.halted().count()
    )
    yield by("holdfast_jobs", "Jobs by status.", "status", summed(JobCount.objects.all(), "status"))
    oldest = GaugeMetricFamily(
        "holdfast_jobs_oldest_seconds",
        "Age of the oldest unfinished job; of one in PROCESSING since its claim.",
        labels=["service", "status"],
    )
    with connection.cursor() as cursor:
        cursor.execute(OLDEST, [list(SERVICES)])
        for service, status, seconds in cursor.fetchall():
            oldest.add_metric([service, status], max(0.0, seconds))
    yield oldest
    yield GaugeMetricFamily(
        "holdfast_incidents_open", "Openings not yet reset.", value=Incident.objects.filter(reset_at=None).count()
    )


def of_ledger() -> Iterator[Metric]:
    """Yield what may still fall: a late answer says how an unknown call ended."""
    tallies = CallTally.objects.order_by().values_list("service")
    rows = tallies.annotate(unknown=Sum("unknown"), usd=Sum("may_cost_usd"))
    unknown, may_cost = dict.fromkeys(SERVICES, 0), dict.fromkeys(SERVICES, 0.0)
    for service, calls, usd in rows:
        unknown[service], may_cost[service] = calls, float(usd)
    yield by("holdfast_calls_unknown", "Booked calls of which nobody knows how they ended.", "service", unknown)
    text = "What calls whose answer was lost can have cost at most, beyond what is booked."
    yield by("holdfast_may_be_charged_usd", text, "service", may_cost)


def of_outcomes() -> Iterator[Metric]:
    """Yield what came back: what waits to be applied, and of the last day what no webhook told and nobody knows."""
    waiting = OutcomeEvent.objects.filter(applied_at=None).order_by()[:MOST_WAITING].count()
    yield GaugeMetricFamily("holdfast_outcomes_waiting", f"Not yet applied; {MOST_WAITING} or more.", value=waiting)
    lately = OutcomeEvent.objects.filter(received_at__gte=timezone.now() - timedelta(days=1))
    missed = counts(lately.filter(source=OutcomeEvent.Source.RECONCILIATION), "kind")
    text = "Told by no webhook and found by asking, in the last day."
    yield by("holdfast_outcomes_missed", text, "kind", missed)
    unknown = lately.filter(effect=UNKNOWN.name).order_by().count()
    yield GaugeMetricFamily(
        "holdfast_outcomes_unknown", "Of a kind that we do not know, in the last day.", value=unknown
    )


def of_outbox() -> Iterator[Metric]:
    """Yield what people are to be told and nobody has sent yet, and since when; what waits for a channel that is off
    is nobody's."""
    unrouted = Message.objects.filter(routed_at=None).aggregate(number=Count("pk"), since=Min("at"))
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING, channel__enabled=True)
    unsent = waiting.aggregate(number=Count("pk"), since=Min("queued_at"))
    text = "Messages that are not routed, and deliveries that are not made."
    yield GaugeMetricFamily("holdfast_outbox_waiting", text, value=unrouted["number"] + unsent["number"])
    since = [row["since"] for row in (unrouted, unsent) if row["since"]]
    age = (timezone.now() - min(since)).total_seconds() if since else 0.0
    yield GaugeMetricFamily("holdfast_outbox_oldest_seconds", "Age of the oldest of them.", value=max(0.0, age))


def of_switch(snapshot: SwitchSnapshot) -> Iterator[Metric]:
    """Yield the gauges of breakers and queue; 1 stands for the state that a breaker is in."""
    state = GaugeMetricFamily("holdfast_breaker_state", "1 for the state it is in.", labels=["service", "state"])
    for name, breaker in snapshot.breakers.items():
        for value in STATES:
            state.add_metric([name, value], breaker.at(snapshot.now) == value)
    yield state
    failures = {name: breaker.failure_count for name, breaker in snapshot.breakers.items()}
    yield by("holdfast_breaker_failures", "Consecutive failures.", "service", failures)
    active = {name: int(snapshot.queue.get(name) == "ACTIVE") for name in snapshot.breakers}
    yield by("holdfast_queue_active", "1 if calls may be admitted.", "service", active)
    in_flight = {name: gate.in_flight for name, gate in snapshot.gates.items()}
    yield by("holdfast_calls_in_flight", "Admitted calls.", "service", in_flight)


def of_supervisor() -> Iterator[Metric]:
    """Yield live processes, since when the leading supervisor has been silent, how long its steps took, and how often
    one made the others wait."""
    alive = Process.objects.alive().order_by().values_list("role").annotate(n=Count("pk"))
    roles = {**dict.fromkeys(Process.Role.values, 0), **dict(alive)}
    yield by("holdfast_processes", "Live processes by role.", "role", roles)
    led = Process.objects.filter(role=Process.Role.SUPERVISOR, leading=True).order_by("-seen_at")
    lag = GaugeMetricFamily("holdfast_supervisor_lag_seconds", "Since the leading supervisor's last sign of life.")
    for silent in led.values_list(Now() - F("seen_at"), flat=True)[:1]:
        lag.add_metric([], silent.total_seconds())
    yield lag
    leading = Process.objects.alive().filter(role=Process.Role.SUPERVISOR, leading=True)
    process = leading.order_by("seen_at").last()
    seconds: dict[str, float] = {}
    overruns: dict[str, float] = {}
    for name, step in (process.steps if process else {}).items():
        with suppress(TypeError, ValueError, KeyError):
            seconds[name], overruns[name] = float(step["seconds"]), float(step["overruns"])
    yield by("holdfast_supervisor_step_seconds", "Its last run.", "step", seconds)
    yield by("holdfast_supervisor_step_overruns", "Since the supervisor began.", "step", overruns)


def by(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """Return one gauge with one label."""
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge
