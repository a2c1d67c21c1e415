"""The API sums up here what was paid, by day and service, from the ledger."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import BIGGEST
from api.frame.views import ApiView
from campaigns import spend
from campaigns.permissions import VIEW_CALL

DAYS = 30  # without `since`
MOST_DAYS = 366


class Stretch(serializers.Serializer):
    campaign = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST, help_text="Only this one's.")
    since = serializers.DateField(required=False, help_text="First day (UTC); 30 days up to `until` without it.")
    until = serializers.DateField(required=False, help_text="Last day (UTC), included; today without it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until: date = attrs.get("until") or timezone.now().date()
        back = timedelta(days=DAYS - 1)
        since: date = attrs.get("since") or max(until, date.min + back) - back
        if since > until:
            raise ValidationError({"since": ["It is after `until`."]})
        if (until - since).days >= MOST_DAYS:
            raise ValidationError({"since": [f"At most {MOST_DAYS} days at once: ask for a shorter stretch."]})
        return {"campaign": attrs.get("campaign"), "since": since, "until": until}


class Sums(serializers.Serializer):
    calls = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Nobody knows how they ended.")
    may_be_charged = serializers.IntegerField(
        help_text="Sent, and the answer lost: may have been charged beyond what is booked."
    )
    may_cost_usd = serializers.DecimalField(
        max_digits=20, decimal_places=6, help_text="How much more those can have cost at most."
    )
    credits = serializers.DecimalField(max_digits=20, decimal_places=4, help_text="In the service's own unit.")
    tokens_in = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    cost_usd = serializers.DecimalField(max_digits=20, decimal_places=6)


class Day(serializers.Serializer):
    day = serializers.DateField()
    services = serializers.DictField(child=Sums())


class Spent(serializers.Serializer):
    campaign = serializers.IntegerField(allow_null=True)
    since = serializers.DateField()
    until = serializers.DateField()
    services = serializers.DictField(child=Sums(), help_text="Over the whole stretch.")
    avoided_usd = serializers.DecimalField(
        max_digits=20, decimal_places=6, help_text="In all, whatever the days: not paid, for the answer was known."
    )
    days = Day(many=True, help_text="Those that saw a call, oldest first.")


class SpendView(ApiView):
    """What was spent at each service, day by day, as booked; and what may have been charged beyond it."""

    required = {"GET": VIEW_CALL}

    @extend_schema(tags=["lists"], operation_id="spend", parameters=[Stretch], responses={200: Spent})
    def get(self, request: Request) -> Response:
        query = Stretch(data=request.query_params)
        query.is_valid(raise_exception=True)
        stretch = query.validated_data
        days = [
            {"day": day, "services": {name: asdict(sums) for name, sums in spent.items()}}
            for day, spent in spend.by_day(**stretch).items()
        ]
        total = {name: asdict(sums) for name, sums in spend.by_service(**stretch).items()}
        avoided = spend.avoided(stretch["campaign"])
        return Response(Spent({**stretch, "services": total, "avoided_usd": avoided, "days": days}).data)
