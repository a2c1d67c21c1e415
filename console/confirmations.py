"""The page of the two-person rule shows what waits for a second person, who confirms it or says no."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from campaigns import confirming
from circuitbreakers import confirmations
from circuitbreakers.models import Confirmation
from console import live, plan, shared_snapshot
from console.labels import service_name
from console.orders import REFUSALS, actor_of, order_of, why

RECENT = 20


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show what waits, and what came of the latest others."""
    if not live.may_look(request):
        raise PermissionDenied
    waiting = list(confirmations.waiting())
    details = {
        **admin.site.each_context(request),
        "title": "Second person",
        "waiting": [(row, title(row), _may(request, row), row.asker == request.user.pk) for row in waiting],
        "recent": [
            (row, title(row)) for row in Confirmation.objects.exclude(pk__in=[row.pk for row in waiting])[:RECENT]
        ],
    }
    return TemplateResponse(request, "console/pages/confirmations.html", details)


def title(row: Confirmation) -> str:
    """Say in words what the row asks for."""
    if row.act == Confirmation.RESET:
        return f"Reset {service_name(row.service)} by force"
    if row.act == Confirmation.FULL_SPEED:
        return f"{service_name(row.service)} to full speed at once"
    return "Resume the queue, all at once" if row.options.get("all_at_once") else "Resume the queue"


def _may(request: HttpRequest, row: Confirmation) -> bool:
    return bool(request.user.has_perm(confirmations.PERMISSION[row.act]))


@require_POST
def answer(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Confirm or decline one, and go back to the page, which says how it went."""
    # Before it is looked for: who may answer none learns nothing of any.
    if not any(request.user.has_perm(permission) for permission in confirmations.PERMISSION.values()):
        raise PermissionDenied
    row = Confirmation.objects.filter(pk=pk).first()
    if row is None:
        messages.error(request, f"There is no number {pk}.")
        return redirect(reverse("console:confirmations"))
    if not _may(request, row):
        raise PermissionDenied
    try:
        if verb == "confirm":
            messages.success(request, confirming.confirm(row, actor=actor_of(request)))
        else:
            order = order_of(request, reason_required=False)
            confirmations.decline(row, actor=order.actor, reason=order.reason)
            messages.success(request, f"Number {row.pk} is taken back. Nothing was done.")
    except REFUSALS as refusal:
        messages.error(request, f"Refused: {why(refusal)}")
    shared_snapshot.forget()
    plan.forget()
    return redirect(reverse("console:confirmations"))
