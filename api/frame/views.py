"""Every view of the API is one of these: an ApiView, or a Listing."""

from typing import Any, ClassVar

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import Throttled
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.frame.pages import Ordering, Pages
from api.frame.parsing import require_storable
from api.frame.searching import Search, limited_time
from api.frame.throttling import PerClientIp
from circuitbreakers.events import Actor


class ApiView(GenericAPIView):
    """An ApiView parses, calls one verb and reports.

    `required`: method -> permission. `refusals`: the verb's exceptions -> status code. `doing`: what it was about, for
    the message when Redis does not answer.
    """

    required: ClassVar[dict[str, str]] = {}
    refusals: ClassVar[dict[type[Exception], int]] = {}
    doing: ClassVar[str] = ""
    filter_backends: Any = ()
    pagination_class: Any = None
    queryset: Any = None

    def perform_authentication(self, request: Request) -> None:
        """The limit of the client's IP address and a path that cannot be read come before anybody is looked up."""
        limit = PerClientIp()
        if not limit.allow_request(request, self):
            raise Throttled(limit.wait())
        require_storable(request, self.kwargs)
        super().perform_authentication(request)

    @property
    def actor(self) -> Actor:
        """The actor is the user, through the API."""
        return Actor(self.request.user.get_username(), "api", self.request.user.pk)

    def body(self) -> dict[str, Any]:
        """Return the validated body; raises ValidationError with the fields' errors."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class Listing(ListAPIView, ApiView):
    """A Listing has filters, search, ordering and pages by cursor."""

    filter_backends = (DjangoFilterBackend, Search, Ordering)
    pagination_class = Pages
    ordering = ("-id",)
    ordering_fields: Any = ("id",)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with limited_time():
            return super().list(request, *args, **kwargs)
