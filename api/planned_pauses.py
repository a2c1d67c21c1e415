"""The API's views of planned pauses list and plan them, and take them back."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Done, PlannedPause, PlannedPauseRequest, Reason
from api.breakers import report
from api.frame.views import ApiView, Listing
from circuitbreakers import planned
from circuitbreakers.models import PlannedPause as PlannedPauseRow
from circuitbreakers.permissions import OPERATE_QUEUE, VIEW_BREAKER


@extend_schema_view(get=extend_schema(tags=["queue"], operation_id="list_planned_pauses"))
class PlannedPauses(Listing):
    """The planned pauses that have not begun, the next one first; POST plans one of a service's queue, or of `all`.

    It begins by itself and never ends by itself: at its planned end it reminds.
    """

    required = {"GET": VIEW_BREAKER, "POST": OPERATE_QUEUE}
    doing = "planning pause"
    serializer_class = PlannedPause

    def get_queryset(self) -> QuerySet[PlannedPauseRow]:
        return planned.ahead()

    @extend_schema(
        tags=["queue"], operation_id="plan_pause", request=PlannedPauseRequest, responses={201: PlannedPause}
    )
    def post(self, request: Request) -> Response:
        serializer = PlannedPauseRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        row = planned.plan(
            body["service"],
            actor=self.actor,
            reason=body["reason"],
            starts_at=body["starts_at"],
            ends_at=body["ends_at"],
        )
        return Response(PlannedPause(row).data, status=201)


class CancelPlanned(ApiView):
    """Take back a planned pause that has not begun."""

    required = {"POST": OPERATE_QUEUE}
    doing = "taking back planned pause"
    serializer_class = Reason

    @extend_schema(tags=["queue"], operation_id="cancel_planned_pause", request=Reason, responses={200: Done})
    def post(self, request: Request, pk: int) -> Response:
        changed = planned.cancel(pk, actor=self.actor, reason=self.body()["reason"])
        did = "is taken back" if changed else "has begun, or was taken back already"
        row = PlannedPauseRow.objects.get(pk=pk)
        return report(row.service, "cancel_planned_pause", changed, f"Planned pause {pk} {did}.")
