"""The two statements of a job's life that every call needs: one claims it, one completes it.

Each is a round trip and a transaction, prepared once a connection: planning them anew costs more than running them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

import psycopg
from django.db import connection

from campaigns import fences
from campaigns.first_leads import MAY_RUN
from campaigns.models import Campaign, JobRow, Lead, VendorCall
from campaigns.wake import CHANNEL

# All of the row comes out of the statement that took it: read in a second one, it may by then be another's claim.
CLAIM = """
WITH claimed AS (
    UPDATE job_rows SET status = 'PROCESSING', fence = {next}, worker = %(worker)s,
        claimed_at = statement_timestamp(), lease_until = statement_timestamp() + %(lease)s
    FROM campaigns c
    WHERE job_rows.id = %(job)s AND job_rows.status = 'PENDING' AND job_rows.run_at <= statement_timestamp()
        AND c.id = job_rows.campaign_id AND {runs} AND c.target_halt = '' AND c.budget_halt = ''
        AND {may_run}
    RETURNING job_rows.*
)
SELECT {columns}, {suppressed} FROM claimed JOIN campaigns ON campaigns.id = claimed.campaign_id
LEFT JOIN leads ON leads.id = claimed.lead_id
"""

RUNS = "c.status = 'RUNNING'"
# One that an operator lets through: in a campaign that nobody but the system keeps paused.
TRIED = "c.status = 'PAUSED' AND c.system_paused_at IS NOT NULL AND c.operator_paused_at IS NULL"

# Whether the lead's address, its domain or a parent domain is on the suppression list, or another address of the same
# person itself. Of the same statement: whoever is suppressed before a claim is committed has no call.
SUPPRESSED = """
EXISTS (
    SELECT FROM suppressions WHERE value = ANY(
        suppression_keys(leads.email) || string_to_array(leads.data ->> 'other_emails', ', ')
    )
)
"""

# A reclaimer's `unknown` is upgraded by the worker that knows; nothing else is ever overwritten. What was bought stays
# on the books although PostgreSQL has lost the job, or has another by its id (fences.py): then they name none.
BOOK = """
INSERT INTO vendor_calls ({columns})
SELECT {values} FROM json_populate_record(NULL::vendor_calls, %(call)s::json) AS call
LEFT JOIN job_rows ON job_rows.id = call.job_id AND (call.fence > {born} OR call.fence < {counted})
LEFT JOIN campaigns AS payer ON payer.id = call.campaign_id
WHERE %(call)s::text IS NOT NULL
ON CONFLICT (job_id, fence) DO UPDATE SET ({kept}) = ROW ({excluded}), error = left('late: ' || excluded.error, 500)
WHERE vendor_calls.outcome = 'unknown' AND excluded.outcome <> 'unknown'
"""
# How the books say so; of a claim as well, whose job goes on under lower numbers.
LOST = "PostgreSQL has lost"
# What the books name must exist.
BOOKED = {
    "job_id": "job_rows.id",
    "campaign_id": "payer.id",
    "error": "CASE WHEN call.job_id IS NULL OR call.fence <= job_rows.fence THEN call.error "
    f"WHEN job_rows.id IS NULL THEN left('{LOST} the job: ' || call.error, 500) "
    f"ELSE left('{LOST} the claim: ' || call.error, 500) END",
}

# A fact was paid for whoever's the job is by now. In place of the mark of the job that asked.
KEEP = """kept AS (
    INSERT INTO known_facts (key, about, value, cost_usd, bought_at)
    SELECT key, about, value, cost_usd, statement_timestamp()
    FROM json_populate_record(NULL::known_facts, %(fact)s::json)
    ON CONFLICT (key) DO UPDATE SET about = excluded.about, value = excluded.value, cost_usd = excluded.cost_usd,
        bought_at = excluded.bought_at, asked_by = NULL, asked_until = NULL
), """

# What was paid for is kept in any case; a lead that has ended meanwhile (its campaign was cancelled) moves no more,
# but a push is a push.
COMPLETE = """
WITH booked AS ({book}), {kept}done AS (
    UPDATE job_rows SET status = 'COMPLETED', completed_at = statement_timestamp(), lease_until = NULL, error = NULL,
        failure_type = '', without_call = %(without_call)s, avoided_usd = %(avoided_usd)s::numeric,
        payload = payload - %(answer)s::text
    WHERE id = %(job)s AND fence = %(fence)s AND status = 'PROCESSING'
    RETURNING lead_id, campaign_id
), moved AS (
    UPDATE leads SET {changes} FROM done, json_populate_record(NULL::leads, %(lead)s::json) AS bought
    WHERE leads.id = done.lead_id RETURNING leads.id, leads.campaign_id, leads.state
), following AS (
    INSERT INTO job_rows (lead_id, campaign_id, kind, service, part, payload, status, failure_type, without_call,
        attempts, crashes, fence, worker, run_at, created_at)
    SELECT id, campaign_id, %(next_kind)s::text, %(next_service)s::text, 0, '{{}}', 'PENDING', '', false, 0, 0, 0, '',
        statement_timestamp(), statement_timestamp()
    FROM moved WHERE state = 'OPEN' AND %(next_kind)s::text <> ''
    ON CONFLICT DO NOTHING
)
SELECT CASE WHEN %(wake)s THEN pg_notify('{channel}', '') END FROM done
"""
MOVES = "leads.state = 'OPEN' OR %(end)s::text = 'PUSHED'"
ENDS = {
    "state": "%(end)s::text",
    "ended_at": "statement_timestamp()",
    "end_reason": "%(end_reason)s::text",
}


@contextmanager
def prepared() -> Iterator[Any]:
    """A cursor whose statements the server parses and plans once a connection; Django's own binds in the client.

    Errors and the log of queries are Django's.
    """
    connection.ensure_connection()
    cursor: Any = _Prepared(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(cursor) as wrapped:
        yield wrapped


class _Prepared(psycopg.Cursor[Any]):
    """A cursor that prepares whatever it executes."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
        return super().execute(query, params, **{**how, "prepare": True})


