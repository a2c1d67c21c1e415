"""What was pressed in vain ends in a sentence that says so, and what to do: signed out, an old form, no permission."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

SIGNED_OUT = "You were signed out, so nothing was done. Look at how things are now, and press it again if it is needed."
OLD_FORM = (
    "Nothing was done: the form is older than your login, or your browser keeps no cookies for this site. Go back to "
    "the page, look at how things are now, and press it again."
)
NOT_ALLOWED = "Nothing was done: your role may look, but not do this. Ask an operator or an administrator."


def pressed(view: Callable[..., HttpResponse], back: str = "console:recovery") -> Callable[..., Any]:
    """Wrap a view that only takes orders from the page `back`, as `admin_view` does.

    Whoever is signed out meanwhile comes back to the page, for the order's own address has nothing to show.
    """
    inner = admin.site.admin_view(view)

    @wraps(view)
    def outer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "POST" and not admin.site.has_permission(request):
            messages.warning(request, SIGNED_OUT)
            return redirect_to_login(reverse(back), reverse("admin:login"))
        return inner(request, *args, **kwargs)

    return outer


def old_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form whose token is not that of the login; settings.CSRF_FAILURE_VIEW. What failed is logged."""
    return _page(request, OLD_FORM)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 to who lacks the permission; the site's handler403."""
    return _page(request, NOT_ALLOWED if request.method == "POST" else "Your role may not see this page.")


def _page(request: HttpRequest, text: str) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Not done", "text": text}
    return render(request, "console/pages/refused.html", context, status=403)
