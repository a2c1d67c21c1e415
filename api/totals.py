"""Totals that only rise are read from rows that are never deleted, or counted on when they are pruned: exact, whichever
process has died."""

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from django.db.models import Count, Q, Sum
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from campaigns.tallies import CallTally
from circuitbreakers.models import Event, Incident
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import SERVICES
from telemetry import counters

# An event of the queue, or of the service that stopped it -> the stage at which its resume ended.
STAGES = {
    "resumed": "full",
    "resume_interrupted": "interrupted",
    "stopped_at_canary": "canary",
    "stopped_at_ramp": "ramp",
}
# Seconds. The campaigns are paused a fraction of a second after the opening; the supervisor finishes what was left.
OF_CASCADES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, math.inf)
REASONS = ("paused", "open", "lost", "rate", "seen", "unreachable", "budget", "unbudgeted", "ramp", "late")

# Whatever can be counted begins at 0: a counter that is not there before its first event hides it from `increase`.
for _service in SERVICES:
    counters.ADMISSIONS.labels(_service)
    counters.DISPATCHED.labels(_service)
    counters.CALL_SECONDS.labels(_service)
for _labels in product(SERVICES, OUTCOMES):
    counters.CALLS.labels(*_labels)
for _labels in product(SERVICES, REASONS):
    counters.REFUSALS.labels(*_labels)
for _reason in ("died", "answer_lost"):
    counters.RECLAIMED.labels(_reason)
for _outcome in ("sent", "failed", "given_up"):
    counters.DELIVERIES.labels(_outcome)


def of_ledger() -> Iterator[Metric]:
    """Yield what the ledger's tallies add up to. A campaign that has called a vendor is never deleted."""
    rows = CallTally.objects.order_by().values_list("service")
    totals = {service: (calls, usd) for service, calls, usd in rows.annotate(calls=Sum("number"), usd=Sum("cost_usd"))}
    calls = {service: total[0] for service, total in totals.items()}
    yield total("holdfast_ledger_calls", "Rows in the ledger of calls.", "service", SERVICES, calls)
    spent = {service: float(total[1]) for service, total in totals.items()}
    yield total("holdfast_spend_usd", "What the calls in the ledger cost.", "service", SERVICES, spent)


def of_openings() -> Iterator[Metric]:
    """Yield openings and resets by service, and how long the pause took to spread."""
    opened = dict(Incident.objects.order_by().values_list("service").annotate(n=Count("pk")))
    yield total("holdfast_breaker_openings", "Openings of a breaker, each an incident.", "service", SERVICES, opened)
    reset = Incident.objects.exclude(reset_at=None).order_by().values_list("service").annotate(n=Count("pk"))
    yield total("holdfast_breaker_resets", "Openings that were reset.", "service", SERVICES, dict(reset))
    within: dict[str, Any] = {
        f"le_{place}": Count("pk", filter=Q(cascade_seconds__lte=bound)) for place, bound in enumerate(OF_CASCADES[:-1])
    }
    measured = Incident.objects.exclude(cascade_seconds=None)
    row = measured.aggregate(**within, count=Count("pk"), sum=Sum("cascade_seconds"))
    buckets = [row[f"le_{place}"] for place in range(len(within))] + [row["count"]]
    text = "From an opening to all campaigns paused."
    histogram = HistogramMetricFamily("holdfast_cascade_duration_seconds", text)
    bounds = map(floatToGoString, OF_CASCADES)
    histogram.add_metric([], list(zip(bounds, buckets, strict=True)), sum_value=row["sum"] or 0.0)
    yield histogram


def of_resumes() -> Iterator[Metric]:
    """Yield resumes of the queue by the stage at which they ended."""
    ended = Event.objects.filter(subject_type__in=("queue", "breaker"), verb__in=STAGES).order_by().values_list("verb")
    numbers = {STAGES[verb]: number for verb, number in ended.annotate(n=Count("pk"))}
    text = "Resumes of the queue, by the stage at which they ended."
    yield total("holdfast_queue_resumes", text, "stage", STAGES.values(), numbers)


def total(name: str, text: str, label: str, values: Any, numbers: Mapping[str, float]) -> CounterMetricFamily:
    """Return one counter with one label, 0 for the values that have no number."""
    counter = CounterMetricFamily(name, text, labels=[label])
    for value in values:
        counter.add_metric([value], numbers.get(value, 0))
    return counter
