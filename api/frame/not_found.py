"""The API keeps its envelope where there is nothing, for what cannot be read, and when something broke."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import bad_request, server_error
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api.frame.views import ApiView


class NotFoundView(ApiView):
    """Answers 404 for every other path and any method, whoever asks."""

    schema = None
    permission_classes = ()

    def get(self, request: Request) -> Response:
        raise NotFound("There is nothing at this address.")

    post = put = patch = delete = get
    options = get  # type: ignore[assignment]


def broken(request: HttpRequest) -> HttpResponse:
    """Answer 500. What happened is in the log, not in the answer."""
    if request.path_info.startswith("/api/"):
        detail = "Something went wrong here; it has been logged."
        return JsonResponse({"status": "error", "detail": detail}, status=500)
    return server_error(request)


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 to what no view has seen, such as a foreign Host header; which, the log says."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"status": "error", "detail": "The request cannot be read."}, status=400)
    return bad_request(request, exception)
