"""Jobs of campaigns that ended long ago go together with their calls; what they add up to stays.

A campaign is marked first, under the switch lock, and from then on nothing of it can be tried again. A batch moves its
sums from the rows to `pruned_jobs` and `pruned_calls`, and back into the tallies, in one transaction: money and counts
are the same in every snapshot, and an interrupted prune leaves whole batches behind.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns.models import Campaign
from circuitbreakers import events
from circuitbreakers.locks import switch_lock

BATCH = 500  # jobs; with their calls some 30 ms

# An unfinished job keeps its campaign: a worker may still hold it.
DUE = """
SELECT c.id FROM campaigns c WHERE c.finished_at < %(before)s
    AND NOT EXISTS (SELECT FROM job_rows j WHERE j.campaign_id = c.id AND j.status = 'PENDING')
    AND NOT EXISTS (SELECT FROM job_rows j WHERE j.campaign_id = c.id AND j.status = 'PROCESSING')
    AND EXISTS (SELECT FROM job_rows j WHERE j.campaign_id = c.id)
ORDER BY c.id
"""
NEXT = "SELECT id FROM job_rows WHERE campaign_id = %(campaign)s ORDER BY id DESC LIMIT %(limit)s"


def _taking(rows: str, kept: str, tallies: str, *, keys: dict[str, str], numbers: dict[str, str]) -> str:
    """Write the statement that deletes rows and keeps their sums; it answers how many went.

    The triggers of the rows take the sums out of the tallies, and this puts them in again.
    """
    columns, adding = (
        ", ".join([*keys, *numbers]),
        ", ".join(f"{name} = k.{name} + excluded.{name}" for name in numbers),
    )
    return f"""
WITH gone AS (
    DELETE FROM {rows} = ANY(%(jobs)s) RETURNING *
), sums AS MATERIALIZED (
    SELECT {", ".join(f"{value} AS {name}" for name, value in keys.items())},
        {", ".join(f"sum({value}) AS {name}" for name, value in numbers.items())}
    FROM gone GROUP BY {", ".join(str(place + 1) for place in range(len(keys)))}
), kept AS (
    INSERT INTO {kept} AS k ({columns}) SELECT {columns} FROM sums
    ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {adding}
), tallied AS (
    INSERT INTO {tallies} ({columns}) SELECT {columns} FROM sums
)
SELECT coalesce(sum(number), 0) FROM sums
"""  # noqa: S608 (constants only)


TAKE_CALLS = _taking(
    "vendor_calls WHERE job_id",
    "pruned_calls",
    "call_tallies",
    keys={
        "campaign_id": "coalesce(campaign_id, 0)",
        "service": "service",
        "day": "(admitted_at AT TIME ZONE 'UTC')::date",
    },
    numbers={
        "number": "1",
        "failed": "(outcome NOT IN ('success', 'unknown'))::int",
        "unknown": "(outcome = 'unknown')::int",
        "credits": "credits",
        "tokens_in": "tokens_in",
        "tokens_out": "tokens_out",
        "cost_usd": "cost_usd",
        "may_be_charged": "may_be_charged::int",
        "may_cost_usd": "may_cost_usd",
    },
)
TAKE_JOBS = _taking(
    "job_rows WHERE id",
    "pruned_jobs",
    "job_tallies",
    keys={"campaign_id": "campaign_id", "service": "service", "status": "status"},
    numbers={"number": "1", "avoided_usd": "avoided_usd"},
)
# By the tallies, so that a dry run counts no rows.
LEFT = """
SELECT
    (SELECT coalesce(sum(number), 0) FROM job_tallies WHERE campaign_id = ANY(%(campaigns)s))
        - (SELECT coalesce(sum(number), 0) FROM pruned_jobs WHERE campaign_id = ANY(%(campaigns)s)),
    (SELECT coalesce(sum(number), 0) FROM call_tallies WHERE campaign_id = ANY(%(campaigns)s))
        - (SELECT coalesce(sum(number), 0) FROM pruned_calls WHERE campaign_id = ANY(%(campaigns)s))
"""


def due(before: datetime) -> list[int]:
    """Return the campaigns that ended before that instant and still have jobs, the oldest first."""
    return [int(pk) for (pk,) in _rows(DUE, {"before": before})]


def count(before: datetime) -> Counter[str]:
    """Count the jobs and calls that would go."""
    ((jobs, calls),) = _rows(LEFT, {"campaigns": due(before)})
    return Counter(jobs=int(jobs), calls=int(calls))


def batches(before: datetime, actor: events.Actor) -> Iterator[Counter[str]]:
    """Take them batch by batch, each a transaction: yields how many jobs and calls went with it."""
    for campaign in due(before):
        if mark(campaign, before, actor):
            while gone := take(campaign):
                yield gone


def mark(campaign: int, before: datetime, actor: events.Actor) -> bool:
    """Say in the campaign that its jobs are pruned, so that none is put back; False if it runs again meanwhile."""
    with switch_lock():
        ended = Campaign.objects.filter(pk=campaign, finished_at__lt=before)
        if ended.filter(jobs_pruned_at=None).update(jobs_pruned_at=Now()):
            events.record("campaign", campaign, "jobs_pruned", actor=actor)
        return ended.exists()


def take(campaign: int) -> Counter[str]:
    """Delete the next jobs of a marked campaign with their calls; empty when none is left."""
    with transaction.atomic():
        jobs = [pk for (pk,) in _rows(NEXT, {"campaign": campaign, "limit": BATCH})]
        if not jobs:
            return Counter()
        ((calls,),) = _rows(TAKE_CALLS, {"jobs": jobs})
        ((number,),) = _rows(TAKE_JOBS, {"jobs": jobs})
    return Counter(jobs=int(number), calls=int(calls))


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
