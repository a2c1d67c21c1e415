"""The API's views of mails that wait to be read: list, approve, reject, edit, and choose which are to be read."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Reason
from api.campaign_serializers import LeadSerializer
from api.campaigns import Verb
from api.filters import WaitingFilter
from api.frame.views import Listing
from campaigns import claims, prompts, review
from campaigns.models import Campaign, Lead
from campaigns.permissions import VIEW_LEAD


class WaitingMail(LeadSerializer):
    """A lead whose mail waits to be read."""

    claims = serializers.SerializerMethodField(
        help_text="Numbers, dates and names of the mail that stand in neither record, research nor prompt."
    )
    mail_as_written = serializers.JSONField(read_only=True, help_text="Before somebody edited it; null: nobody has.")

    def get_claims(self, row: Lead) -> list[str]:
        return claims.without_source(row, prompts.template_of(row.campaign, "mail"))

    class Meta:
        model = Lead
        fields = (*LeadSerializer.Meta.fields, "claims", "mail_as_written")
        read_only_fields = fields


class MailsRequest(Reason):
    leads = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), allow_empty=False, max_length=review.MOST
    )


class ApproveRequest(Reason):
    leads = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        allow_empty=False,
        max_length=review.MOST,
        help_text="Those that somebody has read.",
    )
    campaign = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        help_text="Instead of `leads`: all that wait in this campaign, unread. Needs a reason.",
    )

    def validate(self, attrs: Any) -> Any:
        if ("leads" in attrs) == ("campaign" in attrs):
            raise serializers.ValidationError("Name either `leads` or a `campaign`.")
        return attrs


class EditRequest(Reason):
    subject = serializers.CharField(max_length=300)
    body = serializers.CharField(max_length=20_000, trim_whitespace=False)


class ReviewRequest(Reason):
    review = serializers.ChoiceField(Campaign.Review.choices)


class ReviewedMails(serializers.Serializer[review.Reviewed]):
    done = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="They waited no more: read by somebody else, or their lead had ended.")


class ReviewChosen(serializers.Serializer[Campaign]):
    id = serializers.IntegerField()
    review = serializers.ChoiceField(Campaign.Review.choices)


@extend_schema_view(get=extend_schema(tags=["campaigns"], operation_id="list_waiting_mails"))
class WaitingMails(Listing):
    """Mails that wait to be read, the oldest first."""

    required = {"GET": VIEW_LEAD}
    queryset = Lead.objects.none()
    serializer_class = WaitingMail
    filterset_class = WaitingFilter
    ordering = ("id",)

    def get_queryset(self) -> Any:
        return review.waiting()


class ApproveMails(Verb):
    """Have mails pushed as they are now. Also while everything is paused: nothing moves before the resume."""

    doing = "approving mails"
    serializer_class = ApproveRequest

    @extend_schema(
        tags=["campaigns"], operation_id="approve_mails", request=ApproveRequest, responses={200: ReviewedMails}
    )
    def post(self, request: Request) -> Response:
        body = self.body()
        details = {"actor": self.actor, "reason": body["reason"]}
        if "campaign" in body:
            return Response(vars(review.approve_all(body["campaign"], **details)))
        return Response(vars(review.approve(body["leads"], **details)))


class RejectMails(Verb):
    """Drop the leads of these mails: they are never sent."""

    doing = "rejecting mails"
    serializer_class = MailsRequest

    @extend_schema(
        tags=["campaigns"], operation_id="reject_mails", request=MailsRequest, responses={200: ReviewedMails}
    )
    def post(self, request: Request) -> Response:
        body = self.body()
        return Response(vars(review.reject(body["leads"], actor=self.actor, reason=body["reason"])))


class EditMail(Verb):
    """Write a waiting mail anew, by hand; it waits on. It is checked as a written one is."""

    doing = "editing a mail"
    serializer_class = EditRequest

    @extend_schema(tags=["campaigns"], operation_id="edit_mail", request=EditRequest, responses={200: WaitingMail})
    def post(self, request: Request, pk: int) -> Response:
        body = self.body()
        lead = review.edit(pk, actor=self.actor, **body)
        return Response(WaitingMail(lead).data)


class ChooseReview(Verb):
    """Choose which mails of a campaign somebody must read before they are pushed. Those that wait already wait on."""

    doing = "choosing which mails are read"
    serializer_class = ReviewRequest

    @extend_schema(
        tags=["campaigns"], operation_id="choose_review", request=ReviewRequest, responses={200: ReviewChosen}
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = review.choose(pk, actor=self.actor, **self.body())
        return Response({"id": campaign.pk, "review": campaign.review})
