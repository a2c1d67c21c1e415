"""Fixtures for whatever needs switch and rows in step, for all tests, and ways to take a store or a row away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test import override_settings

from circuitbreakers import broker, budgets, policies, rebuild, switch
from circuitbreakers.services import SERVICES
from integrations import deadline
from integrations.sandbox import Sandbox
from integrations.sandbox.faults import Setting
from tests.breakers import answer_probes

NOBODY = "redis://127.0.0.1:1"  # refuses at once on every loopback


# What the first comparison writes to an empty switch. Made once: each test puts it back in one round trip.
compared: dict[Any, Any] = {}


@pytest.fixture(scope="session")
def compared_hashes(django_db_setup: None, django_db_blocker: Any) -> None:
    """From here on `put_in_step` knows what to put."""
    forget_servers()
    with django_db_blocker.unblock(), transaction.atomic():
        switch.client().flushall()
        rebuild.compare()
        transaction.set_rollback(True)  # the events that say so
    compared.update({key: switch.client().hgetall(key) for key in switch.client().scan_iter()})


@pytest.fixture
def in_step(db: None, compared_hashes: None, settings: Any) -> Iterator[None]:
    """Five closed breakers, an ACTIVE queue, no rate limits; no messages and an empty cache."""
    settings.RATE_LIMITS = dict.fromkeys(SERVICES, ())
    put_in_step()
    yield
    forget_servers()


def put_in_step() -> None:
    """Leave five closed breakers and an ACTIVE queue in the switch and nothing else in Redis; no row is touched."""
    forget_servers()
    pipe = switch.client().pipeline(transaction=False)
    pipe.flushall()
    for key, fields in compared.items():
        pipe.hset(key, mapping=fields)
    pipe.execute()
    # The memory begins with the test, not with the run.
    switch.run("seal", switch.EVERYBODY, [compared["switch_seal"]["run_id"]])


@pytest.fixture
def probes_succeed() -> None:
    """Each vendor's health call finds it well, until the test ends."""
    for service in SERVICES:
        answer_probes(service=service)


def leave_out(task: Callable[[], object], what: str = "") -> None:
    """Do not ask a vendor beside a supervisor's round: that thread would write outside the test's transaction."""


def forget_servers() -> None:
    """Drop what this process remembers of Redis."""
    for cached in (switch.client, switch.script, broker.client):
        cached.cache_clear()
    switch.Availability.trouble = ""
    policies.forget()
    budgets.forget()


@contextmanager
def away(setting: str) -> Iterator[None]:
    """REDIS_SWITCH_URL or REDIS_BROKER_URL leads nowhere in here."""
    with override_settings(**{setting: f"{NOBODY}/0"}):
        forget_servers()
        yield
    forget_servers()


@contextmanager
def another_session() -> Iterator[psycopg.Connection]:
    """A session of PostgreSQL beside Django's."""
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: known[name] for name in names}) as session:
        yield session


@contextmanager
def locked(table: str, pk: int) -> Iterator[None]:
    """Somebody else holds the row in here. The row must be committed."""
    with another_session() as session:
        session.execute(f"SELECT FROM {table} WHERE id = {pk} FOR UPDATE")
        yield
        session.rollback()


@contextmanager
def refusing(table: str, pk: int, event: str = "UPDATE") -> Iterator[None]:
    """The database refuses to change this row in here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
            f"CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW WHEN (NEW.id = {pk}) "
            "EXECUTE FUNCTION refuse();"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refuse ON {table}; DROP FUNCTION refuse();")


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[Sandbox]:
    with Sandbox(port=0) as running:
        yield running
        deadline.adapter.poolmanager.clear()


@pytest.fixture
def sandbox(one_sandbox: Sandbox, in_step: None, settings: Any) -> Sandbox:
    """Five healthy vendors that answer at once and have forgotten everything; our keys and addresses point at them."""
    for vendor in one_sandbox.vendors:
        vendor.forget()
    one_sandbox.ledger.clear()
    for service in SERVICES:
        break_vendor(one_sandbox, service, "none")
    settings.VENDORS = {
        service: {**vendor, "base_url": vendor["base_url"].replace(settings.SANDBOX_URL, one_sandbox.url)}
        for service, vendor in settings.VENDORS.items()
    }
    return one_sandbox


def break_vendor(sandbox: Sandbox, service: str, fault: Any, **details: Any) -> None:
    """From now on that vendor fails in this way; `none` makes it well again."""
    sandbox.faults.put(service, Setting(fault=fault, **{"latency_ms": 0, **details}))


def calls_of(sandbox: Sandbox, service: str | None = None) -> list[dict[str, Any]]:
    """What arrived at the vendors, in order."""
    return [call for call in sandbox.ledger.since(0) if service in (None, call["service"])]
