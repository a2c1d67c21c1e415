"""Every page asks one path each second for the sentence on top and for its own live parts."""

import hashlib
import re
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from campaigns.models import Campaign
from campaigns.permissions import VIEW_CAMPAIGN, VIEW_LEAD
from circuitbreakers.permissions import VIEW_BREAKER
from console import plan, shared_snapshot
from console.guided_pages import sample_of
from console.steps import steps

# What may change every second without being news: the script keeps relative times true by itself.
TIMES = re.compile(r"<time[^>]*data-relative[^>]*>[^<]*</time>")
# A page that belongs to a campaign ends with its number (no id is longer).
OF_CAMPAIGN = re.compile(r"(campaign|sample)-(\d{1,18})", re.ASCII)
PAGES = {"dashboard": "console/live/dashboard.html", "recovery": "console/live/recovery.html"}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Make the dashboard of the admin's index; Unfold's DASHBOARD_CALLBACK."""
    live_parts = context_of("dashboard") if may_look(request) else {}
    return {**context, "title": "Dashboard", "is_fullwidth": 1, **live_parts}


def may_look(request: HttpRequest) -> bool:
    """Say whether the user has a role. Whoever had one and lost it is still staff, and sees nothing."""
    return request.user.has_perm(VIEW_BREAKER)


def environment(request: HttpRequest) -> list[str]:
    """Return the mode as a badge for the header of every page; Unfold's ENVIRONMENT."""
    from django.conf import settings

    return ["LIVE", "danger"] if settings.MODE == "live" else ["SANDBOX", "info"]


def campaign_context(request: HttpRequest, page: str, pk: int) -> dict[str, Any] | None:
    """Return the context of the live parts of a page of a campaign; None if there is none, or the user may see none."""
    campaign = Campaign.objects.filter(pk=pk).first()
    if campaign is None or not request.user.has_perms([VIEW_CAMPAIGN, VIEW_LEAD]):
        return None
    snapshot = shared_snapshot.current()
    if page == "sample":
        return {**sample_of(campaign), "snapshot": snapshot, "live_page": f"sample-{pk}"}
    model_admin: Any = admin.site.get_model_admin(Campaign)
    context: dict[str, Any] = model_admin.live_context(request, campaign, snapshot)
    return context


def parts_of(request: HttpRequest, page: str) -> tuple[dict[str, Any], str]:
    """Return a page's context and the template of its live parts; '' for a page without any."""
    if of_campaign := OF_CAMPAIGN.fullmatch(page):
        context = campaign_context(request, of_campaign[1], int(of_campaign[2]))
        if context is not None:
            return context, f"console/live/{of_campaign[1]}.html"
    return context_of(page), PAGES.get(page, "")


def context_of(page: str) -> dict[str, Any]:
    """Return the context that the live parts of a page are drawn from."""
    context: dict[str, Any] = {"snapshot": shared_snapshot.current(), "live_page": page}
    if page == "recovery":
        context["plan"] = plan.current()
        context["steps"] = steps(context["snapshot"], context["plan"])
    return context


@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """Send the banner, and out of band the live parts of `?page=`; 204 when nothing has changed since `?seen=`.

    Never a form. 401 without a login, so that a page that is left open says so instead of showing a login form inside.
    """
    if not admin.site.has_permission(request):
        return HttpResponse(status=401)
    if not may_look(request):
        return HttpResponse(status=403)
    page = request.GET.get("page", "")
    context, template = parts_of(request, page)
    parts = [render_to_string(template, {**context, "oob": True}, request)] if template else []
    snapshot = context["snapshot"]
    banner = render_to_string("console/live/banner.html", {**context, "seen": ""}, request)
    digest = hashlib.sha256(TIMES.sub("", banner.replace(f"{snapshot.at:%H:%M:%S}", "")).encode())
    for part in parts:
        digest.update(TIMES.sub("", part).encode())
    version = digest.hexdigest()[:16]
    if version == request.GET.get("seen"):
        answer = HttpResponse(status=204)
    else:
        banner = render_to_string("console/live/banner.html", {**context, "seen": version}, request)
        answer = HttpResponse("".join([banner, *parts]))
    answer["X-As-Of"] = snapshot.at.isoformat()
    answer["Cache-Control"] = "no-store"
    return answer
