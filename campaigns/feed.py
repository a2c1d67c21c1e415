"""Leads are taken into the pipeline here: the first jobs of a campaign, by set-based SQL that can be repeated."""

import json
import logging
import time
from collections import Counter
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns.contacts.conversations import take_in
from campaigns.contacts.names import keys_of
from campaigns.contacts.policy import policy_of
from campaigns.contacts.rows import Person
from campaigns.models import JobRow, Lead
from campaigns.pipeline import FIRST_OF_LEAD, FOLLOWS, SERVICE_OF
from campaigns.retry import AFRESH
from campaigns.wake import wake_supervisor
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

# Small enough that a call takes far less than a second: whoever waits behind it is dispatch.
BATCH = 2500

# A job's columns without a default in the database, as the pipeline makes it.
NEW_JOB = (
    "kind, service, part, payload, status, failure_type, without_call, attempts, crashes, fence, worker, "
    "run_at, created_at"
)
NEW_JOB_VALUES = (
    "%(kind)s, %(service)s, 0, '{}', 'PENDING', '', false, 0, 0, 0, '', statement_timestamp(), statement_timestamp()"
)

UNFED = """
SELECT l.id, c.id, l.email, l.apollo_id, c.contact_policy, c.first_left FROM campaigns c
JOIN LATERAL (
    SELECT id, email, apollo_id FROM leads WHERE campaign_id = c.id AND state = 'OPEN' AND unfed
    LIMIT least(%s, c.first_left)
) l ON true
WHERE c.status = 'RUNNING' LIMIT %s
"""
# Whoever feeds at the same time has the others. By an array of ids: a join may read every lead for each of the batch.
# Materialized: beside the ids, the condition would be an index's that holds every new lead.
LOCK = """
WITH locked AS MATERIALIZED (
    SELECT id, state, unfed FROM leads WHERE id = ANY(ARRAY(SELECT json_array_elements_text(%s::json)::bigint))
    ORDER BY id FOR UPDATE SKIP LOCKED
)
SELECT id FROM locked WHERE state = 'OPEN' AND unfed
"""
# None or all of them, however many feed at once: what another one has taken since is no longer left.
TAKE = """
UPDATE campaigns SET first_left = first_left - %(taken)s
WHERE id = %(campaign)s AND (first_left IS NULL OR first_left >= %(taken)s)
"""
# `refused` is an object: an id's reason is found in it without a join.
FEED = f"""
WITH dropped AS (
    UPDATE leads SET state = 'DROPPED', end_reason = %(refused)s::jsonb ->> leads.id::text,
        ended_at = statement_timestamp()
    WHERE id = ANY(ARRAY(SELECT jsonb_object_keys(%(refused)s::jsonb)::bigint))
), taken AS (
    UPDATE leads SET stage = %(kind)s
    WHERE id = ANY(ARRAY(SELECT json_array_elements_text(%(taken)s::json)::bigint)) RETURNING id, campaign_id
)
INSERT INTO job_rows (lead_id, campaign_id, {NEW_JOB})
SELECT id, campaign_id, {NEW_JOB_VALUES} FROM taken ORDER BY id
ON CONFLICT DO NOTHING
"""  # noqa: S608 (constants only)

# Leads that a statement of `mend_leads` looks at, and how long a call of it goes on (seconds).
SLICE = 2000
MEND_SECONDS = 0.2

# Right after an import the planner knows nothing of the rows, so nothing is left to its choice: a slice of ids, and for
# each of its leads two subqueries that can be neither joined nor hashed. The status is no condition of theirs:
# by an index on it each lead would read all unfinished jobs.
STUCK = """
WITH start AS MATERIALIZED (
    SELECT min(id) AS id FROM leads WHERE id > %(after)s
), slice AS MATERIALIZED (
    SELECT id, campaign_id, state, stage FROM leads
    WHERE id >= (SELECT id FROM start) AND id < (SELECT id FROM start) + %(rows)s
)
SELECT (SELECT id FROM start) + %(rows)s - 1, ARRAY(
    SELECT id FROM slice
    WHERE state = 'OPEN' AND stage NOT IN ('', 'review')
        AND (SELECT status FROM campaigns WHERE campaigns.id = slice.campaign_id) = 'RUNNING'
        AND (SELECT count(*) FILTER (WHERE status = ANY(%(unfinished)s)) FROM job_rows WHERE lead_id = slice.id) = 0
    ORDER BY id
)
"""


# RUNNING campaigns that have no first job of their own yet, each with its kind.
UNBEGUN = """
SELECT c.id, kind FROM campaigns c
CROSS JOIN LATERAL (
    VALUES ('find', c.search IS NOT NULL), ('prepare', c.instantly_campaign_id = '')
) AS wants (kind, is_wanted)
WHERE c.status = 'RUNNING' AND is_wanted
    AND NOT EXISTS (SELECT FROM job_rows WHERE campaign_id = c.id AND lead_id IS NULL AND job_rows.kind = wants.kind)
"""
# Until the jobs are there: who ends a campaign at this moment would not see a job that waits for its row, and leave it
# behind. What somebody else has locked is for the next round.
LOCKED = "FOR SHARE OF c SKIP LOCKED"


class TakenMeanwhile(Exception):
    """Somebody else has taken in the first leads that were left. Nothing has changed; the next round looks again."""


