"""After a test that commits, only the tables that it has filled are emptied.

Django's own flush truncates every table and sends `post_migrate`, which makes breakers, roles and permissions anew.
Here that happens only after a test that has changed one of those.
"""

from typing import Any

from django.db import connection
from django.test import TransactionTestCase

djangos_own = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
# A fingerprint of the rows of each table that has some before the first test: breakers, roles, permissions.
standing: dict[str, str] = {}


def remember() -> None:
    """Take what is in the tables now for what every test shall begin with."""
    standing.clear()
    standing.update({table: fingerprint for table, fingerprint in fingerprints(tables()).items() if fingerprint})


def tables() -> list[str]:
    return sorted(connection.introspection.django_table_names(include_views=False))


def fingerprints(names: list[str]) -> dict[str, str]:
    """A hash over all rows of each of these tables; '' for an empty one."""
    hashes = " UNION ALL ".join(
        f"SELECT '{name}', coalesce((SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM \"{name}\" r), '')"
        for name in names
    )
    with connection.cursor() as cursor:
        cursor.execute(hashes)
        return dict(cursor.fetchall())


def with_rows(names: list[str]) -> list[str]:
    """Those of the tables that are not empty."""
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(filled)
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
