"""`?search=` has bounds: few words, and no statement that holds a thread of the web for minutes."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg.errors
from django.db import OperationalError, connection, transaction
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.filters import SearchFilter
from rest_framework.request import Request

WORDS = 5
SECONDS = 5.0  # for each statement of a list


class TooSlow(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = f"This took longer than {SECONDS:g} seconds. Narrow it: fewer words, more filters."
    default_code = "too_slow"


class Search(SearchFilter):
    """Keeps the rows in which every word is found; each word is looked for in every field, and that in every row."""

    search_description = f"At most {WORDS} words, all of which must be found."

    def get_search_terms(self, request: Request) -> list[str]:
        words = list(super().get_search_terms(request))
        if len(words) > WORDS:
            raise ValidationError({self.search_param: [f"At most {WORDS} words."]})
        return words


@contextmanager
def limited_time() -> Iterator[None]:
    """Run a transaction whose statements may take SECONDS each. Raises TooSlow for one that takes longer."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS * 1000:.0f}ms"])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise TooSlow from error
        raise
