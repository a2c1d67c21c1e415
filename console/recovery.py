"""The recovery page parses an order, has it done, and reports in place."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from campaigns import recovery
from circuitbreakers.confirmations import SecondPersonNeeded
from circuitbreakers.models import Incident
from circuitbreakers.permissions import OPERATE_BREAKER, OPERATE_QUEUE
from circuitbreakers.services import SERVICES
from console import live, plan, shared_snapshot
from console.labels import plural, service_name
from console.orders import REFUSALS, OrderRefused, order_of, why
from console.service_verbs import VERBS
from console.steps import unfolded


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the steps in order, each with its state."""
    if not live.may_look(request):
        raise PermissionDenied
    return TemplateResponse(request, "console/pages/recovery.html", context(request))


def context(request: HttpRequest) -> dict[str, Any]:
    """Return the context that the page is drawn from."""
    user = request.user
    evidence = list(Incident.objects.filter(reset_at=None).order_by("-id"))
    live_parts = live.context_of("recovery")
    cards = live_parts["snapshot"].cards
    notes = list(messages.get_messages(request))
    told = {tag for note in notes for tag in (note.extra_tags or "").split()}
    # Decided once: nothing may move under the pointer while the page is open.
    turn = [card.service for card in cards if card.state != "closed"]
    first = turn or [card.service for card in cards if card.is_coming_back]
    first += [name for name in SERVICES if name in told and name not in first]
    return {
        **admin.site.each_context(request),
        **live_parts,
        "title": "Recovery",
        "messages": notes,
        "unfolded": unfolded(live_parts["steps"], cards, told),
        "first": first,
        "fine": [name for name in SERVICES if name not in first],
        "services": SERVICES,
        "evidence": evidence,
        # Also those that are reset: until the resume somebody is wanted.
        "looked_after": list(Incident.objects.filter(pause__ended_at=None).order_by("-id")),
        "may_operate_breaker": user.has_perm(OPERATE_BREAKER),
        "may_operate_queue": user.has_perm(OPERATE_QUEUE),
    }


@require_POST
def act(request: HttpRequest, verb: str, service: str) -> HttpResponse:
    """Do one verb to one service and go back to the page, which says beside the button how it went."""
    wanted = VERBS.get(verb)
    if wanted is None or not (service in SERVICES or (service == "all" and wanted.takes_all)):
        raise Http404
    if not request.user.has_perm(wanted.permission):
        raise PermissionDenied
    place = "queue" if wanted.takes_all else service
    try:
        said = wanted.act(service, order_of(request, reason_required=wanted.reason_required))
        level = messages.SUCCESS if said.ok else messages.WARNING
        messages.add_message(request, level, said.text, extra_tags=place)
    except SecondPersonNeeded as wait:
        messages.warning(request, str(wait), extra_tags=place)
    except REFUSALS as refusal:
        messages.error(request, f"Refused: {why(refusal)}", extra_tags=place)
    shared_snapshot.forget()
    plan.forget()
    return redirect(f"{reverse('console:recovery')}#{place}")


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Ask first, repeating the numbers; resume once that is `confirmed`. A refusal says in place what is missing."""
    if not request.user.has_perm(OPERATE_QUEUE):
        raise PermissionDenied
    try:
        order = order_of(request, reason_required=True)
    except OrderRefused as refusal:
        messages.error(request, f"Refused: {why(refusal)}", extra_tags="resume")
        return redirect(f"{reverse('console:recovery')}#resume")
    if not request.POST.get("confirmed"):
        priced = plan.make()
        if not priced.resume.ready:
            return _refused(request, f"Cannot resume queue: {priced.resume.missing}")
        details = {
            **admin.site.each_context(request),
            "title": "Resume the queue",
            "plan": priced,
            "reason": order.reason,
            "snapshot": shared_snapshot.current(),
        }
        return TemplateResponse(request, "console/pages/confirm_resume.html", details)
    try:
        result = recovery.resume(
            actor=order.actor,
            reason=order.reason,
            canary_for_all=request.POST.get("canary") == "all",
            all_at_once=bool(request.POST.get("all_at_once")),
        )
    except SecondPersonNeeded as wait:
        messages.warning(request, str(wait))
        return redirect(reverse("console:confirmations"))
    except REFUSALS as refusal:
        return _refused(request, why(refusal))
    shared_snapshot.forget()
    plan.forget()
    level = messages.WARNING if result.errors or result.interrupted_by else messages.SUCCESS
    messages.add_message(request, level, result.message, extra_tags="resume")
    for error_text in result.errors[:20]:
        messages.warning(request, error_text, extra_tags="resume")
    for name, where in result.stages.items():
        messages.info(request, f"{service_name(name)} comes back step by step: {where}.", extra_tags="resume")
    if result.campaigns_still_paused or result.services_still_paused:
        names = ", ".join(map(service_name, result.services_still_paused)) or "none"
        still = plural(result.campaigns_still_paused, "campaign")
        messages.info(request, f"Still paused by operators: {still}; queues: {names}.", extra_tags="resume")
    return redirect(f"{reverse('console:recovery')}#resume")


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    """Go back to the page, which opens at the refusal, where the button is."""
    plan.forget()
    shared_snapshot.forget()
    messages.error(request, f"Refused: {text}", extra_tags="resume")
    return redirect(f"{reverse('console:recovery')}#resume")
