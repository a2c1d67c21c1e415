"""The API's views of how fast each service is called: they show it, set it by hand, slow it and bring it back."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import LimitsRequest, LimitsSet, ServiceLimits, SlowRequest
from api.breakers import BreakerVerb, describe, report
from api.frame.views import ApiView
from circuitbreakers import limits, limits_report
from circuitbreakers.permissions import CHANGE_BREAKER, VIEW_BREAKER
from circuitbreakers.services import validate


def limits_of(service: str) -> dict[str, Any]:
    """Return the limits of one service, read anew."""
    return limits_report.read([service])[service].as_dict()


class Limits(ApiView):
    """GET: how fast a service may be called, and who set that, when and why. POST: set it by hand, in force in every
    process within seconds."""

    required = {"GET": VIEW_BREAKER, "POST": CHANGE_BREAKER}
    refusals = {limits.EditedMeanwhile: 409}
    serializer_class = LimitsRequest

    @extend_schema(tags=["circuit breakers"], operation_id="show_limits", responses={200: ServiceLimits})
    def get(self, request: Request, service: str) -> Response:
        return Response(limits_of(validate(service)))

    @extend_schema(
        tags=["circuit breakers"],
        operation_id="set_limits",
        request=LimitsRequest,
        responses={200: LimitsSet},
        examples=[
            OpenApiExample(
                "Slower than the environment says",
                {"rate_limits": "100/60,3000/3600", "version": 1, "reason": "Their support asked for it"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, service: str) -> Response:
        validate(service)
        body = self.body()
        changed = limits.change(
            service,
            {name: body[name] for name in limits.KNOBS if name in body},
            actor=self.actor,
            reason=body["reason"],
            version=body["version"],
            above_published=body["above_published"],
        )
        did = "are set" if changed else "were so already"
        message = f"The limits of {service} {did}."
        return report(service, "set_limits", bool(changed), message, limits=limits_of(service))


@describe("slow_service", SlowRequest)
class Slow(BreakerVerb):
    """Slow a service to a share of all its rate limits, until it is brought back to full speed."""

    doing = "slowing service"
    action = "slow"
    serializer_class = SlowRequest

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        changed = limits.slow(service, actor=self.actor, reason=body["reason"], percent=body["percent"])
        did = "is slowed" if changed else "was slowed already"
        return changed, f"{service} {did} to {body['percent']} % of its rate limits."


@describe("full_speed")
class FullSpeed(BreakerVerb):
    """Bring a service that was slowed back to its full rate limits."""

    doing = "bringing service to full speed"
    action = "full_speed"

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        changed = limits.full_speed(service, actor=self.actor, reason=body["reason"])
        return changed, f"{service} {'is back' if changed else 'was'} at its full rate limits."
