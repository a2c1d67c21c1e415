"""Sessions end here when their user is no longer welcome, and wait here for a second factor that is required."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts import access, second_factor


class Welcome:
    """This middleware stands behind Django's, which says whose session it is. Off without a company login."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.COMPANY_LOGIN and request.user.is_authenticated and not access.still_welcome(request.user):
            logout(request)
        return self.get_response(request)


class SecondFactor:
    """This middleware leaves who must still set up a second factor nothing but that. Off unless it is required."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not (settings.SECOND_FACTOR_REQUIRED and request.user.is_authenticated):
            return self.get_response(request)
        free = {reverse(name) for name in ("console:account", "admin:logout", "admin:login")}
        if request.path_info in free or not second_factor.missing(request.user):
            return self.get_response(request)
        if request.path_info.startswith("/admin/"):
            return redirect("console:account")
        detail = "Set up your second factor in the console first."
        return JsonResponse({"status": "error", "detail": detail}, status=403)
