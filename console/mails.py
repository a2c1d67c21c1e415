"""Mails that wait to be read have this page: each beside its research, with what it claims and nobody has said."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from campaigns import review
from campaigns.models import Campaign, Lead
from campaigns.permissions import OPERATE_CAMPAIGN, VIEW_LEAD
from console import shared_snapshot
from console.labels import plural
from console.orders import REFUSALS, Order, OrderRefused, order_of, why

# Each takes a screen; and a page is read before it is answered.
ON_A_PAGE = 10


def page(request: HttpRequest) -> HttpResponse:
    """Show the mails that wait, the oldest first; of one campaign with `?campaign=`."""
    if not request.user.has_perm(VIEW_LEAD):
        raise PermissionDenied
    campaign = _campaign(request.GET.get("campaign", ""))
    mails = Paginator(review.waiting(campaign.pk if campaign else None), ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": f"Mails to read of {campaign.name}" if campaign else "Mails to read",
        "campaign": campaign,
        "mails": mails,
        "narrowed": f"&campaign={campaign.pk}" if campaign else "",
        "may_answer": request.user.has_perm(OPERATE_CAMPAIGN),
    }
    return render(request, "console/pages/mails.html", context)


@require_POST
def answer(request: HttpRequest) -> HttpResponse:
    """Approve, reject or edit one mail, or approve all of a campaign; then back to the page."""
    if not request.user.has_perm(OPERATE_CAMPAIGN):
        raise PermissionDenied
    campaign = _campaign(request.POST.get("campaign", ""))
    verb = request.POST.get("verb", "")
    try:
        order = order_of(request, reason_required=False)
        messages.success(request, _all(campaign, order) if verb == "approve-all" else _one(request, verb, order))
    except REFUSALS as refusal:
        messages.error(request, why(refusal))
    shared_snapshot.forget()
    query = f"?{urlencode({'campaign': campaign.pk})}" if campaign else ""
    return redirect(f"{reverse('console:mails')}{query}")


def _campaign(text: str) -> Campaign | None:
    return Campaign.objects.filter(pk=int(text[:18])).first() if text.isdecimal() and text.isascii() else None


def _all(campaign: Campaign | None, order: Order) -> str:
    if campaign is None:
        raise OrderRefused("Choose a campaign: all of its mails are approved, not all there are.")
    done = review.approve_all(campaign.pk, actor=order.actor, reason=order.reason).done
    return f"{plural(done, 'mail')} of “{campaign.name}” approved unread."


def _one(request: HttpRequest, verb: str, order: Order) -> str:
    text = request.POST.get("lead", "")
    lead = Lead.objects.get(pk=int(text[:18]) if text.isdecimal() and text.isascii() else 0)
    details: dict[str, Any] = {"actor": order.actor, "reason": order.reason}
    if verb == "edit":
        subject, body = request.POST.get("subject", ""), request.POST.get("body", "")
        review.edit(lead.pk, subject=subject, body=body, **details)
        return f"The mail to {lead} is changed, and waits on."
    verbs = {"approve": (review.approve, "approved"), "reject": (review.reject, "rejected")}
    if verb not in verbs:
        raise OrderRefused("Approve, reject or edit it.")
    act, word = verbs[verb]
    if not act([lead.pk], **details).done:
        raise OrderRefused(f"The mail to {lead} waits no more: it was read, or its lead has ended.")
    return f"The mail to {lead} is {word}."
