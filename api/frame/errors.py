"""Every refusal has one shape, `{"status": "error", "detail": ..., "errors": {field: [...]}}`, and a fitting code."""

import logging
from typing import Any

from django.core.exceptions import (
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler

from api.frame.parsing import printable
from circuitbreakers import postgresql
from circuitbreakers.services import UnknownService
from circuitbreakers.switch import RedisUnavailable

logger = logging.getLogger(__name__)

INVALID = "Some values are not valid; see errors."


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception, for DRF. Returns None for what nobody expected: Django logs it and answers 500."""
    view = context.get("view")
    for kind, code in getattr(view, "refusals", {}).items():
        if isinstance(error, kind):
            return failure(code, str(error))
    if isinstance(error, RedisUnavailable):
        prefix = getattr(view, "doing", "")
        return failure(status.HTTP_503_SERVICE_UNAVAILABLE, f"Error {prefix}: {error}" if prefix else str(error), 5)
    if isinstance(error, DatabaseError | InterfaceError):
        return database_failure(error)
    if isinstance(error, UnknownService):
        return failure(status.HTTP_400_BAD_REQUEST, str(error))
    if isinstance(error, ObjectDoesNotExist | Http404):
        return failure(status.HTTP_404_NOT_FOUND, "Not found.")
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(as_serializer_error(error))
    if isinstance(error, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
        return failure(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
    if isinstance(error, SuspiciousOperation):
        return failure(status.HTTP_400_BAD_REQUEST, "The request cannot be read.")
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        body: dict[str, Any] = {"status": "error", "detail": INVALID, "errors": by_field(error.detail)}
    else:
        detail = response.data.get("detail") if isinstance(response.data, dict) else None
        body = {"status": "error", "detail": printable(str(detail or error))}
    response.data = body
    return response


def failure(code: int, detail: str, retry_after: int | None = None) -> Response:
    """Return an error's answer; `retry_after` is in seconds."""
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    response = Response({"status": "error", "detail": printable(detail)}, status=code, headers=headers)
    response.exception = True
    return response


def database_failure(error: Exception) -> Response:
    """Answer for PostgreSQL, which refused a value or is away for now (as is a lock that is not to be had in time)."""
    if isinstance(error, DataError):
        logger.warning("PostgreSQL refused a value: %s", error)
        detail = "A value cannot be stored: too large, or with a character such as NUL."
        return failure(status.HTTP_400_BAD_REQUEST, detail)
    if postgresql.away(error):
        logger.error("PostgreSQL does not answer: %s", error)
        return failure(status.HTTP_503_SERVICE_UNAVAILABLE, postgresql.words(error), 5)
    raise error


def by_field(detail: Any, name: str = "non_field_errors") -> dict[str, list[str]]:
    """Flatten nested validation errors to field -> messages; a nested field is named with dots."""
    if isinstance(detail, dict):
        errors: dict[str, list[str]] = {}
        for key, value in detail.items():
            inner = str(key) if name == "non_field_errors" else f"{name}.{key}"
            for field, messages in by_field(value, inner).items():
                errors.setdefault(printable(field), []).extend(messages)
        return errors
    if isinstance(detail, list | tuple):
        errors = {}
        for value in detail:
            for field, messages in by_field(value, name).items():
                errors.setdefault(field, []).extend(messages)
        return errors
    return {name: [printable(str(detail))]}
