"""The API's view of a campaign's contact policy: whom it may write to although others do."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.campaign_serializers import PolicySet
from api.campaigns import Verb
from api.requests import PolicyRequest
from campaigns.contacts.departing import depart
from campaigns.contacts.policy import policy_of


class ContactPolicyView(Verb):
    """Let a campaign depart from the installation's contact policy in the points given only; with none, go back to
    it."""

    doing = "setting the contact policy of campaign"
    serializer_class = PolicyRequest

    @extend_schema(
        tags=["campaigns"], operation_id="set_contact_policy", request=PolicyRequest, responses={200: PolicySet}
    )
    def post(self, request: Request, pk: int) -> Response:
        departures = dict(self.body())
        reason = departures.pop("reason")
        campaign = depart(pk, departures=departures, actor=self.actor, reason=reason)
        return Response(
            {
                "id": pk,
                "action": "contact_policy",
                "departures": campaign.contact_policy or {},
                "contact_policy": policy_of(campaign.contact_policy).as_dict(),
            }
        )
