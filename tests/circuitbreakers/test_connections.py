"""PostgreSQL's connections: how many an ordinary role may open, how many are, and a warning before they run out."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from circuitbreakers.connections import Connections, read
from tests.stores import another_session

pytestmark = pytest.mark.django_db


def test_what_is_open_is_counted_whoevers_it_is() -> None:
    before = read()
    assert 0 < before.used < before.most
    with another_session(), another_session(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it is read once
        assert read().used == before.used + 2


def test_the_reserved_ones_are_nobodys() -> None:
    assert read().most == 200 - 3  # max_connections of the tests' server


@pytest.mark.parametrize(("used", "says"), [(89, ""), (90, "PostgreSQL has 10 of 100 connections left")])
def test_few_are_named(used: int, says: str) -> None:
    assert Connections(100, used).scarce == says


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (0, []),
        (197, []),
        (198, ["Holdfast may open 198 connections and PostgreSQL allows 197."]),
    ],
)
def test_the_check_warns_when_the_fleet_may_open_more_than_there_are(
    settings: Any, wanted: int, says: list[str]
) -> None:
    settings.CONNECTIONS = wanted
    found = [one for one in run_checks(tags=["database"], databases=["default"]) if one.id == "holdfast.W03"]
    assert [one.msg for one in found] == says


def test_no_server_is_asked_unless_the_check_is_told_to() -> None:
    assert not [one for one in run_checks() if one.id == "holdfast.W03"]