def feed() -> int:
    """Make the first jobs of new leads of RUNNING campaigns, some thousands a call, their searches and targets; how
    many.

    A lead whose person may not be written to now ends DROPPED instead, before anything is paid for it. Of a campaign
    that holds after its first leads no more are taken in than are left of these; who is refused is not one of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNFED, [BATCH, BATCH])
        unfed = cursor.fetchall()
    try:
        jobs = _take_in(unfed) if unfed else 0
    except TakenMeanwhile:
        jobs = 0
    if len(unfed) == BATCH:
        wake_supervisor()
    return jobs + _feed_campaigns()


def _take_in(unfed: list[tuple[Any, ...]]) -> int:
    """Take these leads (id, campaign, address, Apollo id, campaign's policy, first leads that are left) in, or drop
    them; how many have a job. Raises TakenMeanwhile."""
    policies = {campaign: departures for _, campaign, _, _, departures, _ in unfed}
    holding = {campaign for _, campaign, *_, left in unfed if left is not None}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, [json.dumps([lead for lead, *_ in unfed])])
        ours = {lead for (lead,) in cursor.fetchall()}
        people = [
            Person(campaign, lead, keys_of(email, apollo_id))
            for lead, campaign, email, apollo_id, *_ in sorted(unfed, key=itemgetter(0))
            if lead in ours
        ]
        reasons = take_in(people, {campaign: policy_of(_json(policies[campaign])) for campaign in policies})
        refused = {
            str(person.lead): fit(why, Lead, "end_reason") for person, why in zip(people, reasons, strict=True) if why
        }
        taken = [person for person, why in zip(people, reasons, strict=True) if not why]
        _take_first(cursor, sorted(person.campaign for person in taken if person.campaign in holding))
        parameters = {
            "refused": json.dumps(refused),
            "taken": json.dumps([person.lead for person in taken]),
            "kind": FIRST_OF_LEAD,
            "service": SERVICE_OF[FIRST_OF_LEAD],
        }
        cursor.execute(FEED, parameters)
        jobs = int(cursor.rowcount)
    if refused:
        logger.info("%s new leads dropped: their people may not be written to now", len(refused))
        wake_supervisor()
    return jobs


def _take_first(cursor: Any, campaigns: list[int]) -> None:
    """Count the leads taken in, a campaign's id for each, in ascending order. Raises TakenMeanwhile."""
    for campaign, number in Counter(campaigns).items():
        cursor.execute(TAKE, {"campaign": campaign, "taken": number})
        if not cursor.rowcount:
            raise TakenMeanwhile


def _json(value: str | None) -> dict[str, Any] | None:
    """Read a column of JSON as Django's cursor gives it: as text."""
    return json.loads(value) if value else None


def _feed_campaigns() -> int:
    with connection.cursor() as cursor:
        cursor.execute(UNBEGUN)
        if not cursor.fetchone():
            return 0  # as in nearly every round
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(UNBEGUN + LOCKED)
        new = [
            JobRow(campaign_id=pk, kind=kind, service=SERVICE_OF[kind], part=int(kind == "find"), run_at=Now())
            for pk, kind in cursor.fetchall()
        ]
        return len(JobRow.objects.bulk_create(new, ignore_conflicts=True)) if new else 0


class Walk:
    """A walk says how far this process has come through the leads: all with an id up to `after` were looked at."""

    after = 0


def mend_leads(limit: int = SLICE) -> int:
    """Give an OPEN lead that has no unfinished job its next unpaid one; how many. Nothing should ever need it.

    A call looks at up to `limit` leads a statement, for a moment, and the next one goes on from there.
    """
    until, began, mended, past_the_end = time.monotonic() + MEND_SECONDS, Walk.after, 0, False
    while time.monotonic() < until and not (past_the_end and Walk.after >= began):
        with connection.cursor() as cursor:
            cursor.execute(STUCK, {"after": Walk.after, "rows": limit, "unfinished": list(JobRow.UNFINISHED)})
            last, stuck = cursor.fetchone()
        for lead in Lead.objects.filter(pk__in=stuck).order_by("pk"):
            with transaction.atomic():
                mended += put_back(lead)
            Walk.after = lead.pk
            if time.monotonic() > until:
                return mended
        past_the_end = past_the_end or last is None
        Walk.after = last or 0
    return mended


def put_back(lead: Lead) -> int:
    """Make the next unpaid job of one lead, or put it back to PENDING."""
    done = set(lead.job_rows.filter(status=JobRow.Status.COMPLETED).values_list("kind", flat=True))
    kind = FIRST_OF_LEAD
    while kind in done and kind in FOLLOWS:
        kind = FOLLOWS[kind]
    if kind in done:
        return 0
    logger.warning("Lead %s had no job: %s put back", lead.pk, kind, extra={"lead": lead.pk})
    Lead.objects.filter(pk=lead.pk).update(stage=kind)
    _, created = JobRow.objects.get_or_create(
        lead=lead, kind=kind, defaults={"campaign_id": lead.campaign_id, "service": SERVICE_OF[kind], "run_at": Now()}
    )
    if created:
        return 1
    ended = JobRow.objects.filter(lead=lead, kind=kind, status__in=[JobRow.Status.FAILED, JobRow.Status.CANCELLED])
    return ended.update(**AFRESH)
