"""The doors of the company's login: out to the provider, back from it, and its word that somebody has logged out."""

import logging
import time
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from accounts import access, provider
from accounts.backends import LoginRefused, setting
from console.login import too_many

# Seconds for which the provider's word of a logout is believed.
FRESH = 300

logger = logging.getLogger(__name__)


class Out(OIDCAuthenticationRequestView):
    get_settings = staticmethod(setting)


class Back(OIDCAuthenticationCallbackView):
    get_settings = staticmethod(setting)

    def login_failure(self) -> HttpResponse:
        return _refused(self.request, "The company's login was not completed. Try again.")


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect("admin:login")


def where_set_up(view: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Have the view lead to the console where there is no company login."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:index") if settings.COMPANY_LOGIN is None else view(request)

    return guarded


@never_cache
@require_GET
@where_set_up
def out(request: HttpRequest) -> HttpResponseBase:
    """Send the browser to the provider, with state, nonce and PKCE challenge."""
    if answer := too_many(request):
        return answer
    try:
        return Out.as_view()(request)
    except provider.ProviderAway as error:
        logger.error("Company login: %s", error)
        return _refused(request, "The company's login does not answer. Try again in a moment.")


@never_cache
@require_GET
@where_set_up
def back(request: HttpRequest) -> HttpResponseBase:
    """Let the person in whom the provider sends back, or say on the login page why not."""
    try:
        return Back.as_view()(request)
    except LoginRefused as refusal:
        return _refused(request, str(refusal))
    except SuspiciousOperation as error:
        logger.warning("Company login refused: %s", error)
        return _refused(request, "That login was begun elsewhere, or is over. Try again.")


@csrf_exempt
@never_cache
@require_POST
@where_set_up
def logged_out(request: HttpRequest) -> HttpResponse:
    """OpenID's back-channel logout: the provider posts a `logout_token`, and the person's sessions end. 400 if it is
    none."""
    try:
        claims = provider.claims_of(request.POST.get("logout_token", ""), required=("iat", "aud", "iss"))
    except (provider.ProviderRefused, provider.ProviderAway) as error:
        logger.warning("Logout token refused: %s", error)
        return _no("the token is not good")
    events = claims.get("events")
    if not isinstance(events, dict) or provider.LOGOUT not in events or "nonce" in claims:
        return _no("the token is not about a logout")
    if claims["iat"] < time.time() - FRESH:
        return _no("the token is too old")
    subject, session_id = str(claims.get("sub") or ""), str(claims.get("sid") or "")
    access.logged_out(issuer=claims["iss"], subject=subject, session_id=session_id)
    return HttpResponse(status=200)


def _no(description: str) -> HttpResponse:
    return JsonResponse({"error": "invalid_request", "error_description": description}, status=400)
