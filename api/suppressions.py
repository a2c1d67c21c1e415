"""The API's views of the suppression list show it, put values on it, look them up and take them off."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import SuppressionFilter
from api.frame.views import ApiView, Listing
from campaigns.leads import suppression
from campaigns.models import Suppression
from campaigns.permissions import ADD_SUPPRESSION, DELETE_SUPPRESSION, VIEW_SUPPRESSION
from circuitbreakers.storable import REASON_LENGTH, length_of

MOST = 1000  # values of one request
LONGEST = 1000  # characters of a value: what is longer is an address in no notation


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    final = serializers.BooleanField(read_only=True, help_text="The person's own wish: nobody can lift it.")

    class Meta:
        model = Suppression
        fields = ("id", "value", "cause", "reason", "source", "created_by", "created_at", "blocked_at", "final")
        read_only_fields = fields


class Text(serializers.CharField):
    """Takes text only: a number is no address."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Values(serializers.Serializer):
    """Addresses and domains, in any notation."""

    values = serializers.ListField(
        child=Text(max_length=LONGEST, allow_blank=True, trim_whitespace=False),
        min_length=1,
        max_length=MOST,
        help_text="Addresses, or domains such as acme.example, which hold for all below them.",
    )


class SuppressRequest(Values):
    reason = serializers.CharField(
        max_length=length_of(Suppression, "reason"), required=False, default="", allow_blank=True
    )
    cause = serializers.ChoiceField(
        choices=[(str(cause), cause.label) for cause in Suppression.GIVEN],
        default="operator",
        help_text="A person's own wish (unsubscribed, not_interested) stays for good.",
    )


class LiftRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="Why; it becomes part of the record.")


class RefusedValue(serializers.Serializer):
    value = serializers.CharField()
    reason = serializers.CharField()


class Listed(serializers.Serializer):
    """What was done with the values."""

    added = serializers.IntegerField()
    already = serializers.IntegerField(help_text="Were on the list, or twice in the request.")
    raised = serializers.IntegerField(help_text="Those that were listed, and have a stronger cause from now on.")
    leads = serializers.IntegerField(help_text="Open leads that ended.")
    refused = RefusedValue(many=True)


class CheckedValue(serializers.Serializer):
    value = serializers.CharField(help_text="Normalised, if it is an address or a domain.")
    suppressed = serializers.BooleanField()
    id = serializers.IntegerField(allow_null=True, help_text="Of the row that stands in the way.")
    by = serializers.CharField(allow_null=True, help_text="Its value: the address, its domain or a domain above.")
    cause = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)


class Checks(serializers.Serializer):
    checked = CheckedValue(many=True)


class LiftedSuppression(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    value = serializers.CharField()


@extend_schema_view(get=extend_schema(tags=["suppressions"], operation_id="list_suppressions"))
class Suppressions(Listing):
    """The addresses and domains that nobody writes to, newest first; POST puts more on the list."""

    required = {"GET": VIEW_SUPPRESSION, "POST": ADD_SUPPRESSION}
    queryset = Suppression.objects.all()
    serializer_class = SuppressionSerializer
    filterset_class = SuppressionFilter
    search_fields = ("value", "reason")
    ordering_fields = ("id", "value", "created_at")

    @extend_schema(
        tags=["suppressions"],
        operation_id="suppress",
        description="Put addresses and domains on the list; harmless to repeat. Their open leads end at once, and "
        "nothing more is bought for them. What cannot be taken is named in `refused`; 400 if that is all of them.",
        request=SuppressRequest,
        responses={200: Listed},
        examples=[
            OpenApiExample(
                "An address and a domain",
                {"values": ["ida@acme.example", "birch.example"], "reason": "a customer"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        serializer = SuppressRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        result = suppression.suppress(
            body["values"], body["reason"], self.actor, cause=Suppression.Cause(body["cause"])
        )
        if len(result.refused) == len(body["values"]):
            refused = zip(result.refused, result.reasons, strict=True)
            raise ValidationError({"values": [f"{value[:100]}: {why}" for value, why in refused]})
        return Response(result.as_dict())


class CheckSuppressions(ApiView):
    """Whether anybody writes to these addresses."""

    required = {"POST": VIEW_SUPPRESSION}
    serializer_class = Values

    @extend_schema(
        tags=["suppressions"],
        operation_id="check_suppressions",
        description="Say of each address or domain whether it is on the list, and by which row. Changes nothing; a "
        "POST, so that no address stands in a log of URLs.",
        request=Values,
        responses={200: Checks},
    )
    def post(self, request: Request) -> Response:
        checked: list[dict[str, Any]] = [one.as_dict() for one in suppression.check(self.body()["values"])]
        return Response({"checked": checked})


class Lift(ApiView):
    """Take a value off the list, with a reason. One that is there by the person's own wish stays: 409."""

    required = {"POST": DELETE_SUPPRESSION}
    refusals = {suppression.LiftRefused: 409}
    serializer_class = LiftRequest
    queryset = Suppression.objects.all()

    @extend_schema(
        tags=["suppressions"], operation_id="lift_suppression", request=LiftRequest, responses={200: LiftedSuppression}
    )
    def post(self, request: Request, pk: int) -> Response:
        body = self.body()
        row = get_object_or_404(Suppression, pk=pk)
        suppression.lift(row, actor=self.actor, reason=body["reason"])
        return Response({"id": pk, "action": "lift", "value": row.value})
