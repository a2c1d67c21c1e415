"""Prometheus gets numbers that are read from switch and rows at each request: every web process gives the same ones."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.http import HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request

from api.frame.audience import audience
from api.frame.views import ApiView
from campaigns import targets
from campaigns.models import Campaign, OutcomeEvent, Process
from campaigns.outcomes import UNKNOWN
from campaigns.overview import counts
from campaigns.tallies import JobCount, summed
from circuitbreakers import broker, switch
from circuitbreakers.models import Incident
from circuitbreakers.states import SwitchSnapshot

MOST_WAITING = 10_000
STATES = ("closed", "half_open", "open", "lost")


class Numbers(Collector):
    """Reads everything once, for one answer."""

    def collect(self) -> Iterator[Metric]:
        try:
            snapshot: SwitchSnapshot | None = switch.read_all()
            depths = broker.depths()
        except switch.RedisUnavailable:
            snapshot, depths = None, {}
        yield GaugeMetricFamily("holdfast_redis_up", "1 if Redis answers.", value=snapshot is not None)
        if snapshot:
            yield from of_switch(snapshot)
        yield by("holdfast_broker_messages", "Messages in a service's queue.", "service", depths)
        yield by("holdfast_campaigns", "Campaigns by status.", "status", counts(Campaign.objects.all(), "status"))
        yield GaugeMetricFamily(
            "holdfast_campaigns_halted", "Campaigns whose target does not send.", value=targets.halted().count()
        )
        yield by("holdfast_jobs", "Jobs by status.", "status", summed(JobCount.objects.all(), "status"))
        yield GaugeMetricFamily(
            "holdfast_incidents_open", "Openings not yet reset.", value=Incident.objects.filter(reset_at=None).count()
        )
        alive = Process.objects.alive().order_by().values_list("role").annotate(n=Count("pk"))
        roles = {**dict.fromkeys(Process.Role.values, 0), **dict(alive)}
        yield by("holdfast_processes", "Live processes by role.", "role", roles)
        yield from of_supervisor()
        yield from of_outcomes()


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
    """Yield how long the leading supervisor's steps took, and how often one made the others wait."""
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


class MetricsView(ApiView):
    """Answers `/metrics`. A scraper sends an API token: `authorization: {type: Token, credentials: hf_...}`."""

    schema = None

    @property
    def required(self) -> dict[str, str]:  # type: ignore[override]
        return {"GET": audience(settings.EXPOSE_METRICS)}

    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(Numbers())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
