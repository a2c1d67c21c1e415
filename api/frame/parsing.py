"""Parsers let in what can be read and stored: JSON of a sane size and depth, text that PostgreSQL does not refuse."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request

from circuitbreakers.characters import UNSTORABLE

UNSTORABLE_TEXT = "It contains a character that cannot be stored (NUL or a lone surrogate)."


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


def require_size(context: Mapping[str, Any] | None, most: int) -> None:
    """Raise TooLarge for a body that says it is longer. A body without a length is empty to WSGI."""
    request = (context or {}).get("request")
    length = str(request.META.get("CONTENT_LENGTH") or "0") if request is not None else "0"
    if length.isdecimal() and int(length) > most:
        raise TooLarge(f"The request is larger than {most:,} bytes.")


class StrictJSONParser(JSONParser):
    """Reads JSON; what is too deep for the parser is a bad request, not a crash."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        require_size(parser_context, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        except UnicodeError:
            raise ParseError("JSON parse error - the body is not valid UTF-8") from None
        if not isinstance(data, dict):
            raise ParseError("The body must be a JSON object.")
        return data


class LimitedMultiPartParser(MultiPartParser):
    """Reads a form with a file no larger than an import may be; the file goes to disk, not into memory."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        require_size(parser_context, settings.IMPORT_MAX_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return super().parse(stream, media_type, parser_context)


def require_storable(request: Request, kwargs: Mapping[str, Any]) -> None:
    """Raise ValidationError when the path or its query holds text that could not be stored or sent back."""
    for name, values in request.query_params.lists():
        if UNSTORABLE.search(name) or any(UNSTORABLE.search(value) for value in values):
            raise ValidationError({printable(name): [UNSTORABLE_TEXT]})
    for name, value in kwargs.items():
        if isinstance(value, str) and UNSTORABLE.search(value):
            raise ValidationError({name: [UNSTORABLE_TEXT]})


def printable(text: str) -> str:
    """Return the text with a mark in place of what no encoding takes."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
