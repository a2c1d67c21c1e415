"""The recovery page says who is at an incident, and takes orders about it."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from circuitbreakers import notes
from circuitbreakers.permissions import OPERATE_QUEUE
from console import shared_snapshot
from console.orders import REFUSALS, Order, order_of, why


def _acknowledge(pk: int, order: Order, to: str) -> str:
    changed = notes.acknowledge(pk, actor=order.actor, reason=order.reason)
    return f"Incident {pk} {'is acknowledged' if changed else 'was acknowledged already'}."


def _assign(pk: int, order: Order, to: str) -> str:
    whom = to or order.actor.name
    changed = notes.assign(pk, whom, actor=order.actor, reason=order.reason)
    return f"Incident {pk} {'is' if changed else 'was already'} {whom}'s."


def _note(pk: int, order: Order, to: str) -> str:
    notes.note(pk, actor=order.actor, text=order.reason)
    return f"The note is on the timeline of incident {pk}."


VERBS: dict[str, Callable[[int, Order, str], str]] = {"acknowledge": _acknowledge, "assign": _assign, "note": _note}


@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do one verb to one incident and go back to the recovery page, which says how it went."""
    if not request.user.has_perm(OPERATE_QUEUE):
        raise PermissionDenied
    try:
        order = order_of(request, reason_required=verb == "note")
        messages.success(request, VERBS[verb](pk, order, request.POST.get("to", "").strip()), extra_tags="broke")
    except REFUSALS as refusal:
        messages.error(request, f"Refused: {why(refusal)}", extra_tags="broke")
    shared_snapshot.forget()
    return redirect(f"{reverse('console:recovery')}#broke")
