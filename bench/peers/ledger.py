"""A lead's row and a row for each call are what Celery and Procrastinate write here: plain psycopg, one statement.

So much is the least that a ledger needs; an ORM would cost more.
"""

import os
import threading
import time
from typing import Any

import psycopg
import pybreaker
from psycopg.types.json import Jsonb

from bench.peers import vendors

TABLES = """
CREATE TABLE IF NOT EXISTS peer_leads (id bigint PRIMARY KEY, stage text NOT NULL, answers jsonb NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS peer_calls (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lead_id bigint NOT NULL
    REFERENCES peer_leads, step text NOT NULL, outcome text NOT NULL, duration_ms integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now());
TRUNCATE peer_leads, peer_calls;
"""
WRITE = """
WITH call AS (INSERT INTO peer_calls (lead_id, step, outcome, duration_ms)
    VALUES (%(lead)s, %(step)s, %(outcome)s, %(ms)s))
UPDATE peer_leads SET stage = %(step)s, answers = answers || %(answer)s WHERE id = %(lead)s
"""
# pybreaker holds a lock during the whole call: one breaker for all threads would make their calls one after the other.
storages = {step: pybreaker.CircuitMemoryStorage("closed") for step in vendors.STEPS}
local = threading.local()


def connection() -> psycopg.Connection:
    """Return this thread's connection."""
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["BENCH_DATABASE_URL"], autocommit=True)
    return local.connection


def call(step: str, lead: int) -> dict[str, Any]:
    """Make a paid call behind a breaker; returns what `write` is to write. Raises what the breaker or the call does."""
    if not hasattr(local, "breakers"):
        local.breakers = {
            name: pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60, state_storage=storage)
            for name, storage in storages.items()
        }
    began = time.monotonic()
    answer = local.breakers[step].call(vendors.ask, step, lead)
    ms = round(1000 * (time.monotonic() - began))
    return {"lead": lead, "step": step, "outcome": "success", "ms": ms, "answer": Jsonb({step: answer})}


def write(written: dict[str, Any]) -> None:
    """Write the ledger row and the lead in one statement."""
    connection().execute(WRITE, written)


def prepare(leads: int) -> None:
    """Make the tables, and so many leads."""
    connection().execute(TABLES)
    connection().execute("INSERT INTO peer_leads SELECT n, 'new' FROM generate_series(0, %s) n", [leads - 1])
