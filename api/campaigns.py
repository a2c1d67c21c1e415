"""The API's views of campaigns list, create and show them, and call the verbs of their lives."""

import io
from typing import Any, BinaryIO, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api import idempotency
from api.breaker_serializers import Reason
from api.campaign_serializers import (
    CampaignSerializer,
    CampaignSummary,
    Created,
    Imported,
    LeadSerializer,
    Moved,
    Retried,
)
from api.filters import CampaignFilter, LeadFilter
from api.frame.parsing import LimitedMultiPartParser, StrictJSONParser
from api.frame.views import ApiView, Listing
from api.requests import CampaignForm, CampaignJson, LeadsUpload
from campaigns import lifecycle, moves, targets
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.foretell import foretell_csv
from campaigns.leads.importing import CampaignEnded, ImportReport, import_csv
from campaigns.leads.source import Reading
from campaigns.models import Campaign, Lead
from campaigns.permissions import ADD_CAMPAIGN, CHANGE_CAMPAIGN, OPERATE_CAMPAIGN, VIEW_CAMPAIGN, VIEW_LEAD

KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="At most 200 characters. The same key and body again return the first campaign, another body 409.",
)


@extend_schema_view(get=extend_schema(tags=["campaigns"], operation_id="list_campaigns"))
class Campaigns(Listing):
    """Campaigns, newest first; POST makes one."""

    required = {"GET": VIEW_CAMPAIGN, "POST": ADD_CAMPAIGN}
    refusals = {idempotency.KeyReused: 409}
    doing = "creating campaign"
    queryset = Campaign.objects.all()
    serializer_class = CampaignSummary
    filterset_class = CampaignFilter
    search_fields = ("name", "status_message")
    ordering_fields = ("id", "name", "created_at")
    parser_classes = (StrictJSONParser, LimitedMultiPartParser)

    @extend_schema(
        tags=["campaigns"],
        operation_id="create_campaign",
        description="A new campaign from a CSV (a file of a multipart form, or text in JSON), from an Apollo people "
        "search, or empty. A file that is refused leaves no campaign behind.",
        parameters=[KEY],
        request={"application/json": CampaignJson, "multipart/form-data": CampaignForm},
        responses={
            201: Created,
            200: OpenApiResponse(Created, description="Made before, with the same Idempotency-Key and body."),
        },
        examples=[
            OpenApiExample(
                "From an Apollo search",
                {"name": "CTOs", "max_leads": 50, "apollo_url": "https://app.apollo.io/#/people?personTitles[]=cto"},
                request_only=True,
                media_type="application/json",
            )
        ],
    )
    def post(self, request: Request) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > 200 or not key.isprintable():
            raise ValidationError({"Idempotency-Key": ["At most 200 printable characters."]})
        kind = CampaignForm if request.content_type.startswith("multipart/") else CampaignJson
        serializer = kind(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        upload = fields.pop("csv", None)
        reading = Reading(encoding=fields.pop("encoding", None), delimiter=fields.pop("delimiter", None))
        stream: BinaryIO | None = io.BytesIO(upload.encode()) if isinstance(upload, str) else upload
        search = serializer.search
        url = fields.pop("apollo_url")
        if search:
            fields |= {"search": search.params, "search_url": url}
        owned = idempotency.owner(request.user.get_username(), key) if key else ""
        report: ImportReport | None = None
        # One transaction: a file that is refused leaves nothing behind, and a repetition waits for the first one's end.
        with transaction.atomic():
            if owned:
                body = idempotency.fingerprint({**fields, **reading}, stream)
                if before := idempotency.first(owned, body):
                    return Response(created(before, [], None), headers={"Idempotent-Replayed": "true"})
                fields["idempotency_key"] = f"{owned}:{body}"
            campaign = lifecycle.create(actor=self.actor, **fields)
            if stream is not None:
                report = import_upload(campaign, stream, self, reading)
        messages = search.messages if search else []
        return Response(created(campaign, messages, report), status=status.HTTP_201_CREATED)


def created(campaign: Campaign, messages: list[str], report: ImportReport | None) -> dict[str, Any]:
    return {
        **CampaignSerializer(campaign).data,
        "messages": messages,
        "leads_imported": report.as_dict() if report else None,
    }


def import_upload(
    campaign: Campaign, stream: BinaryIO, view: ApiView, reading: Reading, *, dry_run: bool = False
) -> ImportReport:
    """Import an upload, or only foretell it; what is wrong with the file is an error of the field `csv`. Raises
    CampaignEnded."""
    try:
        if dry_run:
            return foretell_csv(campaign, stream, **reading)
        return import_csv(campaign, stream, actor=view.actor, **reading)
    except CampaignEnded:
        raise
    except ImportRefused as error:
        raise ValidationError({"csv": [str(error)]}) from None


@extend_schema_view(get=extend_schema(tags=["campaigns"], operation_id="show_campaign"))
class CampaignView(RetrieveAPIView, ApiView):
    """One campaign."""

    required = {"GET": VIEW_CAMPAIGN}
    queryset = Campaign.objects.all()
    serializer_class = CampaignSerializer


class Verb(ApiView):
    """A Verb calls a function of campaigns/lifecycle.py on the campaign that the path names."""

    required = {"POST": OPERATE_CAMPAIGN}
    refusals = {moves.MoveRefused: 409}
    serializer_class: Any = Reason


class Move(Verb):
    """A Move takes a campaign to another status: `act` does it and returns the campaign."""

    action: ClassVar[str]
    act: ClassVar["staticmethod[..., Campaign]"]

    def post(self, request: Request, pk: int) -> Response:
        campaign = self.act(pk, actor=self.actor, reason=self.body()["reason"])
        return Response(
            {
                "id": campaign.pk,
                "action": self.action,
                "status": campaign.status,
                "status_message": campaign.status_message,
            }
        )


def describe(operation: str) -> Any:
    """Return a decorator that describes the `post` of a Move in the schema."""
    answer = extend_schema(tags=["campaigns"], operation_id=operation, request=Reason, responses={200: Moved})
    return extend_schema_view(post=answer)


@describe("pause_campaign")
class Pause(Move):
    """An operator's pause of one campaign; it survives a queue resume."""

    doing = "pausing campaign"
    action = "pause"
    act = staticmethod(lifecycle.pause)


@describe("resume_campaign")
class Resume(Move):
    """Lift an operator's pause of one campaign. What the system paused, only the queue resume brings back."""

    doing = "resuming campaign"
    action = "resume"
    act = staticmethod(lifecycle.resume)


@describe("cancel_campaign")
class Cancel(Move):
    """End a campaign for good; a call in flight finishes and is booked."""

    doing = "cancelling campaign"
    action = "cancel"
    act = staticmethod(lifecycle.cancel)


@describe("check_campaign_target")
class CheckTarget(Move):
    """Ask Instantly at once whether it sends for this campaign; nothing else changes. The answer comes some seconds
    later, in `target_halt` and `target_checked_at`."""

    doing = "checking target"
    action = "check_target"
    act = staticmethod(targets.check)


class RetryRequest(Reason):
    refused = serializers.BooleanField(
        default=False, help_text="What the vendor called invalid as well, when its cause is mended."
    )


class RetryFailed(Verb):
    """Put back what FAILED through a vendor's fault, paying only for what was not paid."""

    doing = "retrying campaign"
    serializer_class = RetryRequest

    @extend_schema(tags=["campaigns"], operation_id="retry_failed", request=RetryRequest, responses={200: Retried})
    def post(self, request: Request, pk: int) -> Response:
        body = self.body()
        count = lifecycle.retry_failed(pk, actor=self.actor, reason=body["reason"], refused=body["refused"])
        return Response({"id": pk, "action": "retry_failed", "jobs": count})


@extend_schema_view(get=extend_schema(tags=["campaigns"], operation_id="list_campaign_leads"))
class CampaignLeads(Listing):
    """The leads of one campaign, newest first; POST imports a CSV."""

    required = {"GET": VIEW_LEAD, "POST": CHANGE_CAMPAIGN}
    refusals = {CampaignEnded: 409}
    doing = "importing leads"
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    filterset_class = LeadFilter
    search_fields = ("email", "first_name", "last_name", "company")
    parser_classes = (LimitedMultiPartParser,)

    def get_queryset(self) -> QuerySet[Lead]:
        if "pk" not in self.kwargs:  # while the schema is made
            return Lead.objects.none()
        return get_object_or_404(Campaign, pk=self.kwargs["pk"]).leads.all()

    @extend_schema(
        tags=["campaigns"],
        operation_id="import_leads",
        request={"multipart/form-data": LeadsUpload},
        responses={200: Imported},
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = get_object_or_404(Campaign, pk=pk)
        serializer = LeadsUpload(data=request.data)
        serializer.is_valid(raise_exception=True)
        if not serializer.validated_data.get("csv"):
            raise ValidationError({"csv": ["No file was sent."]})
        sent = serializer.validated_data
        reading = Reading(encoding=sent.get("encoding"), delimiter=sent.get("delimiter"))
        dry_run = sent["dry_run"]
        report = import_upload(campaign, sent["csv"], self, reading, dry_run=dry_run)
        return Response({"campaign": pk, "dry_run": dry_run, "report": report.as_dict()})
