"""The API's views of the two-person rule list what waits for a second person, confirm it, and say no to it."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Reason
from api.frame.views import ApiView, Listing
from campaigns import confirming
from circuitbreakers import confirmations
from circuitbreakers.models import Confirmation
from circuitbreakers.permissions import OPERATE_QUEUE, VIEW_BREAKER


class ConfirmationInfo(serializers.ModelSerializer[Confirmation]):
    class Meta:
        model = Confirmation
        fields = ("id", "act", "service", "options", "shown", "why", "reason", "asked_by", "asked_at", "expires_at")
        read_only_fields = fields


class Answered(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    message = serializers.CharField()


@extend_schema_view(get=extend_schema(tags=["queue"], operation_id="list_confirmations"))
class Confirmations(Listing):
    """What waits for a second person now; empty where the two-person rule is off."""

    required = {"GET": VIEW_BREAKER}
    serializer_class = ConfirmationInfo

    def get_queryset(self) -> QuerySet[Confirmation]:
        return confirmations.waiting()


class Answer(ApiView):
    """An Answer is a second person's yes or no; it also needs the permission for what was asked."""

    required = {"POST": OPERATE_QUEUE}
    refusals: ClassVar[dict[type[Exception], int]] = {confirmations.ConfirmationRefused: 409}
    serializer_class: Any = Reason

    def row(self, pk: int) -> Confirmation:
        row = get_object_or_404(Confirmation, pk=pk)
        if not self.request.user.has_perm(confirmations.PERMISSION[row.act]):
            raise PermissionDenied
        return row


class Confirm(Answer):
    """Confirm what somebody else asked for: it is done at once, if it still is what both of you saw."""

    doing = "confirming"

    @extend_schema(tags=["queue"], operation_id="confirm", request=None, responses={200: Answered})
    def post(self, request: Request, pk: int) -> Response:
        message = confirming.confirm(self.row(pk), actor=self.actor)
        return Response({"id": pk, "action": "confirm", "message": message})


class Decline(Answer):
    """Say no to it, or take back one's own."""

    doing = "declining"

    @extend_schema(tags=["queue"], operation_id="decline_confirmation", request=Reason, responses={200: Answered})
    def post(self, request: Request, pk: int) -> Response:
        confirmations.decline(self.row(pk), actor=self.actor, reason=self.body()["reason"])
        return Response({"id": pk, "action": "decline", "message": f"Number {pk} is taken back. Nothing was done."})
