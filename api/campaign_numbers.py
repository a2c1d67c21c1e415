"""The API says here, in numbers, how far a campaign is and how far its people got."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api.campaign_serializers import EstimateNumbers, FunnelNumbers, Progress
from api.frame.views import ApiView
from campaigns import estimate, funnel, tallies
from campaigns.models import Campaign
from campaigns.permissions import VIEW_CAMPAIGN


class ProgressView(ApiView):
    """How far one campaign is now."""

    required = {"GET": VIEW_CAMPAIGN}
    serializer_class = Progress

    @extend_schema(tags=["campaigns"], operation_id="campaign_progress", responses={200: Progress})
    def get(self, request: Request, pk: int) -> Response:
        campaign = get_object_or_404(Campaign, pk=pk)
        return Response(
            {
                "id": pk,
                "status": campaign.status,
                "status_message": campaign.status_message,
                **asdict(tallies.progress([pk])[pk]),
            }
        )


class EstimateView(ApiView):
    """What is still to be spent on one campaign: at most, and about, at the yields of the last 30 days."""

    required = {"GET": VIEW_CAMPAIGN}
    serializer_class = EstimateNumbers

    @extend_schema(tags=["campaigns"], operation_id="campaign_estimate", responses={200: EstimateNumbers})
    def get(self, request: Request, pk: int) -> Response:
        campaign = get_object_or_404(Campaign, pk=pk)
        return Response(EstimateNumbers(estimate.of_campaign(campaign).as_dict()).data)


class FunnelView(ApiView):
    """How many of one campaign's people got how far, from found to replied, and what a push and a reply cost."""

    required = {"GET": VIEW_CAMPAIGN}
    serializer_class = FunnelNumbers

    @extend_schema(tags=["campaigns"], operation_id="campaign_funnel", responses={200: FunnelNumbers})
    def get(self, request: Request, pk: int) -> Response:
        get_object_or_404(Campaign.objects.only("pk"), pk=pk)
        return Response(FunnelNumbers(funnel.of_campaign(pk)).data)
