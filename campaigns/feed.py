"""Taking leads into the pipeline: the first jobs of a campaign, by set-based SQL that can be repeated."""

import logging

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from campaigns.models import Campaign, Job, Lead
from campaigns.pipeline import FIRST_OF_LEAD, FOLLOWS, SERVICE_OF
from campaigns.wake import wake_supervisor

logger = logging.getLogger(__name__)

BATCH = 5000

# A job's columns without a default in the database, as the pipeline makes it.
NEW_JOB = (
    "kind, service, part, payload, status, failure_type, without_call, attempts, crashes, fence, worker, "
    "run_at, created_at"
)
NEW_JOB_VALUES = "%s, %s, 0, '{}', 'PENDING', '', false, 0, 0, 0, '', statement_timestamp(), statement_timestamp()"

# Materialized: as a subquery of IN it may be run once a row, and each time finds further rows that are not locked yet.
FEED = f"""
WITH unfed AS MATERIALIZED (
    SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id
    WHERE c.status = 'RUNNING' AND l.state = 'OPEN' AND l.stage = ''
    LIMIT %s FOR UPDATE OF l SKIP LOCKED
), taken AS (
    UPDATE leads SET stage = %s FROM unfed WHERE leads.id = unfed.id RETURNING leads.id, leads.campaign_id
)
INSERT INTO jobs (lead_id, campaign_id, {NEW_JOB})
SELECT id, campaign_id, {NEW_JOB_VALUES} FROM taken ORDER BY id
ON CONFLICT DO NOTHING
"""  # noqa: S608 (constants only)


def feed() -> int:
    """First jobs of new leads of RUNNING campaigns, some thousands a call, their searches and targets; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FEED, [BATCH, FIRST_OF_LEAD, FIRST_OF_LEAD, SERVICE_OF[FIRST_OF_LEAD]])
        made = int(cursor.rowcount)
    if made == BATCH:
        wake_supervisor()
    return made + _feed_campaigns()


def _feed_campaigns() -> int:
    running = Campaign.objects.filter(status=Campaign.Status.RUNNING)
    jobs = Job.objects.filter(campaign=OuterRef("pk"), lead=None)
    searches = running.filter(search__isnull=False).exclude(Exists(jobs.filter(kind="find")))
    targets = running.filter(instantly_campaign_id="").exclude(Exists(jobs.filter(kind="prepare")))
    new = [
        Job(campaign_id=pk, kind="find", service=SERVICE_OF["find"], part=1, run_at=Now())
        for pk in searches.values_list("pk", flat=True)
    ]
    new += [
        Job(campaign_id=pk, kind="prepare", service=SERVICE_OF["prepare"], run_at=Now())
        for pk in targets.values_list("pk", flat=True)
    ]
    if not new:
        return 0
    return len(Job.objects.bulk_create(new, ignore_conflicts=True))


def mend_leads(limit: int = 500) -> int:
    """Give an OPEN lead that has no unfinished job its next unpaid one; how many. Nothing should ever need it."""
    unfinished = Job.objects.filter(lead=OuterRef("pk"), status__in=Job.UNFINISHED)
    stuck = Lead.objects.filter(state=Lead.State.OPEN, campaign__status=Campaign.Status.RUNNING).exclude(stage="")
    mended = 0
    for lead in stuck.exclude(Exists(unfinished))[:limit]:
        with transaction.atomic():
            mended += put_back(lead)
    return mended


def put_back(lead: Lead) -> int:
    """The next unpaid job of one lead, made or put back to PENDING."""
    done = set(lead.jobs.filter(status=Job.Status.COMPLETED).values_list("kind", flat=True))
    kind = FIRST_OF_LEAD
    while kind in done and kind in FOLLOWS:
        kind = FOLLOWS[kind]
    if kind in done:
        return 0
    logger.warning("Lead %s had no job: %s put back", lead.pk, kind, extra={"lead": lead.pk})
    Lead.objects.filter(pk=lead.pk).update(stage=kind)
    _, created = Job.objects.get_or_create(
        lead=lead, kind=kind, defaults={"campaign_id": lead.campaign_id, "service": SERVICE_OF[kind], "run_at": Now()}
    )
    if created:
        return 1
    return Job.objects.filter(lead=lead, kind=kind, status__in=[Job.Status.FAILED, Job.Status.CANCELLED]).update(
        status=Job.Status.PENDING, completed_at=None, error=None, run_at=Now()
    )
