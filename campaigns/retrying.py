"""Putting back what FAILED: a job and its lead in one statement, so that no worker sees, or makes, half of it."""

from typing import Any

from django.db import connection, transaction

from campaigns.refusals import MARK
from campaigns.wake import wake_supervisor
from circuitbreakers import events

# The first batch is moved under the switch lock, which a pause waits for.
FIRST_BATCH = 100
BATCH = 5_000

# What the vendor called invalid would fail again, unless it said so of all others too. What fails again meanwhile is
# not put back for ever.
FAILED = f"""
    SELECT j.id FROM jobs j LEFT JOIN leads l ON l.id = j.lead_id
    WHERE j.campaign_id = %(campaign)s AND j.id > %(since)s AND j.status = 'FAILED'
        AND (j.failure_type <> 'invalid_request' OR starts_with(j.error, '{MARK}')) AND j.completed_at <= %(begun)s
        AND (j.lead_id IS NULL OR (l.stage = j.kind AND l.state IN ('OPEN', 'FAILED')))
"""  # noqa: S608 (constants only)
# The campaign's row is held as an import holds it: it does not end while this runs, and if it has ended nothing moves.
PUT_BACK = f"""
WITH alive AS MATERIALIZED (
    SELECT id FROM campaigns WHERE id = %(campaign)s AND status IN ('RUNNING', 'PAUSED') FOR KEY SHARE
), batch AS MATERIALIZED (
    {FAILED} AND EXISTS (SELECT FROM alive) ORDER BY j.id LIMIT %(limit)s FOR UPDATE OF j
), moved AS (
    UPDATE jobs SET status = 'PENDING', completed_at = NULL, attempts = 0, crashes = 0, error = NULL,
        failure_type = '', sent_at = NULL, run_at = statement_timestamp()
    WHERE id = ANY (ARRAY(SELECT id FROM batch)) AND status = 'FAILED'
    RETURNING jobs.id, jobs.lead_id
), opened AS (
    UPDATE leads SET state = 'OPEN', ended_at = NULL, end_reason = ''
    FROM moved WHERE leads.id = moved.lead_id AND leads.state = 'FAILED'
)
SELECT (SELECT count(*) FROM moved), (SELECT max(id) FROM batch)
"""  # noqa: S608 (constants only)


class FailedJobs:
    """Those of one campaign that had failed when this was made and may be tried again, from the oldest on."""

    def __init__(self, campaign: int) -> None:
        self.where: dict[str, Any] = {"campaign": campaign, "since": 0, "limit": FIRST_BATCH}
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            self.where["begun"] = cursor.fetchone()[0]

    def left(self) -> bool:
        """Whether there are any that put_back has not passed."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS ({FAILED})", self.where)
            return bool(cursor.fetchone()[0])

    def put_back(self, *, actor: events.Actor, reason: str) -> int:
        """The next of them become PENDING, with their event; how many. None of a campaign that has ended."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(PUT_BACK, self.where)
                count, last = cursor.fetchone()
            self.where |= {"since": last or self.where["since"], "limit": BATCH}
            if count:
                events.record("campaign", self.where["campaign"], "retried_failed", actor=actor, reason=reason,
                              after={"jobs": count})  # fmt: skip
                wake_supervisor()
        return int(count)
