"""Leads of campaigns that ended long ago lose what was researched and written for them; the leads themselves stay.

Who may be written to, who opted out and whom an erasure finds is asked of leads and contacts: neither is ever pruned.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.models import Campaign, Lead

BATCH = 500  # leads

# By the index lead_campaign, from the newest down.
NEXT = """
SELECT id FROM leads WHERE campaign_id = %s AND state = %s AND id < %s ORDER BY id DESC LIMIT %s
"""
# A lead with a job that can be put back keeps what that job would push.
TEXTS = """
l.campaign_id = %s AND l.state <> 'OPEN'
    AND (l.research <> '' OR l.mail_subject <> '' OR l.mail_body <> '' OR l.mail_as_written IS NOT NULL
        OR l.sources <> '[]'::jsonb)
    AND NOT EXISTS (
        SELECT FROM job_rows j WHERE j.lead_id = l.id AND j.status IN ('FAILED', 'PENDING', 'PROCESSING')
    )
"""
EMPTY = f"""
UPDATE leads l SET research = '', sources = '[]', mail_subject = '', mail_body = '',
    mail_as_written = NULL
WHERE l.id = ANY(%s) AND {TEXTS}
"""  # noqa: S608 (constants only)
COUNT = f"SELECT count(*) FROM leads l WHERE {TEXTS}"  # noqa: S608 (constants only)
ENDED = (Lead.State.PUSHED, Lead.State.DROPPED, Lead.State.FAILED)
ABOVE_ALL = 2**63 - 1


def due(before: datetime) -> list[int]:
    """Return the campaigns that ended before that instant and were not emptied since, the oldest first."""
    not_since = Q(texts_pruned_at=None) | Q(texts_pruned_at__lt=F("finished_at"))
    return list(Campaign.objects.filter(not_since, finished_at__lt=before).order_by("pk").values_list("pk", flat=True))


def count(before: datetime) -> Counter[str]:
    """Count the leads whose texts would go."""
    return Counter(texts=sum(_number(COUNT, [campaign]) for campaign in due(before)))


def batches(before: datetime) -> Iterator[Counter[str]]:
    """Empty them batch by batch, each a statement of its own: yields how many leads lost their texts with it."""
    for campaign in due(before):
        for state in ENDED:
            below = ABOVE_ALL
            while leads := _next(campaign, state, below):
                below = leads[-1]
                with connection.cursor() as cursor:
                    cursor.execute(EMPTY, [leads, campaign])
                    yield Counter(texts=cursor.rowcount)
        if not _kept_back(campaign):
            Campaign.objects.filter(pk=campaign, finished_at__lt=before).update(texts_pruned_at=Now())


def _next(campaign: int, state: str, below: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [campaign, state, below, BATCH])
        return [pk for (pk,) in cursor.fetchall()]


def _kept_back(campaign: int) -> bool:
    """Say whether a lead keeps its texts because a job of it can be put back: then the campaign is looked at again."""
    kept = Lead.objects.filter(campaign=campaign, job_rows__status="FAILED")
    return kept.exclude(research="", mail_body="").exists()


def _number(sql: str, parameters: list[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.fetchone()[0])
