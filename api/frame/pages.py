"""Lists that grow are read by cursor: a page costs the same at the end as at the start, and nothing shifts."""

from collections import OrderedDict
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response


class Ordering(OrderingFilter):
    """`?ordering=` takes one of the view's `ordering_fields`, with `-` before it for descending."""

    def remove_invalid_fields(self, queryset: Any, fields: Any, view: Any, request: Request) -> list[str]:
        allowed = self.choices(view)
        if any(field not in allowed for field in fields):
            raise ValidationError({self.ordering_param: [f"Choose one of: {', '.join(allowed)}."]})
        return list(fields)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        schema = {"type": "string", "enum": self.choices(view)}
        return [{"name": self.ordering_param, "in": "query", "required": False, "schema": schema}]

    @staticmethod
    def choices(view: Any) -> list[str]:
        return [sign + name for name in view.ordering_fields for sign in ("", "-")]


class Pages(CursorPagination):
    """A page is `results` and the URLs of the pages around it, null at either end."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "-id"
    invalid_cursor_message = "Invalid cursor"

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size", str(self.page_size))
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= self.max_page_size):
            raise ValidationError({"page_size": [f"A number from 1 to {self.max_page_size}."]})
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "From `next` or `previous`.",
            },
            {"name": "page_size", "in": "query", "schema": size, "description": "Rows on a page."},
        ]

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view=view)
        except APIException:
            raise
        except (ValueError, DjangoValidationError, DataError, OverflowError, TypeError):
            # A cursor that somebody made up decodes to a position that no column can be compared with.
            raise NotFound(self.invalid_cursor_message) from None

    def get_paginated_response(self, data: Any) -> Response:
        return Response(OrderedDict(results=data, next=self.get_next_link(), previous=self.get_previous_link()))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }
