"""The jobs and leads of a cancelled campaign are ended here: set-based, in batches that can be repeated and
interrupted.

PROCESSING rows are not touched: their workers finish and book them.
"""

from django.db import connection

from campaigns import endings
from campaigns.wake import wake_supervisor

BATCH = 10_000
# After so many jobs a call returns, and wakes the supervisor for the rest: it must sign, and dispatch, in between.
MOST = 20_000

# Materialized: as a subquery of IN it may be run once a row, and each time finds further rows that are not locked yet.
# By an array of ids: a join, or the status again, may read every waiting job for each one of the batch.
CANCEL_JOBS = f"""
WITH batch AS MATERIALIZED (
    SELECT j.id FROM campaigns c
    JOIN LATERAL (
        SELECT id FROM job_rows WHERE campaign_id = c.id AND status = 'PENDING' LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) j ON true
    WHERE c.status = 'CANCELLED' AND c.id >= %(since)s
    ORDER BY c.id LIMIT %(limit)s
)
{endings.CANCEL_JOBS}
WHERE job_rows.id = ANY(ARRAY(SELECT id FROM batch))
RETURNING job_rows.campaign_id
"""  # noqa: S608 (constants only)

CANCEL_LEADS = f"""
WITH batch AS MATERIALIZED (
    SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id
    WHERE c.status = 'CANCELLED' AND l.state = 'OPEN'
    AND (SELECT count(*) FILTER (WHERE j.status = 'PROCESSING') FROM job_rows j WHERE j.lead_id = l.id) = 0
    LIMIT %(limit)s
)
{endings.DROP_LEADS}
WHERE leads.id = ANY(ARRAY(SELECT id FROM batch)) AND leads.state = 'OPEN'
"""  # noqa: S608 (constants only)


def end_cancelled() -> int:
    """End jobs and leads of cancelled campaigns, some ten thousands a call; how many."""
    return cancel_jobs() + cancel_leads()


def cancel_jobs() -> int:
    """Make waiting jobs of cancelled campaigns CANCELLED; how many."""
    # Walking on by campaign: starting over would read the index entries of all that was moved before.
    since, moved = 0, 0
    while moved < MOST:
        with connection.cursor() as cursor:
            cursor.execute(CANCEL_JOBS, {"limit": BATCH, "since": since, "why": "Campaign cancelled"})
            campaigns = [row[0] for row in cursor.fetchall()]
        moved += len(campaigns)
        if len(campaigns) < BATCH:
            return moved
        since = max(campaigns)
    wake_supervisor()
    return moved


def cancel_leads() -> int:
    """End leads of a cancelled campaign as DROPPED, but for one whose call is in flight; how many."""
    with connection.cursor() as cursor:
        cursor.execute(CANCEL_LEADS, {"limit": BATCH, "why": "campaign cancelled"})
        ended = int(cursor.rowcount)
    if ended == BATCH:
        wake_supervisor()
    return ended
