"""The API's views of breakers, pauses, incidents and events parse, call one verb and report."""

from typing import Any, ClassVar

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
from api.filters import EventFilter, IncidentFilter
from api.frame.views import ApiView, Listing
from circuitbreakers import breaker, gate, pauses, probes
from circuitbreakers.confirmations import SecondPersonNeeded
from circuitbreakers.models import Event, Incident
from circuitbreakers.permissions import OPERATE_BREAKER, OPERATE_QUEUE, VIEW_EVENT, VIEW_INCIDENT
from circuitbreakers.services import validate


def report(service: str, action: str, changed: bool, message: str, **more: Any) -> Response:
    """Return the body of `Done`, with whatever else the answer says."""
    return Response({"service": service, "action": action, "changed": changed, "message": message, **more})


def describe(operation: str, request: Any = Reason, **more: Any) -> Any:
    """Return a decorator that describes the `post` of a BreakerVerb in the schema."""
    answer = extend_schema(
        tags=["circuit breakers"], operation_id=operation, request=request, responses={200: Done}, **more
    )
    return extend_schema_view(post=answer)


class BreakerVerb(ApiView):
    """A BreakerVerb acts on the service in the path: `act` returns whether it changed anything, and a sentence."""

    required = {"POST": OPERATE_BREAKER}
    refusals: ClassVar[dict[type[Exception], int]] = {breaker.BreakerRefused: 409, SecondPersonNeeded: 409}
    serializer_class: Any = Reason
    action: ClassVar[str]

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        raise NotImplementedError

    def post(self, request: Request, service: str) -> Response:
        validate(service)
        return report(service, self.action, *self.act(service, self.body()))


@describe(
    "reset_breaker",
    ResetRequest,
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
class Reset(BreakerVerb):
    """Close the breaker of one service. Touches neither queue nor campaigns nor jobs: resume the queue for those."""

    doing = "resetting circuit breaker"
    action = "circuit_breaker_reset"
    serializer_class = ResetRequest

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        changed = breaker.reset(service, actor=self.actor, reason=body["reason"], force=body["force"])
        return changed, f"Circuit breaker reset for {service} - service manually resumed"


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


@describe("hold_breaker", HoldRequest)
class Hold(BreakerVerb):
    """Force the breaker open until it is released: an opening in every respect, so everything is paused."""

    doing = "holding circuit breaker"
    action = "circuit_breaker_hold"
    serializer_class = HoldRequest

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        changed = breaker.hold(service, actor=self.actor, reason=body["reason"], remind_at=body["remind_at"])
        return changed, f"The {service} breaker {'is held open' if changed else 'was held already'}."


@describe("release_breaker")
class Release(BreakerVerb):
    """End a hold. The breaker stays open, to be reset."""

    doing = "releasing circuit breaker"
    action = "circuit_breaker_release"

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        changed = breaker.release(service, actor=self.actor, reason=body["reason"])
        did = "is released and stays open: reset it next" if changed else "was not held"
        return changed, f"The {service} breaker {did}."


@describe("lift_wait")
class LiftWait(BreakerVerb):
    """Ask a service again at once although it asked us to wait (429, Retry-After). What it answers then is on us."""

    refusals = {}
    doing = "lifting wait"
    action = "wait_lift"

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        if until := gate.lift_wait(service, actor=self.actor, reason=body["reason"]):
            return True, f"The wait of {service} until {until:%Y-%m-%d %H:%M:%S} UTC is lifted."
        return False, f"{service} has not asked us to wait."


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


@extend_schema_view(get=extend_schema(tags=["incidents"], operation_id="list_events"))
class Events(Listing):
    """The append-only record of everything that changed, by whom or what, through which door."""

    required = {"GET": VIEW_EVENT}
    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    search_fields = ("subject_id", "verb", "actor", "reason")
