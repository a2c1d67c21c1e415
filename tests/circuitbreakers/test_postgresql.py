"""PostgreSQL that is away for a while, told apart from a statement that always fails; and nobody waits for a row."""

import time
from typing import Any

import psycopg
import pytest
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection

from circuitbreakers import postgresql
from circuitbreakers.locks import switch_lock
from tests.builders import make_campaign
from tests.stores import locked

pytestmark = pytest.mark.django_db(transaction=True)


def error_of(sql: str) -> Error:
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(sql)
    return caught.value


def raised(state: str) -> Error:
    """What Django makes of an error that the server reports with this SQLSTATE."""
    return error_of(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("08006", "the connection failed"),
        ("25006", "read-only for the seconds of a failover"),
        ("25P02", "a transaction that had failed before"),
        ("25P03", "it idled in a transaction for too long"),
        ("40001", "serialisation"),
        ("40P01", "a deadlock"),
        ("53100", "the disk is full"),
        ("53300", "too many connections"),
        ("55P03", "a lock was not to be had"),
        ("57014", "cancelled by a timeout"),
        ("57P01", "an administrator ended it"),
        ("57P03", "it is starting up"),
        ("58030", "input or output failed"),
        ("XX000", "something in the server broke"),
    ],
)
def test_what_passes_is_away(state: str, why: str) -> None:
    assert postgresql.away(raised(state)), why


@pytest.mark.parametrize("state", ["22001", "22P05", "23502", "23514", "42601", "42P01", "0A000", "P0001", "21000"])
def test_what_the_statement_is_to_blame_for_is_not(state: str) -> None:
    assert not postgresql.away(raised(state))


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OperationalError("connection refused"), True),
        (InterfaceError("connection already closed"), True),
        (DataError("x"), False),
        (IntegrityError("x"), False),
        (ProgrammingError("x"), False),
        (ValueError("our own bug"), False),
        (psycopg.OperationalError("not Django's"), False),
    ],
)
def test_without_a_state_the_kind_of_error_tells(error: Exception, away: bool) -> None:
    assert postgresql.away(error) is away


def test_under_the_switch_lock_nobody_waits_long_for_a_row() -> None:
    campaign = make_campaign()
    began = time.monotonic()
    with locked("campaigns", campaign.pk), pytest.raises(OperationalError) as caught, switch_lock():
        type(campaign).objects.filter(pk=campaign.pk).update(name="x")
    assert time.monotonic() - began < 5
    assert postgresql.row_in_use(caught.value)
    assert "try again" in postgresql.words(caught.value)


def test_the_limit_ends_with_the_lock(settings: Any) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return str(cursor.fetchone()[0])

    before = limit()
    with switch_lock():
        assert limit() == "500ms"
    assert limit() == before
