"""The page of one's own login sets up the second factor and makes API tokens, each shown once."""

from typing import Any

import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import second_factor
from api import tokens
from console.orders import actor_of

LONGEST_NAME = 100


@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show one's login; posted with `do` (turn-on, codes, turn-off or token) do that."""
    shown: dict[str, Any] = {}
    if request.method == "POST":
        try:
            shown = {"turn-on": turn_on, "codes": codes, "turn-off": turn_off, "token": token}.get(
                request.POST.get("do", ""), nothing
            )(request)
        except (second_factor.CodeRefused, tokens.TooManyTokens) as refusal:
            messages.error(request, f"Refused: {refusal}")
            return redirect("console:account")
    return TemplateResponse(request, "console/pages/account.html", {**_context(request), **shown})


def _context(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    local = user.has_usable_password()
    details = {
        **admin.site.each_context(request),
        "title": "Your login",
        "local": local,
        "has_second_factor": second_factor.has(user),
        "must": second_factor.missing(user),
        "required": settings.SECOND_FACTOR_REQUIRED,
        "codes_left": second_factor.left(user),
        "longest_name": LONGEST_NAME,
        "tokens": tokens.tokens_of(user),
    }
    if local and not details["has_second_factor"]:
        device = second_factor.begin(user)
        address = device.config_url
        details["qr"] = segno.make(address).svg_data_uri(scale=5, border=3, light="white")
        details["secret"] = address.partition("secret=")[2].partition("&")[0]
    return details


def nothing(request: HttpRequest) -> dict[str, Any]:
    return {}


def turn_on(request: HttpRequest) -> dict[str, Any]:
    """Turn the second factor on: the password again, since it is more than a session may do, and the first code."""
    _require_password(request)
    user: Any = request.user
    if second_factor.has(user):
        raise second_factor.CodeRefused("It is on already.")
    return {"recovery_codes": second_factor.confirm(user, request.POST.get("code", ""), actor=actor_of(request))}


def codes(request: HttpRequest) -> dict[str, Any]:
    """Make recovery codes anew, for a code."""
    user: Any = request.user
    if not second_factor.has(user):
        raise second_factor.CodeRefused("Your login has no second factor.")
    second_factor.require(user, request.POST.get("code", ""), request)
    return {"recovery_codes": second_factor.renew_recovery_codes(user)}


def turn_off(request: HttpRequest) -> dict[str, Any]:
    """Turn the second factor off, for a code, where it is not required."""
    user: Any = request.user
    if settings.SECOND_FACTOR_REQUIRED:
        raise second_factor.CodeRefused("A second factor is required here.")
    second_factor.require(user, request.POST.get("code", ""), request)
    second_factor.take_away(user, actor=actor_of(request))
    messages.success(request, "Your login asks for no code any more.")
    return {}


def token(request: HttpRequest) -> dict[str, Any]:
    """Make an API token of one's own, whose text is shown this once."""
    user: Any = request.user
    if second_factor.missing(user):
        raise second_factor.CodeRefused("Set up your second factor first.")
    if user.has_usable_password():
        _require_password(request)  # a token outlives the session that asks for it
    name = request.POST.get("name", "").strip()[:LONGEST_NAME] or "API token"
    _, text = tokens.make(user, name=name, days=None, actor=actor_of(request))
    return {"new_token": text, "new_name": name}


def _require_password(request: HttpRequest) -> None:
    """Check the password as a login does, and so count a wrong one."""
    given = request.POST.get("password", "")
    user = authenticate(request, username=request.user.get_username(), password=given)
    if user is None or user.pk != request.user.pk:
        raise second_factor.CodeRefused("That is not your password.")
