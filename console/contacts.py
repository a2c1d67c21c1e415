"""A campaign's contact policy is set on this page: whom it may write to although others do."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from campaigns.contacts.departing import depart
from campaigns.contacts.policy import LIMITS, installation
from campaigns.models import Campaign
from campaigns.permissions import OPERATE_CAMPAIGN
from console.orders import REFUSALS, order_of, why


class PolicyForm(forms.Form):
    """Where a campaign departs; a field that is left empty follows the installation."""

    exclusive = forms.TypedChoiceField(
        required=False,
        choices=[("", "as installed"), ("yes", "yes"), ("no", "no")],
        coerce=lambda word: word == "yes",
        empty_value=None,
        label="Leave alone who is in another campaign's conversation",
    )
    cooldown_days = forms.IntegerField(
        required=False,
        min_value=LIMITS["cooldown_days"][0],
        max_value=LIMITS["cooldown_days"][1],
        label="Days since another campaign's last mail (0: no matter when)",
    )
    domain_people = forms.IntegerField(
        required=False,
        min_value=LIMITS["domain_people"][0],
        max_value=LIMITS["domain_people"][1],
        label="People of one company's domain at most (0: any number)",
    )
    domain_days = forms.IntegerField(
        required=False,
        min_value=LIMITS["domain_days"][0],
        max_value=LIMITS["domain_days"][1],
        label="in so many days",
    )

    def departures(self) -> dict[str, Any]:
        """Return the fields that were filled."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


def urls() -> list[URLPattern]:
    """Return the path of the page, below that of the campaigns."""
    return [path("<int:pk>/contacts/", admin.site.admin_view(page), name="campaigns_campaign_contacts")]


def page(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows the form, POST sets the policy."""
    if not request.user.has_perm(OPERATE_CAMPAIGN):
        raise PermissionDenied
    campaign = get_object_or_404(Campaign, pk=pk)
    own = dict(campaign.contact_policy or {})
    if "exclusive" in own:
        own["exclusive"] = "yes" if own["exclusive"] else "no"
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=own)
    if request.method == "POST" and form.is_valid():
        try:
            order = order_of(request, reason_required=True)
            depart(pk, departures=form.departures(), actor=order.actor, reason=order.reason)
            messages.success(request, f"The contact policy of campaign {pk} is set.")
            return redirect(reverse("admin:campaigns_campaign_change", args=[pk]))
        except REFUSALS as refusal:
            messages.error(request, why(refusal))
    context = {
        **admin.site.each_context(request),
        "title": f"Contact policy of {campaign.name}",
        "campaign": campaign,
        "form": form,
        "installed": installation(),
    }
    return render(request, "console/pages/contact_policy.html", context)
