"""The API's door to breakers, pauses, incidents and events: parse, call one verb, report."""

from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import (
    Done,
    EventSerializer,
    HoldRequest,
    IncidentDetail,
    IncidentSerializer,
    PauseRequest,
    Probed,
    Reason,
    ResetRequest,
)
from api.frame.views import ApiView, Listing
from circuitbreakers import breaker, gate, pauses, probes
from circuitbreakers.models import SERVICE_CHOICES, Event, Incident
from circuitbreakers.permissions import OPERATE_BREAKER, OPERATE_QUEUE, VIEW_EVENT, VIEW_INCIDENT
from circuitbreakers.services import validate


class Reset(ApiView):
    """Close the breaker of one service. Touches neither queue nor campaigns nor jobs: resume the queue for those."""

    required = {"POST": OPERATE_BREAKER}
    refusals = {breaker.BreakerRefused: 409}
    doing = "resetting circuit breaker"
    serializer_class = ResetRequest

    @extend_schema(
        tags=["circuit breakers"],
        operation_id="reset_breaker",
        request=ResetRequest,
        responses={200: Done},
        examples=[
            OpenApiExample("The vendor is well again", {"reason": "Key renewed"}, request_only=True),
            OpenApiExample(
                "Done",
                {
                    "service": "apollo",
                    "action": "circuit_breaker_reset",
                    "changed": True,
                    "message": "Circuit breaker reset for apollo - service manually resumed",
                },
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        body = self.body()
        changed = breaker.reset(service, actor=self.actor, reason=body["reason"], force=body["force"])
        message = f"Circuit breaker reset for {service} - service manually resumed"
        return Response({"service": service, "action": "circuit_breaker_reset", "changed": changed, "message": message})


class Probe(ApiView):
    """Make one free health call now and tell the breaker what it found. Never closes it."""

    required = {"POST": OPERATE_BREAKER}
    refusals = {probes.ProbeRunning: 409}
    doing = "probing"
    serializer_class = Reason

    @extend_schema(tags=["circuit breakers"], operation_id="probe_service", request=None, responses={200: Probed})
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        result = probes.probe(service, actor=self.actor)
        return Response(
            {
                "service": service,
                "action": "probe",
                "ok": result.ok,
                "detail": result.detail,
                "proves": result.proves,
                "failure_type": result.failure_type,
            }
        )


class Hold(ApiView):
    """Force the breaker open until it is released: an opening in every respect, so everything is paused."""

    required = {"POST": OPERATE_BREAKER}
    refusals = {breaker.BreakerRefused: 409}
    doing = "holding circuit breaker"
    serializer_class = HoldRequest

    @extend_schema(tags=["circuit breakers"], operation_id="hold_breaker", request=HoldRequest, responses={200: Done})
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        body = self.body()
        changed = breaker.hold(service, actor=self.actor, reason=body["reason"], remind_at=body["remind_at"])
        did = "is held open" if changed else "was held already"
        return report(service, "circuit_breaker_hold", changed, f"The {service} breaker {did}.")


class Release(ApiView):
    """End a hold. The breaker stays open, to be reset."""

    required = {"POST": OPERATE_BREAKER}
    refusals = {breaker.BreakerRefused: 409}
    doing = "releasing circuit breaker"
    serializer_class = Reason

    @extend_schema(tags=["circuit breakers"], operation_id="release_breaker", request=Reason, responses={200: Done})
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        changed = breaker.release(service, actor=self.actor, reason=self.body()["reason"])
        did = "is released and stays open: reset it next" if changed else "was not held"
        return report(service, "circuit_breaker_release", changed, f"The {service} breaker {did}.")


class LiftWait(ApiView):
    """Ask a service again at once although it asked us to wait (429, Retry-After). What it answers then is on us."""

    required = {"POST": OPERATE_BREAKER}
    doing = "lifting wait"
    serializer_class = Reason

    @extend_schema(tags=["circuit breakers"], operation_id="lift_wait", request=Reason, responses={200: Done})
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        until = gate.lift_wait(service, actor=self.actor, reason=self.body()["reason"])
        did = f"The wait of {service} is lifted." if until else f"{service} has not asked us to wait."
        return report(service, "wait_lift", until is not None, did)


class PauseService(ApiView):
    """An operator's own pause of one service's queue, or of `all`. Only resume-service lifts it."""

    required = {"POST": OPERATE_QUEUE}
    doing = "pausing queue"
    serializer_class = PauseRequest

    @extend_schema(tags=["queue"], operation_id="pause_service", request=PauseRequest, responses={200: Done})
    def post(self, request: Request) -> Response:
        body = self.body()
        changed = pauses.pause(body["service"], actor=self.actor, reason=body["reason"])
        did = "is paused" if changed else "was paused already"
        return report(body["service"], "queue_pause", changed, f"The queue of {body['service']} {did}.")


def report(service: str, action: str, changed: bool, message: str) -> Response:
    return Response({"service": service, "action": action, "changed": changed, "message": message})


class IncidentFilter(django_filters.FilterSet):
    service = django_filters.ChoiceFilter(choices=SERVICE_CHOICES)
    # Not a boolean filter: that one ignores what it does not understand, and shows all.
    open = django_filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")], method="by_open", label="Not yet reset."
    )

    def by_open(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(reset_at__isnull=value == "true")


@extend_schema_view(get=extend_schema(tags=["incidents"], operation_id="list_incidents"))
class Incidents(Listing):
    """Openings of breakers, newest first."""

    required = {"GET": VIEW_INCIDENT}
    queryset = Incident.objects.all()
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    search_fields = ("reason", "failure_type", "reset_reason")
    ordering_fields = ("id", "opened_at")


@extend_schema_view(get=extend_schema(tags=["incidents"], operation_id="show_incident"))
class IncidentView(RetrieveAPIView, ApiView):
    """One incident with its evidence and its timeline."""

    required = {"GET": VIEW_INCIDENT}
    queryset = Incident.objects.all()
    serializer_class = IncidentDetail


class EventFilter(django_filters.FilterSet):
    subject_type = django_filters.CharFilter()
    subject_id = django_filters.CharFilter()
    verb = django_filters.CharFilter()
    actor = django_filters.CharFilter()
    door = django_filters.CharFilter()
    incident = django_filters.NumberFilter(min_value=0, max_value=2**63 - 1, decimal_places=0)
    after = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="From this instant on.")
    before = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="Before this instant.")


@extend_schema_view(get=extend_schema(tags=["incidents"], operation_id="list_events"))
class Events(Listing):
    """The append-only record of everything that changed, by whom or what, through which door."""

    required = {"GET": VIEW_EVENT}
    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    search_fields = ("subject_id", "verb", "actor", "reason")
