"""Prometheus reads `/metrics`: every web process gives the same numbers (docs/metrics.md)."""

from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request

from api import gauges, totals
from api.frame.audience import audience
from api.frame.views import ApiView
from telemetry import kept

# A function here yields numbers of one thing; docs/metrics.md names them all.
SOURCES: tuple[Callable[[], Iterator[Metric]], ...] = (
    gauges.of_stores,
    gauges.of_campaigns,
    gauges.of_supervisor,
    gauges.of_ledger,
    gauges.of_outcomes,
    gauges.of_outbox,
    totals.of_ledger,
    totals.of_openings,
    totals.of_resumes,
    kept.metrics,
)


class Numbers(Collector):
    """Reads everything once, for one answer."""

    def collect(self) -> Iterator[Metric]:
        for source in SOURCES:
            yield from source()


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
