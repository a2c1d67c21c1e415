"""This page shows what was spent, day by day."""

from datetime import timedelta
from decimal import Decimal

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from campaigns import foresight, spend
from campaigns.models import Campaign
from campaigns.permissions import VIEW_CALL
from circuitbreakers.services import SERVICES

SPANS = (7, 30, 90, 365)
NOTHING = spend.Spend()


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show `?days=`, one of SPANS, of `?campaign=`, the id of one; anything else is the last 30 days of all."""
    if not request.user.has_perm(VIEW_CALL):
        raise PermissionDenied
    asked = {str(span): span for span in SPANS}
    span = asked.get(request.GET.get("days", ""), 30)
    number = request.GET.get("campaign", "")
    short = number.isascii() and number.isdigit() and len(number) < 18
    campaign = Campaign.objects.filter(pk=int(number)).first() if short else None
    until = timezone.now().date()
    since = until - timedelta(days=span - 1)
    of = campaign.pk if campaign else None
    days = spend.by_day(campaign=of, since=since, until=until)
    total = spend.by_service(campaign=of, since=since, until=until)
    return TemplateResponse(
        request,
        "console/pages/spend.html",
        {
            **admin.site.each_context(request),
            "title": "Spend",
            "services": SERVICES,
            "days": [(day, _cells(spent), _usd(spent)) for day, spent in reversed(days.items())],
            "total": (list(total.values()), _usd(total)),
            "may_be_charged": sum(sums.may_be_charged for sums in total.values()),
            "may_cost_usd": sum((sums.may_cost_usd for sums in total.values()), Decimal(0)),
            "avoided": spend.avoided(of),
            "prices": foresight.price_age(timezone.now()),
            "campaign": campaign,
            "asked_campaign": number,
            "span": span,
            "spans": SPANS,
        },
    )


def _cells(spent: dict[str, spend.Spend]) -> list[spend.Spend]:
    return [spent.get(service, NOTHING) for service in SERVICES]


def _usd(spent: dict[str, spend.Spend]) -> Decimal:
    return sum((sums.cost_usd for sums in spent.values()), Decimal(0))
