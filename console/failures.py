"""What failed is triaged here: in groups, each with its dry run, its retry and its drop."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from campaigns.failures import groups, plans, triage
from campaigns.failures.exporting import group_csv
from campaigns.models import Campaign
from campaigns.permissions import OPERATE_CAMPAIGN, VIEW_JOB, VIEW_LEAD
from circuitbreakers.services import SERVICES
from console import plan, shared_snapshot
from console.labels import plural
from console.orders import REFUSALS, order_of, why

LAST_PAGE = 10_000


@dataclass(frozen=True)
class FailureVerb:
    """A FailureVerb is a button on a group's page: `run` acts on what the plan's token stands for."""

    label: str
    run: Callable[..., triage.Done]
    question: str
    done: str
    danger: bool = False


VERBS = {
    "retry": FailureVerb(
        "Retry",
        triage.retry,
        "They are put back with all their attempts, and only what was not paid is paid. Campaigns that had ended run "
        "again.",
        "put back",
    ),
    "drop": FailureVerb(
        "Drop",
        triage.drop,
        "Their leads end as dropped, for good: nothing brings them back but an import. Nothing is deleted, and the "
        "vendor's words stay at the job.",
        "dropped",
        danger=True,
    ),
}


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the groups of `?service=`, of `?campaign=`, the id of one, or of all; the largest first, by `?page=`."""
    _require(request, VIEW_JOB)
    service = request.GET.get("service", "")
    service = service if service in SERVICES else ""
    campaign, asked = _campaign(request)
    shown = groups.groups(
        service=service, campaign=campaign.pk if campaign else None, page=_number(request, "page", LAST_PAGE) or 1
    )
    return TemplateResponse(
        request,
        "console/pages/failures.html",
        {
            **admin.site.each_context(request),
            "title": "Failures",
            "shown": shown,
            "services": SERVICES,
            "service": service,
            "campaign": campaign,
            "asked_campaign": asked,
            "of_campaign": f"?campaign={campaign.pk}" if campaign else "",
            "narrowed": urlencode({"service": service, "campaign": campaign.pk if campaign else ""}),
        },
    )


@require_GET
def one(request: HttpRequest, key: UUID) -> HttpResponse:
    """Show a group, or one campaign's part of it, with its dry run; `?mended=1` retries what was called invalid."""
    _require(request, VIEW_JOB)
    campaign, _ = _campaign(request)
    try:
        foretold = plans.plan(key, campaign=campaign.pk if campaign else None, mended=request.GET.get("mended") == "1")
    except plans.NoSuchGroup as gone:
        messages.info(request, str(gone))
        return redirect("console:failures")
    return TemplateResponse(
        request,
        "console/pages/failure_group.html",
        {
            **admin.site.each_context(request),
            "title": "One kind of failure",
            "plan": foretold,
            "campaign": campaign,
            "of_campaign": f"?campaign={campaign.pk}" if campaign else "",
            "refused": foretold.mended or plans.REFUSED in foretold.stay,
            "may_operate": request.user.has_perm(OPERATE_CAMPAIGN),
            "may_see_leads": request.user.has_perm(VIEW_LEAD),
        },
    )


@require_GET
def leads(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """Stream the leads of a group as CSV."""
    _require(request, VIEW_LEAD)
    campaign, _ = _campaign(request)
    rows = group_csv(key, campaign.pk if campaign else None)
    answer = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="failures-{key}.csv"'
    return answer


@require_POST
def act(request: HttpRequest, verb: str) -> HttpResponse:
    """Ask first, with the figures once more; retry or drop what was shown once that is `confirmed`."""
    _require(request, OPERATE_CAMPAIGN)
    wanted, token = VERBS[verb], request.POST.get("token", "")
    back = reverse("console:failures")
    try:
        order = order_of(request, reason_required=True)
        shown = plans.require_current(token)
        back = _page_of(shown)
        if not request.POST.get("confirmed"):
            context = {
                **admin.site.each_context(request),
                "title": wanted.label,
                "name": f"console:failures_{verb}",
                "verb": wanted,
                "plan": plans.plan(shown.key, campaign=shown.campaign, mended=shown.mended),
                "token": token,
                "reason": order.reason,
                "back": back,
            }
            return TemplateResponse(request, "console/pages/confirm_failures.html", context)
        done = wanted.run(token, actor=order.actor, reason=order.reason)
    except REFUSALS as refusal:
        messages.error(request, f"Refused: {why(refusal)}")
        return redirect(_page_of_token(token) or back)
    shared_snapshot.forget()
    plan.forget()
    number, where = plural(done.jobs, "failure"), plural(done.campaigns, "campaign")
    if done.jobs:
        messages.success(request, f"{number} {wanted.done}, in {where}.")
    if done.skipped:
        messages.warning(request, done.left_out)
    return redirect("console:failures")


def _page_of(shown: plans.Shown) -> str:
    asked = {"campaign": shown.campaign or "", "mended": "1" if shown.mended else ""}
    query = urlencode({name: value for name, value in asked.items() if value})
    return reverse("console:failure_group", args=[shown.key]) + (f"?{query}" if query else "")


def _page_of_token(token: str) -> str:
    """Return the page whose figures are new, for a plan that is old; '' for what is no plan's token."""
    shown = plans.shown_by(token)
    return _page_of(shown) if shown else ""


def _campaign(request: HttpRequest) -> tuple[Campaign | None, str]:
    """Return the campaign whose id is asked for, if there is one, and what was asked."""
    number = _number(request, "campaign", 10**17)
    return Campaign.objects.filter(pk=number).first() if number else None, request.GET.get("campaign", "")


def _number(request: HttpRequest, name: str, most: int) -> int | None:
    text = request.GET.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
