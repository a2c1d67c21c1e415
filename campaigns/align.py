"""Level-triggered: the desired state of a job that no worker holds is a function of its campaign's state.

The one place where PENDING and PAUSED turn into each other. Each batch is a statement of its own: it can be repeated,
interrupted and resumed, and two may run at once. PROCESSING rows belong to their workers and are not touched.
"""

import logging
from collections.abc import Generator

from django.db import connection
from django.db.models import F

from campaigns.wake import wake_supervisor
from circuitbreakers import events, incidents
from circuitbreakers.models import Incident

logger = logging.getLogger(__name__)

# Up to here each job gets its log line; past it, one line a batch.
FIRST_BATCH = 1_000
BATCH = 10_000
# After so many jobs a call returns, and wakes the supervisor for the rest: it must sign, and dispatch, in between.
MOST = 20_000

# Materialized: as a subquery of IN it may be run once a row, and each time finds further rows that are not locked yet.
# By an array of ids: a join, or the status again, may read every waiting job for each one of the batch.
ALIGN = """
WITH batch AS MATERIALIZED (
    SELECT j.id FROM campaigns c
    JOIN LATERAL (
        SELECT id FROM jobs WHERE campaign_id = c.id AND status = %(from)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) j ON true
    WHERE c.status = %(campaign)s AND c.id >= %(since)s
    ORDER BY c.id LIMIT %(limit)s
)
UPDATE jobs SET status = %(to)s, error = {error}, sent_at = NULL, completed_at = {ended}
WHERE jobs.id = ANY(ARRAY(SELECT id FROM batch))
RETURNING jobs.id, jobs.campaign_id
"""
PAUSED_BECAUSE = "'Job paused: Campaign ' || campaign_id || ' is paused'"
NOW = "statement_timestamp()"

CANCEL_LEADS = """
WITH batch AS MATERIALIZED (
    SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id
    WHERE c.status = 'CANCELLED' AND l.state = 'OPEN'
    AND (SELECT count(*) FILTER (WHERE j.status = 'PROCESSING') FROM jobs j WHERE j.lead_id = l.id) = 0
    LIMIT %s
)
UPDATE leads SET state = 'DROPPED', end_reason = 'campaign cancelled', ended_at = statement_timestamp()
WHERE leads.id = ANY(ARRAY(SELECT id FROM batch)) AND leads.state = 'OPEN'
"""


def align_jobs() -> int:
    """Make jobs agree with their campaigns, some ten thousands a call; how many it moved."""
    moved = pause_jobs()
    moved += sum(len(batch) for batch in _batches("PAUSED", "PENDING", "RUNNING", "NULL", "NULL"))
    for held in ("PENDING", "PAUSED"):
        moved += sum(len(batch) for batch in _batches(held, "CANCELLED", "CANCELLED", "'Campaign cancelled'", NOW))
    return moved + cancel_leads()


def pause_jobs() -> int:
    """PENDING -> PAUSED in paused campaigns; how many."""
    total = 0
    for batch in _batches("PENDING", "PAUSED", "PAUSED", PAUSED_BECAUSE, "NULL"):
        total += len(batch)
        incident = incidents.current()
        if total <= FIRST_BATCH:
            for job, campaign in batch:
                logger.info(
                    "Job %s paused: Campaign %s is paused", job, campaign, extra={"job": job, "campaign": campaign}
                )
        else:
            logger.info("%d jobs paused: their campaigns are paused", len(batch), extra={"jobs": len(batch)})
        if incident:
            Incident.objects.filter(pk=incident.pk).update(jobs_paused=F("jobs_paused") + len(batch))
        events.record(
            "queue", "jobs", "jobs_paused", actor=events.SUPERVISOR, after={"jobs": len(batch)}, incident=incident
        )
    return total


def _batches(held: str, to: str, campaign: str, error: str, ended: str) -> Generator[list[tuple[int, int]], None, None]:
    """Move jobs batch by batch; yields the (job, campaign) ids of each batch."""
    # Walking on by campaign: starting over would read the index entries of all that was moved before.
    limit, since, moved = FIRST_BATCH, 0, 0
    sql = ALIGN.format(error=error, ended=ended)
    while moved < MOST:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"from": held, "to": to, "campaign": campaign, "limit": limit, "since": since})
            batch = cursor.fetchall()
        if batch:
            yield batch
        if len(batch) < limit:
            return
        moved += len(batch)
        limit, since = BATCH, max(row[1] for row in batch)
    wake_supervisor()


def cancel_leads() -> int:
    """Leads of a cancelled campaign end as DROPPED, but for one whose call is in flight; how many."""
    with connection.cursor() as cursor:
        cursor.execute(CANCEL_LEADS, [BATCH])
        ended = int(cursor.rowcount)
    if ended == BATCH:
        wake_supervisor()
    return ended


def unaligned_jobs() -> bool:
    """Whether a PENDING job is left in a paused campaign: the pause has not finished spreading."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM campaigns c WHERE c.status = 'PAUSED' AND EXISTS "
            "(SELECT FROM jobs j WHERE j.campaign_id = c.id AND j.status = 'PENDING'))"
        )
        return bool(cursor.fetchone()[0])
