"""A campaign may hold after its first leads, so that somebody reads their mails before all others are written.

Only so many leads are taken in, none is pushed, and of a search no more people are revealed than these need. It is no
pause: nothing is dropped and no attempt is spent. It ends by `go_on`.
"""

import logging
from collections.abc import Mapping

from django.db import connection, transaction
from django.db.models import F

from campaigns.models import Campaign, JobRow, Lead
from campaigns.moves import MoveRefused, require_finishable
from campaigns.pipeline import REVEAL_AT_ONCE, REVIEW, SERVICE_OF
from campaigns.tallies import LeadTally, summed
from campaigns.wake import wake_supervisor
from circuitbreakers import events

logger = logging.getLogger(__name__)

# So many mails can be read by one person, and be revealed from the first page of a search.
MOST = 100
LAST = "push"
NEXT = "Read the mails, then go on."

# Whether a job may run although its campaign holds, of a row of `job_rows` and its campaign `c`. A page of the search
# is read, and people of it are revealed, only while what is under way or waits to be taken in is not enough (in the
# order of an index, or every lead may be read for it). CASE, so that nothing is looked up for a campaign without first
# leads, and a claim remains one statement.
MAY_RUN = f"""CASE
    WHEN c.first_leads IS NULL THEN true
    WHEN job_rows.kind = '{LAST}' THEN false
    WHEN job_rows.kind IN ('find', 'reveal') THEN c.first_left > (
        SELECT {REVEAL_AT_ONCE} * count(*) FROM job_rows earlier
        WHERE earlier.campaign_id = c.id AND earlier.lead_id IS NULL AND earlier.kind = 'reveal'
            AND earlier.status IN ('PENDING', 'PROCESSING')
            AND (job_rows.kind = 'find' OR earlier.part < job_rows.part)
    ) + (
        SELECT count(*) FROM (
            SELECT FROM leads WHERE campaign_id = c.id AND state = 'OPEN' AND unfed ORDER BY id DESC LIMIT {MOST}
        ) waiting
    )
    ELSE true
END"""  # noqa: S608 (constants only)

# Campaigns that have come to where they hold: none of their jobs may run, and no lead is to be taken in.
HOLDING = f"""
SELECT count(*) FROM campaigns c WHERE c.status = 'RUNNING' AND c.first_leads IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM job_rows WHERE campaign_id = c.id AND status IN ('PENDING', 'PROCESSING') AND kind <> 'prepare'
            AND {MAY_RUN}
    )
    AND (c.first_left = 0 OR NOT EXISTS (SELECT FROM leads WHERE campaign_id = c.id AND state = 'OPEN' AND unfed))
"""  # noqa: S608 (constants only)


def require_valid(number: int | None) -> None:
    """Raise MoveRefused unless it is a number of first leads, or none."""
    if number is not None and not 1 <= number <= MOST:
        raise MoveRefused(f"It can hold after its first 1 to {MOST} leads, not after {number}.")


def holds(campaigns: Mapping[int, int | None]) -> dict[int, str]:
    """Say of each campaign that has first leads (id -> how many; others are left out) that it holds, and how far they
    are. One statement, or none."""
    asked = {pk: number for pk, number in campaigns.items() if number is not None}
    counted: dict[int, dict[str, int]] = {pk: {} for pk in asked}
    tallies = LeadTally.objects.filter(campaign_id__in=list(asked)).exclude(stage="") if asked else None
    for (pk, state, stage), number in (
        summed(tallies, "campaign_id", "state", "stage") if tallies is not None else {}
    ).items():
        word = ("written" if stage in (LAST, REVIEW) else "in work") if state == Lead.State.OPEN else state.lower()
        counted[pk][word] = counted[pk].get(word, 0) + number
    return {pk: sentence(asked[pk], counted[pk]) for pk in asked}


def hold_of(campaign: Campaign) -> str:
    """Say that a campaign holds after its first leads, and how far they are; '' if it does not, or has ended."""
    if campaign.finished:
        return ""
    return holds({campaign.pk: campaign.first_leads}).get(campaign.pk, "")


