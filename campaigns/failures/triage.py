"""A group of failures is retried or dropped here, bound to what a plan has shown."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from campaigns import lifecycle
from campaigns.failures import plans
from campaigns.failures.groups import group
from campaigns.failures.plans import FailuresRefused, Shown
from campaigns.models import Lead
from campaigns.moves import MoveRefused
from campaigns.retry import OfGroup
from circuitbreakers import events
from circuitbreakers.storable import fit, storable

BATCH = 5_000

# Jobs before their leads and in the order of their ids, as a retry takes them: the two never wait for each other in a
# circle. Their failures go at once, as a retry's do. The vendor's words stay behind ours. A lead that has ended
# otherwise keeps its end.
DROP = """
WITH batch AS MATERIALIZED (
    SELECT j.id FROM failures f JOIN job_rows j ON j.id = f.job_id JOIN campaigns c ON c.id = j.campaign_id
    WHERE f.campaign_id = %(campaign)s AND f.group_key = %(key)s AND f.job_id > %(since)s AND j.status = 'FAILED'
        AND j.completed_at <= %(until)s AND (j.kind <> 'prepare' OR c.status IN ('COMPLETED', 'FAILED', 'CANCELLED'))
    ORDER BY f.job_id LIMIT %(limit)s FOR UPDATE OF j
), forgotten AS (
    DELETE FROM failures WHERE job_id = ANY (ARRAY(SELECT id FROM batch))
), dropped AS (
    UPDATE job_rows SET status = 'CANCELLED', error = %(why)s::text || coalesce(error, '')
    WHERE id = ANY (ARRAY(SELECT id FROM batch)) AND status = 'FAILED'
    RETURNING id, lead_id, kind
), ended AS (
    UPDATE leads SET state = 'DROPPED', end_reason = %(end_reason)s, ended_at = statement_timestamp()
    FROM dropped WHERE leads.id = dropped.lead_id AND leads.stage = dropped.kind AND leads.state = 'FAILED'
    RETURNING leads.id
)
SELECT (SELECT count(*) FROM dropped), (SELECT count(*) FROM ended), (SELECT max(id) FROM batch)
"""


@dataclass
class Done:
    """This was done with a group: with how many jobs, in how many campaigns, and how many were skipped, by reason."""

    jobs: int = 0
    leads: int = 0
    campaigns: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "skipped": dict(self.skipped)}

    @property
    def left_out(self) -> str:
        """Say what was skipped and why; '' if nothing was."""
        whys = "; ".join(f"{number:,}: {why}" for why, number in self.skipped.items())
        return f"{self.skipped.total():,} skipped ({whys})." if whys else ""


def retry(token: str, *, actor: events.Actor, reason: str) -> Done:
    """Put back the failures that a plan has shown, campaign by campaign, each as its own retry does; paying only for
    what was not paid. What fails again meanwhile stays. Raises FailuresRefused, RedisUnavailable.

    Once interrupted, what is left is another group: plan it anew.
    """
    shown, why = plans.require_current(token), _reason(reason)
    done, of = Done(), group(shown.key, campaign=shown.campaign)
    wanted: Counter[int] = Counter()
    for part in plans.parts(shown.key, shown.campaign):
        if of is None or (left := plans.why_not_retried(part, of, shown.mended)):
            done.skipped[left if of else plans.LEAD_ENDED] += part.number
        else:
            wanted[part.campaign] += part.number
    for campaign, number in wanted.items():
        try:
            jobs = lifecycle.retry_failed(
                campaign, actor=actor, reason=why, refused=shown.mended, of=OfGroup(shown.key, shown.until)
            )
        except MoveRefused as refusal:
            done.skipped[str(refusal)] += number
            continue
        _count(done, jobs, number)
    _record(shown, done, "retried", actor, why)
    return done


def drop(token: str, *, actor: events.Actor, reason: str) -> Done:
    """End the failures that a plan has shown: their leads are DROPPED, their jobs CANCELLED with the vendor's words.
    Raises FailuresRefused."""
    shown, why = plans.require_current(token), _reason(reason)
    done = Done()
    wanted: Counter[int] = Counter()
    for part in plans.parts(shown.key, shown.campaign):
        if keep := plans.why_not_dropped(part):
            done.skipped[keep] += part.number
        else:
            wanted[part.campaign] += part.number
    for campaign, number in wanted.items():
        jobs, leads = drop_of_campaign(shown, campaign, actor, why)
        done.leads += leads
        _count(done, jobs, number)
    _record(shown, done, "dropped", actor, why)
    return done


def drop_of_campaign(shown: Shown, campaign: int, actor: events.Actor, reason: str) -> tuple[int, int]:
    """End what was shown of one campaign, in batches, each with its event; how many jobs and leads."""
    where: dict[str, Any] = {
        "campaign": campaign,
        "key": shown.key,
        "until": shown.until,
        "since": 0,
        "limit": BATCH,
        "why": f"Dropped by {actor.name}: ",
        "end_reason": fit(f"dropped by {actor.name}: {reason}", Lead, "end_reason"),
    }
    jobs = leads = 0
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(DROP, where)
                moved, ended, last = cursor.fetchone()
            if moved:
                after = {"jobs": moved, "leads": ended}
                events.record("campaign", campaign, "dropped_failed", actor=actor, reason=reason, after=after)
        jobs, leads = jobs + int(moved), leads + int(ended)
        if last is None:
            return jobs, leads
        where["since"] = last


def _count(done: Done, jobs: int, number: int) -> None:
    """Add one campaign's jobs to what was done; the rest of its number was done by somebody else, or has ended."""
    done.jobs += jobs
    done.campaigns += bool(jobs)
    if number > jobs:
        done.skipped["they changed meanwhile"] += number - jobs


def _record(shown: Shown, done: Done, verb: str, actor: events.Actor, reason: str) -> None:
    if done.jobs:
        events.record("failures", shown.key, verb, actor=actor, reason=reason, after=done.as_dict())


def _reason(reason: str) -> str:
    text = storable(reason).strip()
    if not text:
        raise FailuresRefused("A reason is needed: it becomes part of the record. Nothing was done.")
    return text
