"""The API's views of what failed: in groups, with the dry run of each, and its retry or drop."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from api.filters import BIGGEST
from api.frame.pages import Pages
from api.frame.views import ApiView
from campaigns.failures import groups, plans, triage
from campaigns.models import SERVICE_CHOICES
from campaigns.permissions import OPERATE_CAMPAIGN, VIEW_JOB
from circuitbreakers.storable import REASON_LENGTH

MOST_PAGES = 10_000
USD: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}


class OneCampaign(serializers.Serializer):
    campaign = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST, help_text="Only its failures.")


class Narrowed(OneCampaign):
    service = serializers.ChoiceField(choices=SERVICE_CHOICES, required=False)
    page = serializers.IntegerField(default=1, min_value=1, max_value=MOST_PAGES)
    page_size = serializers.IntegerField(default=groups.PAGE, min_value=1, max_value=Pages.max_page_size)


class Foretelling(OneCampaign):
    mended = serializers.BooleanField(
        default=False, help_text="The cause of what the vendor called invalid is mended: retry those as well."
    )


class Example(serializers.Serializer):
    job = serializers.IntegerField()
    kind = serializers.CharField()
    lead = serializers.IntegerField(allow_null=True, help_text="Failed with it; null: the job has none.")
    campaign = serializers.IntegerField()
    campaign_name = serializers.CharField()
    failed_at = serializers.DateTimeField()
    error = serializers.CharField(allow_blank=True)


class FailureGroup(serializers.Serializer):
    """What failed at one service with one failure type in the same words."""

    key = serializers.UUIDField()
    service = serializers.CharField()
    failure_type = serializers.CharField(allow_blank=True)
    words = serializers.CharField(allow_blank=True, help_text="The error without numbers, ids, addresses, quotes.")
    count = serializers.IntegerField()
    first = serializers.DateTimeField()
    last = serializers.DateTimeField()
    cost_usd = serializers.DecimalField(**USD, help_text="Sunk: what the ledger says of all calls of these leads.")
    may_cost_usd = serializers.DecimalField(**USD, help_text="What lost answers can have cost beyond it at most.")
    examples = Example(many=True, help_text="The latest.")


class FailureGroups(serializers.Serializer):
    results = FailureGroup(many=True, help_text="The largest first.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class FailurePlan(serializers.Serializer):
    """What a retry and a drop of a group would do now; nothing has been done."""

    group = FailureGroup()
    campaign = serializers.IntegerField(allow_null=True)
    mended = serializers.BooleanField()
    campaigns = serializers.IntegerField(help_text="In which the failures are.")
    retry = serializers.IntegerField(help_text="Failures that a retry puts back.")
    stay = serializers.DictField(child=serializers.IntegerField(), help_text="Those that it leaves, by reason.")
    drop = serializers.IntegerField(help_text="Failures that a drop ends.")
    keep = serializers.DictField(child=serializers.IntegerField(), help_text="Those that it leaves, by reason.")
    at_most_usd = serializers.DecimalField(max_digits=20, decimal_places=2, help_text="Of the retry, to the end.")
    expected_usd = serializers.DecimalField(
        max_digits=20, decimal_places=2, allow_null=True, help_text="By the latest calls; null: there were none."
    )
    token = serializers.CharField(help_text="Stands for these failures, for an hour: send it with retry or drop.")
    sentence = serializers.CharField()


class PlanToken(serializers.Serializer):
    token = serializers.CharField(max_length=2000, help_text="Of the plan that was looked at.")
    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="Why; it becomes part of the record.")


class FailuresDone(serializers.Serializer):
    action = serializers.CharField()
    jobs = serializers.IntegerField()
    leads = serializers.IntegerField(help_text="That a drop has ended.")
    campaigns = serializers.IntegerField()
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by reason.")


class Failures(ApiView):
    """What failed, in groups of the same service, failure type and words, the largest first."""

    required = {"GET": VIEW_JOB}

    @extend_schema(
        tags=["failures"], operation_id="list_failures", parameters=[Narrowed], responses={200: FailureGroups}
    )
    def get(self, request: Request) -> Response:
        query = Narrowed(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        page = groups.groups(
            service=asked.get("service", ""),
            campaign=asked.get("campaign"),
            page=asked["page"],
            size=asked["page_size"],
        )
        here = request.build_absolute_uri()
        following = replace_query_param(here, "page", page.number + 1) if page.more else None
        before = replace_query_param(here, "page", page.number - 1) if page.number > 1 else None
        return Response(FailureGroups({"results": page.groups, "next": following, "previous": before}).data)


class FailurePlanView(ApiView):
    """One group of failures, and the dry run of its retry and its drop. 404 if nothing fails in this way any more."""

    required = {"GET": VIEW_JOB}
    refusals = {plans.NoSuchGroup: 404}

    @extend_schema(
        tags=["failures"], operation_id="plan_failures", parameters=[Foretelling], responses={200: FailurePlan}
    )
    def get(self, request: Request, key: UUID) -> Response:
        query = Foretelling(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        return Response(FailurePlan(plans.plan(key, campaign=asked.get("campaign"), mended=asked["mended"])).data)


class Act(ApiView):
    """An Act does to a group of failures what a plan has foretold: `act`, under the name `action`."""

    required = {"POST": OPERATE_CAMPAIGN}
    refusals = {plans.FailuresRefused: 409}
    serializer_class = PlanToken
    action: ClassVar[str]
    act: ClassVar["staticmethod[..., triage.Done]"]

    def post(self, request: Request) -> Response:
        body = self.body()
        done = self.act(body["token"], actor=self.actor, reason=body["reason"])
        return Response({"action": self.action, **done.as_dict()})


def describe(operation: str, text: str) -> Callable[[type[Act]], type[Act]]:
    """Return a decorator that describes the `post` of an Act in the schema."""
    example = OpenApiExample(
        "A plan that was looked at", {"token": "eyJrZXki...", "reason": "the vendor is well again"}, request_only=True
    )
    answer = extend_schema(
        tags=["failures"],
        operation_id=operation,
        description=text,
        request=PlanToken,
        responses={200: FailuresDone},
        examples=[example],
    )
    decorated: Callable[[type[Act]], type[Act]] = extend_schema_view(post=answer)
    return decorated


@describe(
    "retry_failures",
    "Put back what a plan has shown, paying only for what was not paid; campaigns that had ended run again. 409 with "
    "the new figures if other failures are there now.",
)
class Retry(Act):
    """Put back what a plan has shown."""

    action = "retry"
    act = staticmethod(triage.retry)


@describe(
    "drop_failures",
    "End what a plan has shown: its leads are DROPPED, its jobs CANCELLED. 409 with the new figures if other failures "
    "are there now.",
)
class Drop(Act):
    """End what a plan has shown."""

    action = "drop"
    act = staticmethod(triage.drop)
