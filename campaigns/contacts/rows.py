"""The rows of `contacts` are read and held here, by sets: each statement takes all people of a batch.

Whoever locks several rows does so in the order of their keys, so that two of them cannot deadlock.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.contacts.names import domain_of_key
from campaigns.models import Campaign

UNFINISHED = (Campaign.Status.CREATED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)

COLUMNS = "key, campaign_id, lead_id, held_since, pushed_by_id, pushed_at"
# A new person is held at once by whoever asks first. A row that is there already is locked, and told as it is now.
CLAIM = f"""
INSERT INTO contacts (key, domain, campaign_id, lead_id, held_since, pushing, outcome)
SELECT key, domain, campaign, lead, statement_timestamp(), '', ''
FROM json_to_recordset(%s::json) AS wanted (key text, domain text, campaign bigint, lead bigint) ORDER BY key
ON CONFLICT (key) DO UPDATE SET pushing = contacts.pushing
RETURNING {COLUMNS}
"""  # noqa: S608 (constants only)
READ = f"SELECT {COLUMNS} FROM contacts WHERE key = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))"  # noqa: S608
# Scalar subqueries go through the primary keys, whatever the planner's statistics.
ACTIVE = """
SELECT campaign, lead FROM json_to_recordset(%s::json) AS holder (campaign bigint, lead bigint)
WHERE (SELECT status FROM campaigns WHERE id = campaign) = ANY(%s)
    AND (lead IS NULL OR (SELECT state FROM leads WHERE id = lead) = 'OPEN')
"""
HOLD = """
UPDATE contacts SET campaign_id = held.campaign, lead_id = held.lead, held_since =
    CASE WHEN campaign_id = held.campaign AND held_since IS NOT NULL THEN held_since ELSE statement_timestamp() END
FROM json_to_recordset(%s::json) AS held (key text, campaign bigint, lead bigint) WHERE contacts.key = held.key
"""
PEOPLE = """
SELECT domain, count(*) FILTER (WHERE pushed), count(*) FILTER (WHERE NOT pushed) FROM (
    SELECT c.domain, coalesce(c.pushed_at > now() - make_interval(days => %(days)s), false) AS pushed,
        (SELECT status FROM campaigns WHERE id = c.campaign_id) = ANY(%(unfinished)s)
            AND (SELECT state FROM leads WHERE id = c.lead_id) = 'OPEN' AS held
    FROM contacts c WHERE c.domain = ANY(ARRAY(SELECT json_array_elements_text(%(domains)s::json)))
        AND c.key NOT IN (SELECT json_array_elements_text(%(apart)s::json))
) AS people WHERE pushed OR held GROUP BY domain
"""


@dataclass(frozen=True)
class Person:
    """A person is asked for by a campaign, under `keys`; `lead` is None as long as only Apollo's id is known."""

    campaign: int
    lead: int | None
    keys: list[str]


@dataclass
class Held:
    """This is a row as it is now. Its campaign and lead hold the person as long as they are `active`."""

    key: str
    campaign: int | None
    lead: int | None
    held_since: datetime | None
    pushed_by: int | None
    pushed_at: datetime | None


def claim(people: Iterable[Person]) -> dict[str, Held]:
    """Lock the contacts of these people, make those that are new, and return all by their keys. In a transaction.

    Of two people with one name the first holds a new row.
    """
    wanted: dict[str, dict[str, Any]] = {}
    for person in people:
        for key in person.keys:
            row = {"key": key, "domain": domain_of_key(key), "campaign": person.campaign, "lead": person.lead}
            wanted.setdefault(key, row)
    return _rows(CLAIM, [json.dumps(list(wanted.values()))])


def read(keys: Iterable[str]) -> dict[str, Held]:
    """Return the contacts that exist under these keys. Locks nothing."""
    return _rows(READ, [json.dumps(list(dict.fromkeys(keys)))])


def active(rows: Iterable[Held]) -> set[tuple[int | None, int | None]]:
    """Return the holders (campaign, lead) of these rows that still are: the campaign unfinished, the lead OPEN."""
    holders = {(row.campaign, row.lead) for row in rows if row.campaign}
    if not holders:
        return set()
    asked = json.dumps([{"campaign": campaign, "lead": lead} for campaign, lead in holders])
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE, [asked, list(UNFINISHED)])
        return set(cursor.fetchall())


def hold(rows: Iterable[Held]) -> None:
    """Write down the holders of these rows, which `claim` has locked."""
    held = [{"key": row.key, "campaign": row.campaign, "lead": row.lead} for row in rows]
    if held:
        with connection.cursor() as cursor:
            cursor.execute(HOLD, [json.dumps(held)])


def people_of(domains: Iterable[str], days: int, apart: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Count the people of each domain: written to in the last `days`, and others in conversation now; without the keys
    `apart`."""
    parameters: dict[str, Any] = {
        "domains": json.dumps(list(domains)),
        "apart": json.dumps(list(apart)),
        "days": days,
        "unfinished": list(UNFINISHED),
    }
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, parameters)
        return {domain: (pushed, held) for domain, pushed, held in cursor.fetchall()}


def _rows(statement: str, parameters: list[Any]) -> dict[str, Held]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {row[0]: Held(*row) for row in cursor.fetchall()}
