"""Bodies that are too large and URLs that cannot be asked for are refused before anything of a request is read.

Django spools an upload to disk as soon as anybody looks at `request.POST`, and the first who looks is the check for
forgery: before it is known who asks, and what for.
"""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

PREVIEW = re.compile(r"/admin/campaigns/campaign/\d+/import/preview/")
IMPORT = re.compile(r"/admin/campaigns/campaign/\d+/import/run/")
GUIDED = re.compile(r"/admin/campaigns/campaign/\d+/guided/people/")
LIST = re.compile(r"/admin/campaigns/suppression/import/")
UPLOAD = re.compile(r"/api/v1/campaigns(/\d+/leads)?")
NUL = re.compile("%00|\0")  # PostgreSQL takes none; the API says so by itself, and names the parameter
LIST_BYTES = 4 * 1024 * 1024  # the page takes 20,000 rows
MOST_BYTES = 10 * 1024 * 1024  # the guided way waits for the import
HOOK = re.compile(r"/hooks/.*", re.DOTALL)
HOOK_BYTES = 256 * 1024
PREVIEW_BYTES = 512 * 1024  # twice what the page sends of a file


def largest_body(path: str) -> int:
    """Return the most bytes that a body may have at this path."""
    if IMPORT.fullmatch(path) or UPLOAD.fullmatch(path):
        return int(settings.IMPORT_MAX_BYTES) + int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if GUIDED.fullmatch(path):
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + MOST_BYTES
    if LIST.fullmatch(path):
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + LIST_BYTES
    if HOOK.fullmatch(path):
        return HOOK_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + (PREVIEW_BYTES if PREVIEW.fullmatch(path) else 0)


def length_of(request: HttpRequest) -> int:
    """Return the body's bytes as Django will read them: 0 for one in chunks, of which WSGI says no length."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def refusal(request: HttpRequest, code: int, detail: str) -> HttpResponse:
    """Answer in the words of who asked: with the API's envelope, or with a line of text."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"status": "error", "detail": detail}, status=code)
    return HttpResponse(detail, content_type="text/plain", status=code)


class RequestLimits:
    """This middleware stands before whatever reads a body; the views behind it still apply their own limits."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        most, length = largest_body(request.path_info), length_of(request)
        if length > most:
            return refusal(request, 413, f"The request is larger than {most:,} bytes.")
        if not length and "HTTP_TRANSFER_ENCODING" in request.META:
            return refusal(request, 411, "Say in Content-Length how long the request is: it would be read as empty.")
        if request.path_info.startswith("/admin/") and NUL.search(request.META.get("QUERY_STRING", "")):
            return refusal(request, 400, "The address holds a NUL character, which nothing here can hold.")
        kind, semicolon, parameters = str(request.META.get("CONTENT_TYPE", "")).partition(";")
        if kind != kind.lower():
            # A media type is the same in any case; Django's parser of forms compares what was sent.
            request.META["CONTENT_TYPE"] = f"{kind.lower()}{semicolon}{parameters}"
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """The largest bodies of the console are for those who are signed in; the API asks first by itself."""
        large = any(pattern.fullmatch(request.path_info) for pattern in (IMPORT, GUIDED, LIST))
        if large and not admin.site.has_permission(request):
            return redirect_to_login(request.get_full_path())
        return None
