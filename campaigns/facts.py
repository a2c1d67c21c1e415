"""No fact is bought twice: one of all jobs that need it asks for it, the others take what it was told."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models import JobRow, KnownFact
from campaigns.statements import prepared

# A row comes back if this job is the one to ask; else its value, if it is known.
ASK = """
WITH asking AS (
    INSERT INTO known_facts (key, about, value, cost_usd, bought_at, asked_by, asked_until)
    VALUES (%(key)s, %(about)s, NULL, 0, statement_timestamp(), %(job)s, %(until)s)
    ON CONFLICT (key) DO UPDATE SET value = NULL, asked_by = excluded.asked_by, asked_until = excluded.asked_until
    WHERE (known_facts.value IS NOT NULL AND known_facts.bought_at < statement_timestamp() - %(remembered)s)
        OR (known_facts.value IS NULL AND (known_facts.asked_by = excluded.asked_by
            OR coalesce(known_facts.asked_until < statement_timestamp(), true)))
    RETURNING key
)
SELECT EXISTS (SELECT FROM asking), f.value, f.cost_usd
FROM (VALUES (1)) one LEFT JOIN known_facts f ON f.key = %(key)s
"""


@dataclass(frozen=True)
class Fact:
    """A fact is what an answer says of `key`, to be kept with the completion of its job; no `value`: it says nothing,
    and the next job may ask. `about`: the address that it is a fact of, "" for a company's. It cost what was booked for
    its call."""

    key: str
    value: dict[str, Any] | None
    about: str
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Asked:
    """This is the answer to `ask`: it is this job's to buy (`mine`), or it is known, or another job is asking."""

    mine: bool
    known: Fact | None = None


def ask(job: JobRow, key: str, *, about: str, remembered: timedelta) -> Asked:
    """Look a fact up, or have this job be the one to buy it: one statement. Older than `remembered` it is none."""
    with prepared() as cursor:
        values = {"key": key, "about": about, "job": job.pk, "until": job.lease_until, "remembered": remembered}
        cursor.execute(ASK, values)
        mine, value, cost = cursor.fetchone()
    return Asked(mine, None if mine or value is None else Fact(key, json.loads(value), about, cost))


def known(keys: Iterable[str], *, remembered: timedelta | None = None) -> dict[str, Fact]:
    """Find those of the keys that are known, and not older than `remembered`, if it is given."""
    fresh = Q(bought_at__gte=Now() - remembered) if remembered is not None else Q()
    rows = KnownFact.objects.filter(fresh, key__in=set(keys)).exclude(value=None)
    return {row.key: Fact(row.key, row.value, row.about, row.cost_usd) for row in rows}


def keep(facts: Iterable[Fact]) -> None:
    """Remember many facts by one statement, in the caller's transaction."""
    rows = [KnownFact(key=one.key, about=one.about, value=one.value, cost_usd=one.cost_usd) for one in facts]
    columns = ["about", "value", "cost_usd", "asked_by", "asked_until", "bought_at"]
    KnownFact.objects.bulk_create(
        sorted(rows, key=lambda row: row.key), update_conflicts=True, unique_fields=["key"], update_fields=columns
    )
