"""Jobs that have ended are put back here, one, or all of a campaign that FAILED: `AFRESH` says what that means."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns.models import Campaign, Job, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.refusals import MARK
from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.locks import switch_lock

# The columns of a job that is put back: as if nothing had been tried, and due by the database's clock. What its calls
# cost and what they brought stays, and so does the fence: an earlier holder that wakes up changes nothing.
AFRESH: dict[str, Any] = {
    "status": JobRow.Status.PENDING,
    "completed_at": None,
    "attempts": 0,
    "crashes": 0,
    "error": None,
    "failure_type": "",
    "sent_at": None,
    "run_at": Now(),
}
AFRESH_PARAMS = {column: value for column, value in AFRESH.items() if not isinstance(value, Now)}
AFRESH_SQL = ", ".join(
    f"{column} = %({column})s" if column in AFRESH_PARAMS else f"{column} = statement_timestamp()" for column in AFRESH
)

# The first batch is moved under the switch lock, which a pause waits for.
FIRST_BATCH = 100
BATCH = 5_000

# What the vendor called invalid would fail again, unless it said so of all others too, or somebody has mended what it
# refused. What fails again meanwhile is not put back for ever.
FAILED = f"""
    SELECT j.id FROM job_rows j {{group}} LEFT JOIN leads l ON l.id = j.lead_id
    WHERE j.campaign_id = %(campaign)s AND j.id > %(since)s AND j.status = 'FAILED'
        AND (j.failure_type <> 'invalid_request' OR starts_with(j.error, '{MARK}') OR %(refused)s)
        AND j.completed_at <= %(begun)s
        AND (j.lead_id IS NULL OR (l.stage = j.kind AND l.state IN ('OPEN', 'FAILED')))
"""  # noqa: S608 (constants only)
# By index `failure_retry`, in the order of the jobs.
OF_GROUP = "JOIN failures f ON f.job_id = j.id AND f.campaign_id = %(campaign)s AND f.group_key = %(group)s"
# A job and its lead in one statement, so that no worker sees, or makes, half of it. Their failures go at once, which
# leaves the trigger of each job nothing to do: one tally, where it would append one a job.
# The campaign's row is held as an import holds it: it does not end while this runs, and if it has ended nothing moves.
PUT_BACK = f"""
WITH alive AS MATERIALIZED (
    SELECT id FROM campaigns WHERE id = %(campaign)s AND status IN ('RUNNING', 'PAUSED') FOR KEY SHARE
), batch AS MATERIALIZED (
    {FAILED} AND EXISTS (SELECT FROM alive) ORDER BY j.id LIMIT %(limit)s FOR UPDATE OF j
), forgotten AS (
    DELETE FROM failures WHERE job_id = ANY (ARRAY(SELECT id FROM batch))
), moved AS (
    UPDATE job_rows SET {AFRESH_SQL}
    WHERE id = ANY (ARRAY(SELECT id FROM batch)) AND status = 'FAILED'
    RETURNING job_rows.id, job_rows.lead_id
), opened AS (
    UPDATE leads SET state = 'OPEN', ended_at = NULL, end_reason = ''
    FROM moved WHERE leads.id = moved.lead_id AND leads.state = 'FAILED'
)
SELECT (SELECT count(*) FROM moved), (SELECT max(id) FROM batch)
"""  # noqa: S608 (constants only)


@dataclass(frozen=True)
class OfGroup:
    """These are the failures of one group (campaigns/failures) that had happened by an instant."""

    key: UUID
    until: datetime


def retry_job(pk: int, *, actor: events.Actor, reason: str = "") -> None:
    """Move a job from FAILED to PENDING with fresh attempts, its lead put back. Raises DoesNotExist, MoveRefused.

    In a paused campaign it is PAUSED at once. Under the switch lock, so that the campaign does not end meanwhile.
    """
    with switch_lock():
        job = Job.objects.select_related("campaign").get(pk=pk)
        if job.campaign.status not in (Campaign.Status.RUNNING, Campaign.Status.PAUSED):
            raise MoveRefused(
                f"Job {pk}: its campaign is {job.campaign.status}. Retry the campaign's failed jobs to reopen it."
            )
        if job.lead_id and not _reopen_lead(job.lead_id, job.kind):
            raise MoveRefused(f"Job {pk}: its lead has ended otherwise meanwhile.")
        changed = JobRow.objects.filter(pk=pk, status=JobRow.Status.FAILED).update(**AFRESH)
        if not changed:
            raise MoveRefused(f"Job {pk} is {job.status}: only a failed one can be retried.")
        events.record(
            "job",
            pk,
            "retried",
            actor=actor,
            reason=reason,
            before={"status": JobRow.Status.FAILED},
            after={"status": JobRow.Status.PENDING},
        )
        wake_supervisor()


def _reopen_lead(lead: int, kind: str) -> bool:
    """Move a lead from FAILED to OPEN if it failed at this very step; an OPEN one stays as it is."""
    rows = Lead.objects.filter(pk=lead, stage=kind)
    changed = rows.filter(state=Lead.State.FAILED).update(state=Lead.State.OPEN, ended_at=None, end_reason="")
    return bool(changed) or rows.filter(state=Lead.State.OPEN).exists()


class FailedJobs:
    """These are the jobs of one campaign that had failed when this was made and may be tried again, from the oldest on.

    `refused`: those too that the vendor called invalid. `of`: only those of one group of failures.
    """

    def __init__(self, campaign: int, *, refused: bool = False, of: OfGroup | None = None) -> None:
        self.where: dict[str, Any] = {"campaign": campaign, "since": 0, "limit": FIRST_BATCH, "refused": refused}
        self.group = OF_GROUP if of else ""
        if of:
            self.where |= {"group": of.key, "begun": of.until}
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            self.where["begun"] = cursor.fetchone()[0]

    def left(self) -> bool:
        """Say whether there are any that put_back has not passed."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS ({FAILED.format(group=self.group)})", self.where)
            return bool(cursor.fetchone()[0])

    def put_back(self, *, actor: events.Actor, reason: str) -> int:
        """Make the next of them PENDING, with their event; how many. None of a campaign that has ended."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(PUT_BACK.format(group=self.group), AFRESH_PARAMS | self.where)
                count, last = cursor.fetchone()
            self.where |= {"since": last or self.where["since"], "limit": BATCH}
            if count:
                campaign, after = self.where["campaign"], {"jobs": count}
                events.record("campaign", campaign, "retried_failed", actor=actor, reason=reason, after=after)
                wake_supervisor()
        return int(count)
