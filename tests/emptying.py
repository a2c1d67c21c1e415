"""Tables are emptied after a test that commits: only those with rows, and with their like what stands from the start.

Django's own flush truncates every table and sends `post_migrate`, which makes breakers, roles and permissions anew.
That is done here only after a test that has changed one of those.
"""

from typing import Any

from django.db import connection
from django.test import TransactionTestCase

djangos_own = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
# A fingerprint of the rows of each table that has some before the first test: breakers, roles, permissions.
standing: dict[str, str] = {}


def remember() -> None:
    """Take down what stands in the tables now."""
    standing.clear()
    standing.update({table: print_ for table, print_ in fingerprints(tables()).items() if print_})


def tables() -> list[str]:
    return sorted(connection.introspection.django_table_names(include_views=False))


def fingerprints(names: list[str]) -> dict[str, str]:
    """What the rows of these tables come to; an empty table is ''."""
    rows = " UNION ALL ".join(
        f"SELECT '{name}', coalesce((SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM \"{name}\" r), '')"
        for name in names
    )
    with connection.cursor() as cursor:
        cursor.execute(rows)
        return dict(cursor.fetchall())


def with_rows(names: list[str]) -> list[str]:
    rows = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(rows)
        return [name for (name,) in cursor.fetchall()]


def empty(test: Any) -> None:
    """Leave the tables as `remember` found them; in Django's way if the test changed what stands from the start."""
    if fingerprints(list(standing)) != standing:
        djangos_own(test)
        remember()
    elif filled := with_rows([name for name in tables() if name not in standing]):
        with connection.cursor() as cursor:
            # Nothing that stands refers to a row that a test makes, so that CASCADE spares it.
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def take_over() -> None:
    """From now on tests that commit are cleaned up by `empty`."""
    remember()
    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]