@cache
def _columns(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


@cache
def _claim(once: bool = False) -> str:
    tables = ((JobRow, "claimed"), (Lead, "leads"), (Campaign, "campaigns"))
    columns = ", ".join(f"{table}.{name}" for model, table in tables for name in _columns(model))
    return CLAIM.format(
        columns=columns, suppressed=SUPPRESSED, runs=TRIED if once else RUNS, may_run=MAY_RUN, next=fences.NEXT
    )


def claim(job: int, *, worker: str, lease: Any, once: bool = False) -> JobRow | None:
    """Claim a job; its row with its lead and campaign, and whether that lead is suppressed; None when it cannot be
    had."""
    with prepared() as cursor:
        cursor.execute(_claim(once), {"job": job, "worker": worker, "lease": lease})
        row = cursor.fetchone()
    if row is None:
        return None
    values, suppressed = iter(row[:-1]), bool(row[-1])
    claimed, lead, campaign = (_made(model, values) for model in (JobRow, Lead, Campaign))
    assert claimed is not None  # noqa: S101 (ids are never null)
    claimed.campaign, claimed.suppressed = campaign, suppressed
    if lead:
        lead.campaign, claimed.lead = campaign, lead
    return claimed


def _made(model: Any, values: Iterator[Any]) -> Any:
    """An instance from the next columns of a row; None where an outer join found nothing."""
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(model._meta.concrete_fields, values, strict=False)
    ]
    return model.from_db(connection.alias, _columns(model), read) if read[0] is not None else None


@cache
def book_sql() -> str:
    """The statement that writes the ledger; its parameter `call` is a row as JSON."""
    columns = [name for name in _columns(VendorCall) if name != "id"]
    identity = ("job_id", "fence", "campaign_id", "service", "kind", "worker", "error")
    kept = [name for name in columns if name not in identity]
    return BOOK.format(
        columns=", ".join(columns),
        values=", ".join(BOOKED.get(name, f"call.{name}") for name in columns),
        kept=", ".join(kept),
        excluded=", ".join(f"excluded.{name}" for name in kept),
        born=fences.BORN,
        counted=fences.COUNTED,
    )


@cache
def _complete(bought: tuple[str, ...], ends: bool, moves_on: bool, keeps: bool) -> str:
    changes = {name: f"bought.{name}" for name in bought}
    moved = (ENDS if ends else {}) | ({"stage": "%(next_kind)s::text"} if moves_on else {})
    # To a stage without a job: a person's turn.
    moved |= {"stage": "bought.stage"} if "stage" in bought else {}
    changes |= {name: f"CASE WHEN {MOVES} THEN {value} ELSE leads.{name} END" for name, value in moved.items()}
    # Something must be set; a lead without a change keeps its stage.
    texts = ", ".join(f"{name} = {value}" for name, value in (changes or {"stage": "leads.stage"}).items())
    return COMPLETE.format(book=book_sql(), kept=KEEP if keeps else "", changes=texts, channel=CHANNEL)


def complete(
    job: JobRow,
    *,
    call: str | None,
    answer: str,
    without_call: bool,
    lead: dict[str, Any],
    next_kind: str,
    next_service: str,
    end: str,
    end_reason: str,
    fact: dict[str, Any] | None,
    avoided_usd: Decimal,
    wake: bool,
) -> bool:
    """Book the call, complete the job, change its lead and insert the next job; False when it was no longer ours.

    `call` is a row of the ledger as JSON, `fact` one of the known facts, `answer` the key of an answer that the payload
    may keep.
    """
    parameters = {
        "call": call, "job": job.pk, "fence": job.fence, "answer": answer, "without_call": without_call,
        "lead": json.dumps(lead), "next_kind": next_kind, "next_service": next_service, "end": end,
        "end_reason": end_reason, "wake": wake, "avoided_usd": avoided_usd, "fact": json.dumps(fact, default=str),
    }  # fmt: skip
    with prepared() as cursor:
        cursor.execute(_complete(tuple(sorted(lead)), bool(end), bool(next_kind), fact is not None), parameters)
        return cursor.fetchone() is not None
