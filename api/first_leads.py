"""The API's views start a campaign, maybe with its first leads only, take more of them, and have it go on after."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Reason
from api.campaign_serializers import Moved
from api.campaigns import Verb
from campaigns import first_leads, lifecycle, rewrite
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


class ExtendRequest(Reason):
    more = serializers.IntegerField(
        min_value=1, max_value=first_leads.MOST, help_text="So many leads more before it holds again."
    )


class Rewritten(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    action = serializers.CharField()
    mails = serializers.IntegerField(help_text="How many are written, and paid for, again; 0: none was written yet.")


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


class Extend(Verb):
    """Take some more leads in before it holds again. Nothing is pushed."""

    doing = "taking more first leads"
    serializer_class = ExtendRequest

    @extend_schema(tags=["campaigns"], operation_id="extend_campaign", request=ExtendRequest, responses={200: Begun})
    def post(self, request: Request, pk: int) -> Response:
        body = self.body()
        campaign = first_leads.extend(pk, body["more"], actor=self.actor, reason=body["reason"])
        return Response(begun("extend", campaign))


class Rewrite(Verb):
    """Have the first leads' mails that are written, and not pushed, written again. Each is paid for again."""

    doing = "having mails written again"

    @extend_schema(tags=["campaigns"], operation_id="rewrite_campaign", request=Reason, responses={200: Rewritten})
    def post(self, request: Request, pk: int) -> Response:
        mails = rewrite.rewrite(pk, actor=self.actor, reason=self.body()["reason"])
        return Response({"id": pk, "action": "rewrite", "mails": mails})


def begun(action: str, campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "action": action,
        "status": campaign.status,
        "status_message": campaign.status_message,
        "first_leads_hold": first_leads.hold_of(campaign),
        "warnings": warnings_of(campaign, campaign.first_leads),
    }
