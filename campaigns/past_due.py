"""A fact may be past due when a pause ends: an old verdict is bought again before the push, old research is told."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.models import Campaign, JobRow, Lead, VendorCall
from campaigns.pipeline import FIRST_OF_LEAD
from campaigns.retry import AFRESH
from campaigns.wake import wake_supervisor

# Where a verify job's payload counts how often its verdict was past due.
TIMES = "past_due"
VERIFIED_AGAIN = "The lead is verified again first: its verdict was past due."
# Waiting leads that a plan looks at: it is asked for each second.
LOOKED_AT = 10_000

COUNT = """
SELECT count(*), count(*) FILTER (WHERE verified.completed_at < now() - %(verdict)s),
    count(*) FILTER (WHERE researched.completed_at < now() - %(research)s)
FROM (
    SELECT lead_id FROM job_rows
    WHERE campaign_id = ANY(%(campaigns)s) AND status = 'PENDING' AND kind IN ('research', 'write', 'push')
    LIMIT %(looked_at)s
) waiting
LEFT JOIN LATERAL (
    SELECT completed_at FROM job_rows WHERE lead_id = waiting.lead_id AND kind = 'verify'
) verified ON true
LEFT JOIN LATERAL (
    SELECT completed_at FROM job_rows WHERE lead_id = waiting.lead_id AND kind = 'research'
) researched ON true
"""


def verify_again(job: JobRow, lead: Lead) -> bool:
    """Put the verification of a lead back in place of its push, if its verdict is past due; False if it is not.

    Without a question where the lead itself is younger. A push that was tried before goes on: it may have been made.
    """
    if not settings.VERDICT_DAYS:
        return False
    oldest = timedelta(days=settings.VERDICT_DAYS)
    if timezone.now() - lead.created_at < oldest:
        return False
    done = JobRow.objects.filter(lead=lead, kind=FIRST_OF_LEAD, status=JobRow.Status.COMPLETED)
    old = done.filter(completed_at__lt=Now() - oldest).first()
    if old is None or VendorCall.objects.filter(job=job).exists():
        return False
    with transaction.atomic():
        ours = JobRow.objects.filter(pk=job.pk, fence=job.fence, status=JobRow.Status.PROCESSING)
        if not ours.update(
            status=JobRow.Status.CANCELLED, completed_at=Now(), lease_until=None, error=VERIFIED_AGAIN, sent_at=None
        ):
            return True  # somebody else has the job by now
        payload = {**old.payload, TIMES: old.payload.get(TIMES, 0) + 1}
        done.filter(pk=old.pk).update(**AFRESH, payload=payload)
        Lead.objects.filter(pk=lead.pk, state=Lead.State.OPEN).update(stage=FIRST_OF_LEAD)
        wake_supervisor()
    return True


def push_now(lead: int) -> None:
    """Put back the push that waited for a second verification, in the transaction that saves its verdict."""
    waits = JobRow.objects.filter(lead_id=lead, kind="push", status=JobRow.Status.CANCELLED, error=VERIFIED_AGAIN)
    waits.update(**AFRESH)


def warnings(campaigns: QuerySet[Campaign]) -> list[str]:
    """Say how many of the leads that wait in these campaigns have an old verdict, or old research. Reads some
    thousands at most, and nothing while all campaigns are younger than either."""
    days = [number for number in (settings.VERDICT_DAYS, settings.RESEARCH_DAYS) if number]
    if not days:
        return []
    begun = timezone.now() - timedelta(days=min(days))
    ids = list(campaigns.filter(started_at__lt=begun).values_list("pk", flat=True))
    if not ids:
        return []
    never = timedelta(days=100_000)
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "campaigns": ids,
            "looked_at": LOOKED_AT,
            "verdict": timedelta(days=settings.VERDICT_DAYS) or never,
            "research": timedelta(days=settings.RESEARCH_DAYS) or never,
        }
        cursor.execute(COUNT, parameters)
        looked_at, verdicts, researches = cursor.fetchone()
    of = f"of the first {LOOKED_AT:,} leads that wait" if looked_at == LOOKED_AT else "of the leads that wait"
    told = []
    if verdicts:
        told.append(
            f"{verdicts:,} {of} were verified over {settings.VERDICT_DAYS} days ago: each is again, before its push"
        )
    if researches:
        told.append(f"{researches:,} {of} were researched over {settings.RESEARCH_DAYS} days ago: used as it is")
    return told