def sentence(asked: int, counted: Mapping[str, int]) -> str:
    """Say it for people. `counted`: of the leads that were taken in, by what has become of them. Pure."""
    words = ("written", "dropped", "failed", "pushed", "in work")
    parts = [f"{counted[word]} {word}" for word in words if counted.get(word)]
    return f"Holds after the {_first(asked)}: {', '.join(parts) or 'none yet'}. {NEXT}"


def shortly(campaign: Campaign) -> str:
    """Say in a list that a campaign holds, '' if it does not or has ended. Pure."""
    return (
        "" if campaign.first_leads is None or campaign.finished else f"Holds after the {_first(campaign.first_leads)}."
    )


def why_waits(campaign: Campaign, stage: str) -> str:
    """Say why a lead at that stage waits for the first leads of its campaign to be read; '' if it does not. Pure."""
    if campaign.first_leads is None or not (stage == LAST or (stage == "" and campaign.first_left == 0)):
        return ""
    begin = "Its mail is written" if stage else "It is not among them"
    return f"{begin}: its campaign holds after its {_first(campaign.first_leads)}. {NEXT}"


def _first(asked: int) -> str:
    return "first lead" if asked == 1 else f"first {asked} leads"


def written(campaign: Campaign) -> list[int]:
    """Return the ids of the leads whose mails can be read before it goes on; none of a campaign that does not hold."""
    if campaign.first_leads is None or campaign.finished:
        return []
    pushes = JobRow.objects.filter(campaign=campaign, service=SERVICE_OF[LAST], kind=LAST, status=JobRow.Status.PENDING)
    leads = [pk for pk in pushes.order_by("lead_id").values_list("lead_id", flat=True)[:MOST] if pk is not None]
    unread = Lead.objects.filter(campaign=campaign, state=Lead.State.OPEN, stage=REVIEW)
    return sorted([*leads, *unread.order_by("pk").values_list("pk", flat=True)[:MOST]])[:MOST]


def holding() -> int:
    """Count the running campaigns of which nothing moves until somebody has them go on."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDING)
        return int(cursor.fetchone()[0])


def extend(pk: int, more: int, *, actor: events.Actor, reason: str = "") -> Campaign:
    """Have a campaign that holds take so many more leads before it goes on. Raises DoesNotExist, and MoveRefused if it
    does not hold, or would be more than MOST."""
    require_valid(more)
    with transaction.atomic():
        row = Campaign.objects.filter(pk=pk, first_leads__lte=MOST - more, finished_at=None)
        moved = row.update(first_leads=F("first_leads") + more, first_left=F("first_left") + more)
        campaign = Campaign.objects.get(pk=pk)
        if not moved or campaign.first_leads is None:
            raise MoveRefused(f"Campaign {pk} does not hold after its first leads, or has {MOST} of them: go on.")
        before, after = {"first_leads": campaign.first_leads - more}, {"first_leads": campaign.first_leads}
        events.record("campaign", pk, "first_leads_extended", actor=actor, reason=reason, before=before, after=after)
        wake_supervisor()
    return campaign


def go_on(pk: int, *, actor: events.Actor, reason: str = "") -> Campaign:
    """Have a campaign go on with all its leads: what is written is pushed, the others are taken in. Its status stays.

    Raises DoesNotExist, and MoveRefused if it does not hold, has ended, or cannot be finished.
    """
    campaign = Campaign.objects.get(pk=pk)
    if campaign.finished:
        raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
    asked, campaign.first_leads, campaign.first_left = campaign.first_leads, None, None
    if asked is not None:
        require_finishable(campaign)
    with transaction.atomic():
        # Of two at once one does it. A feeder that has counted some of them already counts no more.
        row = Campaign.objects.filter(pk=pk, first_leads__isnull=False)
        if not row.update(first_leads=None, first_left=None):
            raise MoveRefused(
                f"Campaign {pk} does not hold after its first leads. `campaign status {pk}` says how it is."
            )
        before, after = {"first_leads": asked}, {"first_leads": None}
        events.record("campaign", pk, "gone_on", actor=actor, reason=reason, before=before, after=after)
        wake_supervisor()
    logger.info("Campaign %s goes on after its first leads, by %s", pk, actor.name, extra={"campaign": pk})
    return campaign
