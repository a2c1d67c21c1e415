"""The API's views start a campaign, maybe with its first leads only, and have it go on after these."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Reason
from api.campaign_serializers import Moved
from api.campaigns import Verb
from campaigns import first_leads, lifecycle
from campaigns.models import Campaign
from campaigns.moves import warnings_of


class StartRequest(Reason):
    first = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=first_leads.MOST,
        help_text="Hold after the first so many leads, so that their mails can be read; null: all of them.",
    )


class Begun(Moved):
    """Leads are being worked on now."""

    first_leads_hold = serializers.CharField(
        allow_blank=True, help_text="That it holds after its first leads, and how far these are; '': it does not."
    )
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What will not last for all of its leads; they refuse nothing."
    )


class Start(Verb):
    """CREATED -> RUNNING. Needs an ACTIVE queue."""

    doing = "starting campaign"
    serializer_class = StartRequest

    @extend_schema(tags=["campaigns"], operation_id="start_campaign", request=StartRequest, responses={200: Begun})
    def post(self, request: Request, pk: int) -> Response:
        body = self.body()
        details = {"actor": self.actor, "reason": body["reason"], "first": body.get("first")}
        return Response(begun("start", lifecycle.start(pk, **details)))


class GoOn(Verb):
    """Go on with all leads after the first ones. What is written is pushed."""

    doing = "going on"

    @extend_schema(tags=["campaigns"], operation_id="go_on_campaign", request=Reason, responses={200: Begun})
    def post(self, request: Request, pk: int) -> Response:
        return Response(begun("go_on", first_leads.go_on(pk, actor=self.actor, reason=self.body()["reason"])))


def begun(action: str, campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "action": action,
        "status": campaign.status,
        "status_message": campaign.status_message,
        "first_leads_hold": first_leads.hold_of(campaign),
        "warnings": warnings_of(campaign, campaign.first_leads),
    }
