"""The API's views of the way back to full speed after a queue resume: they move a ramp, and try one job before it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breakers import BreakerVerb, describe
from campaigns import ramp_report, try_one
from circuitbreakers import breaker, ramp_verbs, switch
from circuitbreakers.confirmations import SecondPersonNeeded
from circuitbreakers.permissions import OPERATE_QUEUE, VIEW_BREAKER
from circuitbreakers.services import validate
from circuitbreakers.storable import REASON_LENGTH


class RampStatus(serializers.Serializer):
    """How far a service is on its way back to full speed."""

    stage = serializers.ChoiceField(choices=[0, 10, 25, 50], help_text="Per cent of its rate limits; 0: the canary.")
    sentence = serializers.CharField(help_text="What moves it on.")
    started_at = serializers.DateTimeField()
    held_by = serializers.CharField(allow_blank=True)
    hold_reason = serializers.CharField(allow_blank=True)
    calls = serializers.IntegerField(help_text="In the ledger, since it began.")
    spent_usd = serializers.DecimalField(max_digits=20, decimal_places=6)


class RampOf(serializers.Serializer):
    ramp = RampStatus(allow_null=True, help_text="null: at full speed, or paused.")


class RampRequest(serializers.Serializer):
    move = serializers.ChoiceField(choices=list(ramp_verbs.MOVES))
    reason = serializers.CharField(
        max_length=REASON_LENGTH,
        required=False,
        default="",
        allow_blank=True,
        help_text="Needed to hold it, and for all at once.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["move"] in ("hold", "all_at_once") and not attrs["reason"]:
            raise serializers.ValidationError({"reason": ["This needs a reason."]})
        return attrs


class TryOneRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH)


@describe("move_ramp", RampRequest)
class RampView(BreakerVerb):
    """GET: how far a service is on its way back to full speed. POST: hold it at its step, let it go on, put it back by
    one step, or go to full speed at once."""

    required = {"GET": VIEW_BREAKER, "POST": OPERATE_QUEUE}
    refusals = {ramp_verbs.RampRefused: 409, breaker.BreakerRefused: 409, SecondPersonNeeded: 409}
    doing = "moving ramp"
    action = "move_ramp"
    serializer_class = RampRequest

    @extend_schema(tags=["circuit breakers"], operation_id="show_ramp", responses={200: RampOf})
    def get(self, request: Request, service: str) -> Response:
        validate(service)
        reports = {one.service: one.as_dict() for one in ramp_report.read(switch.read_all())}
        return Response({"ramp": reports.get(service)})

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        return ramp_verbs.MOVES[body["move"]](service, actor=self.actor, reason=body["reason"])


@describe("try_one_job", TryOneRequest)
class TryOne(BreakerVerb):
    """Let one real job of a service through while the system is paused and its breaker is closed: the one that failed
    first. What it finds is an event of the incident; its lead goes no further."""

    required = {"POST": OPERATE_QUEUE}
    refusals = {try_one.TryRefused: 409, breaker.BreakerRefused: 409}
    doing = "trying one job"
    action = "try_one"
    serializer_class = TryOneRequest

    def act(self, service: str, body: dict[str, Any]) -> tuple[bool, str]:
        job = try_one.try_one(service, actor=self.actor, reason=body["reason"])
        return True, f"Job {job.pk} ({job.kind}) is let through. What it finds is told by the incident."
