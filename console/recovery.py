"""The recovery page and its verbs: each parses, calls one verb, and reports in place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from campaigns import recovery
from circuitbreakers import breaker, gate, pauses, probes
from circuitbreakers.events import Actor
from circuitbreakers.models import Incident
from circuitbreakers.services import SERVICES
from circuitbreakers.switch import RedisUnavailable
from console import live, plan, shared
from console.words import plural, service_name

OPERATE_BREAKER = "circuitbreakers.operate_breaker"
OPERATE_QUEUE = "circuitbreakers.operate_queue"
REFUSALS = (
    breaker.Refused,
    probes.ProbeRunning,
    recovery.ResumeRefused,
    pauses.SwitchRefused,
    RedisUnavailable,
)
MOST_REASON = 500


def actor_of(request: HttpRequest) -> Actor:
    return Actor(request.user.get_username(), "admin")


def reason_of(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:MOST_REASON]


def probe(request: HttpRequest, service: str) -> tuple[bool, str]:
    result = probes.probe(service, actor=actor_of(request))
    return result.ok, f"The probe of {service_name(service)} {'succeeded' if result.ok else 'failed'}: {result.detail}"


def reset(request: HttpRequest, service: str) -> tuple[bool, str]:
    force = bool(request.POST.get("force"))
    changed = breaker.reset(service, actor=actor_of(request), reason=reason_of(request), force=force)
    name = service_name(service)
    if changed:
        return True, f"The breaker of {name} is reset. The queue is still paused: resume it when all are closed."
    return True, f"The breaker of {name} was closed already; its failure count is cleared."


def hold(request: HttpRequest, service: str) -> tuple[bool, str]:
    changed = breaker.hold(service, actor=actor_of(request), reason=reason_of(request))
    name = service_name(service)
    return True, f"The breaker of {name} is held: everything is paused." if changed else f"{name} was held already."


def release(request: HttpRequest, service: str) -> tuple[bool, str]:
    changed = breaker.release(service, actor=actor_of(request), reason=reason_of(request))
    name = service_name(service)
    return True, f"{name} is released and stays open: reset it next." if changed else f"{name} was not held."


def lift_wait(request: HttpRequest, service: str) -> tuple[bool, str]:
    until = gate.lift_wait(service, actor=actor_of(request), reason=reason_of(request))
    name = service_name(service)
    return True, f"The wait of {name} is lifted: it is asked again." if until else f"{name} has not asked us to wait."


def pause(request: HttpRequest, service: str) -> tuple[bool, str]:
    if not (reason := reason_of(request)):
        raise breaker.Refused("A reason is needed: the others will want to know why.")
    changed = pauses.pause(service, actor=actor_of(request), reason=reason)
    return True, f"The queue of {service_name(service)} {'is paused' if changed else 'was paused already'}."


def lift(request: HttpRequest, service: str) -> tuple[bool, str]:
    changed = pauses.lift(service, actor=actor_of(request), reason=reason_of(request))
    name = service_name(service)
    return True, f"The operator's pause of {name} is lifted." if changed else f"No operator's pause of {name} stood."


@dataclass(frozen=True)
class Verb:
    """What a button does: the permission it needs, and a function that says whether it went well, in one sentence."""

    permission: str
    run: Callable[[HttpRequest, str], tuple[bool, str]]
    takes_all: bool = False


VERBS = {
    "probe": Verb(OPERATE_BREAKER, probe),
    "reset": Verb(OPERATE_BREAKER, reset),
    "hold": Verb(OPERATE_BREAKER, hold),
    "release": Verb(OPERATE_BREAKER, release),
    "lift-wait": Verb(OPERATE_BREAKER, lift_wait),
    "pause": Verb(OPERATE_QUEUE, pause, takes_all=True),
    "lift": Verb(OPERATE_QUEUE, lift, takes_all=True),
}


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The steps in order, each with its state."""
    if not live.may_look(request):
        raise PermissionDenied
    return TemplateResponse(request, "console/pages/recovery.html", context(request))


def context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    """What the page is drawn from."""
    user = request.user
    evidence = list(Incident.objects.filter(reset_at=None).order_by("-id"))
    seen = live.context_of("recovery")
    return {
        **admin.site.each_context(request),
        **seen,
        "title": "Recovery",
        # What is to be reset first. Decided once: nothing may move under the pointer while the page is open.
        "services": sorted(SERVICES, key=lambda name: seen["snapshot"].state_of(name) == "closed"),
        "evidence": evidence,
        "may_operate_breaker": user.has_perm(OPERATE_BREAKER),
        "may_operate_queue": user.has_perm(OPERATE_QUEUE),
        **more,
    }


@require_POST
def act(request: HttpRequest, verb: str, service: str) -> HttpResponse:
    """One verb on one service; back to the page, which says beside the button how it went."""
    wanted = VERBS.get(verb)
    if wanted is None or not (service in SERVICES or (service == "all" and wanted.takes_all)):
        raise Http404
    if not request.user.has_perm(wanted.permission):
        raise PermissionDenied
    place = "queue" if wanted.takes_all else service
    try:
        ok, text = wanted.run(request, service)
        messages.add_message(request, messages.SUCCESS if ok else messages.WARNING, text, extra_tags=place)
    except REFUSALS as error:
        messages.error(request, f"Refused: {error}", extra_tags=place)
    shared.forget()
    plan.forget()
    return redirect(f"{reverse('console:recovery')}#{place}")


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """First asks, repeating the numbers; with `confirmed` resumes. A refusal says in place what is missing."""
    if not request.user.has_perm(OPERATE_QUEUE):
        raise PermissionDenied
    reason = reason_of(request)
    if not reason:
        messages.error(request, "Refused: A reason is needed: it becomes part of the incident.", extra_tags="resume")
        return redirect(f"{reverse('console:recovery')}#resume")
    if not request.POST.get("confirmed"):
        made = plan.make()
        if not made.seen.ready:
            return _refused(request, f"Cannot resume queue: {made.seen.missing}")
        details = {**admin.site.each_context(request), "title": "Resume the queue", "plan": made, "reason": reason,
                   "snapshot": shared.current()}  # fmt: skip
        return TemplateResponse(request, "console/pages/confirm_resume.html", details)
    try:
        result = recovery.resume(actor=actor_of(request), reason=reason)
    except REFUSALS as error:
        return _refused(request, str(error))
    shared.forget()
    plan.forget()
    level = messages.WARNING if result.errors or result.interrupted_by else messages.SUCCESS
    messages.add_message(request, level, result.message, extra_tags="resume")
    for error_text in result.errors[:20]:
        messages.warning(request, error_text, extra_tags="resume")
    if result.campaigns_still_paused or result.services_still_paused:
        names = ", ".join(map(service_name, result.services_still_paused)) or "none"
        still = plural(result.campaigns_still_paused, "campaign")
        messages.info(request, f"Still paused by operators: {still}; queues: {names}.", extra_tags="resume")
    return redirect(f"{reverse('console:recovery')}#resume")


def _refused(request: HttpRequest, why: str) -> HttpResponse:
    """The page itself, with the refusal where the button is."""
    plan.forget()
    shared.forget()
    messages.error(request, f"Refused: {why}", extra_tags="resume")
    return TemplateResponse(request, "console/pages/recovery.html", context(request), status=409)
