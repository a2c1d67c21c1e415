"""The API's views of budgets show, set and remove them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.frame.views import ApiView
from campaigns import budgets
from circuitbreakers import budget_counters, budget_verbs
from circuitbreakers.budget import DAY, MONTH, TOTAL, BudgetInvalid
from circuitbreakers.models import Budget
from circuitbreakers.permissions import CHANGE_BUDGET, VIEW_BUDGET
from circuitbreakers.storable import REASON_LENGTH

VERSION = "Only if the budget still is this version of it, 0 for none: else 409, and somebody was quicker."


class BudgetName(serializers.Serializer):
    """Which budget."""

    scope = serializers.CharField(max_length=40, help_text="system, service:NAME or campaign:ID")
    period = serializers.ChoiceField(
        choices=[DAY, MONTH, TOTAL], help_text="UTC. system: day, month; service: day; campaign: total, day."
    )


class BudgetRequest(BudgetName):
    """The limits of a scope: in USD, in calls, or in both."""

    limit_usd = serializers.CharField(required=False, allow_null=True, max_length=30, help_text="In whole cents.")
    limit_calls = serializers.CharField(required=False, allow_null=True, max_length=30)
    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="Why; it becomes part of the record.")
    version = serializers.IntegerField(required=False, min_value=0, help_text=VERSION)


class RemoveRequest(BudgetName):
    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="Why; it becomes part of the record.")
    version = serializers.IntegerField(required=False, min_value=0, help_text=VERSION)


class BudgetShown(BudgetName):
    limit_usd = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    limit_calls = serializers.IntegerField(allow_null=True)
    limits = serializers.CharField(help_text="In words.")
    spent_usd = serializers.DecimalField(
        max_digits=18, decimal_places=6, allow_null=True, help_text="With what calls in flight have reserved."
    )
    spent_calls = serializers.IntegerField(allow_null=True)
    spent = serializers.CharField(allow_blank=True, help_text="In words.")
    percent = serializers.IntegerField(allow_null=True, help_text="Of the tighter limit.")
    halt = serializers.CharField(allow_blank=True, help_text="Why its work waits; empty: it does not.")
    version = serializers.IntegerField()
    reason = serializers.CharField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()


class BudgetList(serializers.Serializer):
    budgets = BudgetShown(many=True)


class BudgetSet(BudgetShown):
    message = serializers.CharField()


class BudgetRemoved(BudgetName):
    changed = serializers.BooleanField()
    message = serializers.CharField()


class Budgets(ApiView):
    """All budgets, with what is spent of each and what waits for it; POST sets one."""

    required = {"GET": VIEW_BUDGET, "POST": CHANGE_BUDGET}
    refusals = {budget_verbs.BudgetRefused: 409}
    doing = "reading budgets"
    serializer_class = BudgetRequest

    @extend_schema(tags=["budgets"], operation_id="list_budgets", responses={200: BudgetList})
    def get(self, request: Request) -> Response:
        counters = budget_counters.read()
        rows = [budgets.as_dict(row, counters) for row in Budget.objects.all()]
        return Response(BudgetList({"budgets": rows}).data)

    @extend_schema(
        tags=["budgets"],
        operation_id="set_budget",
        description="Set the limits of a scope anew, in force everywhere within two seconds; work that waited goes on. "
        "A limit below what is spent is taken, and its work waits at once.",
        request=BudgetRequest,
        responses={200: BudgetSet},
        examples=[
            OpenApiExample(
                "Fifty dollars for a campaign",
                {"scope": "campaign:7", "period": "total", "limit_usd": "50", "reason": "as agreed"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.body()
        try:
            row, said = budgets.set_budget(
                body["scope"],
                body["period"],
                usd=body.get("limit_usd"),
                calls=body.get("limit_calls"),
                actor=self.actor,
                reason=body["reason"],
                version=body.get("version"),
            )
        except BudgetInvalid as error:
            raise ValidationError({"budget": [str(error)]}) from None
        return Response(BudgetSet({**budgets.as_dict(row, None), "message": said}).data)


class RemoveBudget(ApiView):
    """Remove a budget: nothing limits the scope for that period any more."""

    required = {"POST": CHANGE_BUDGET}
    refusals = {budget_verbs.BudgetRefused: 409}
    serializer_class = RemoveRequest

    @extend_schema(
        tags=["budgets"], operation_id="remove_budget", request=RemoveRequest, responses={200: BudgetRemoved}
    )
    def post(self, request: Request) -> Response:
        body: dict[str, Any] = self.body()
        scope, period = body["scope"], body["period"]
        removed = budget_verbs.remove(
            scope, period, actor=self.actor, reason=body["reason"], version=body.get("version")
        )
        did = "is removed" if removed else "was not there"
        message = f"The budget of {scope} ({period}) {did}."
        return Response({"scope": scope, "period": period, "changed": removed, "message": message})
