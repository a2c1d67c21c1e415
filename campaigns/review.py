"""No mail leaves unread, if the campaign says so: between write and push a lead waits at the stage `review`.

It has no job meanwhile: nothing is spent, and waiting for a person is no failure. Approving makes its push; rejecting
drops it.
"""

import logging
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from campaigns import claims, prompts
from campaigns.feed import NEW_JOB, NEW_JOB_VALUES
from campaigns.mailcheck import check_mail
from campaigns.models import Campaign, Lead
from campaigns.moves import MoveRefused
from campaigns.pipeline import FOLLOWS, REVIEW, SERVICE_OF
from campaigns.tallies import LeadTally, summed
from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.storable import fit, storable

logger = logging.getLogger(__name__)

# Of a sample: enough to see what a prompt does to real people, then one in so many as long as the campaign lasts.
FIRST, ONE_IN = 20, 20
# At one time by ids: a page of the console, a call of the API.
MOST = 500
REJECTED = "rejected by its reader"
PUSH = FOLLOWS["write"]

# Whoever is here twice is approved once: only a lead that still waits is moved.
APPROVE = f"""
WITH approved AS (
    UPDATE leads SET stage = %(kind)s WHERE id = ANY(ARRAY(
        SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id
        WHERE WHICH AND l.state = 'OPEN' AND l.stage = '{REVIEW}' AND c.finished_at IS NULL
        ORDER BY l.id FOR UPDATE OF l
    )) AND state = 'OPEN' AND stage = '{REVIEW}' RETURNING id, campaign_id
), pushes AS (
    INSERT INTO job_rows (lead_id, campaign_id, {NEW_JOB})
    SELECT id, campaign_id, {NEW_JOB_VALUES} FROM approved ORDER BY id
    ON CONFLICT DO NOTHING
)
SELECT campaign_id, count(*) FROM approved GROUP BY 1 ORDER BY 1
"""  # noqa: S608 (constants only)


@dataclass(frozen=True)
class Reviewed:
    """So many mails were moved; `skipped` waited no more: somebody else had read them, or their lead had ended."""

    done: int
    skipped: int = 0


def wanted(campaign: Campaign, lead: Lead, *, mail_subject: str, mail_body: str) -> bool:
    """Say whether somebody must read this mail before it is pushed. Asks the database for a sample's first alone."""
    match campaign.review:
        case Campaign.Review.ALL:
            return True
        case Campaign.Review.SAMPLE:
            return is_drawn(lead.pk) or written(campaign.pk) < FIRST
        case Campaign.Review.FINDINGS:
            template = prompts.template_of(campaign, "mail")
            return bool(claims.unsourced(mail_subject, mail_body, lead, template))
        case _:
            return False


def is_drawn(lead: int) -> bool:
    """Say whether a lead is one of a sample: the same each time that it is asked."""
    return zlib.crc32(str(lead).encode()) % ONE_IN == 0


def written(campaign: int) -> int:
    """Count the campaign's leads that have a mail; those that are being written at this moment are not in it, so a few
    more than FIRST are read."""
    return sum(summed(LeadTally.objects.filter(campaign_id=campaign, stage__in=(PUSH, REVIEW)), "stage").values())


def choose(pk: int, *, review: str, actor: events.Actor, reason: str = "") -> Campaign:
    """Choose which mails of a campaign are read from now on; those that wait wait on. Raises DoesNotExist, and
    MoveRefused for one that has ended."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=pk)
        if campaign.finished:
            raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
        if review not in Campaign.Review.values:
            raise MoveRefused(f"{review} is none of {', '.join(Campaign.Review.values)}.")
        before, campaign.review = campaign.review, review
        if before != review:
            campaign.save(update_fields=["review"])
            changes: dict[str, Any] = {"before": {"review": before}, "after": {"review": review}}
            events.record("campaign", pk, "review_chosen", actor=actor, reason=reason, **changes)
    return campaign


def waiting(campaign: int | None = None) -> QuerySet[Lead]:
    """Return the leads whose mails wait to be read, the oldest first; of one campaign, or of all that have not
    ended."""
    of = Q() if campaign is None else Q(campaign=campaign)
    leads = Lead.objects.filter(of, state=Lead.State.OPEN, stage=REVIEW, campaign__finished_at=None)
    return leads.select_related("campaign").order_by("pk")


def number(campaign: int | None = None) -> int:
    """Count them by the tallies; those of campaigns that have ended wait for nobody, and are few."""
    tallies = LeadTally.objects.filter(state=Lead.State.OPEN, stage=REVIEW)
    if campaign is not None:
        tallies = tallies.filter(campaign_id=campaign)
    counted = summed(tallies, "campaign_id")
    ended = Campaign.objects.filter(pk__in=list(counted)).exclude(finished_at=None).values_list("pk", flat=True)
    return sum(counted.values()) - sum(counted[pk] for pk in ended)


def approve(leads: Collection[int], *, actor: events.Actor, reason: str = "") -> Reviewed:
    """Have these leads pushed as their mails are now; one event a campaign. Also while everything is paused: nothing
    moves before the resume. Raises MoveRefused for more than MOST."""
    _require_few(leads)
    return _approve("l.id = ANY(%(leads)s)", {"leads": list(leads)}, len(set(leads)), actor, reason)


def approve_all(campaign: int, *, actor: events.Actor, reason: str) -> Reviewed:
    """Have all of a campaign's waiting mails pushed unread, which needs a reason. Raises DoesNotExist, MoveRefused."""
    Campaign.objects.get(pk=campaign)
    if not reason.strip():
        raise MoveRefused("Approving mails that nobody has read needs a reason: it becomes part of the record.")
    return _approve("l.campaign_id = %(campaign)s", {"campaign": campaign}, None, actor, reason)


def _approve(which: str, parameters: dict[str, Any], asked: int | None, actor: events.Actor, reason: str) -> Reviewed:
    details = {"kind": PUSH, "service": SERVICE_OF[PUSH]}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(APPROVE.replace("WHICH", which), {**parameters, **details})
            moved = dict(cursor.fetchall())
        done = sum(moved.values())
        _record(moved, "mails_approved", actor, reason)
        if done:
            wake_supervisor()
    logger.info("%s mails approved by %s", done, actor.name)
    return Reviewed(done, 0 if asked is None else asked - done)


def reject(leads: Collection[int], *, actor: events.Actor, reason: str = "") -> Reviewed:
    """Drop these leads: their mails are never sent. What was paid for stays with them. Raises MoveRefused for more than
    MOST."""
    _require_few(leads)
    why = f"{REJECTED}: {storable(reason).strip()}" if reason.strip() else REJECTED
    with transaction.atomic():
        rows = list(waiting().filter(pk__in=leads).select_for_update(of=("self",)).values_list("pk", "campaign_id"))
        Lead.objects.filter(pk__in=[pk for pk, _ in rows]).update(
            state=Lead.State.DROPPED, end_reason=fit(why, Lead, "end_reason"), ended_at=Now()
        )
        moved: dict[int, int] = {}
        for _, campaign in rows:
            moved[campaign] = moved.get(campaign, 0) + 1
        _record(moved, "mails_rejected", actor, reason)
        if rows:
            wake_supervisor()  # a campaign may have ended by it
    return Reviewed(len(rows), len(set(leads)) - len(rows))


def edit(pk: int, *, subject: str, body: str, actor: events.Actor, reason: str = "") -> Lead:
    """Write a waiting mail anew, by hand; it waits on. How it was written first is kept. Raises DoesNotExist,
    MoveRefused if it waits no more, ValidationError for a mail that must not go out."""
    with transaction.atomic():
        lead = Lead.objects.select_related("campaign").select_for_update(of=("self",)).get(pk=pk)
        if not is_waiting(lead):
            raise MoveRefused(f"The mail of lead {pk} waits no more: it was read, or its lead has ended.")
        subject, body = storable(subject).strip(), storable(body).replace("\r\n", "\n").strip()
        if problems := check_mail(subject, body, lead, prompts.template_of(lead.campaign, "mail")):
            raise ValidationError(problems)
        if (subject, body) == (lead.mail_subject, lead.mail_body):
            return lead
        lead.mail_as_written = lead.mail_as_written or {"subject": lead.mail_subject, "body": lead.mail_body}
        lead.mail_subject, lead.mail_body = subject, body
        lead.save(update_fields=["mail_as_written", "mail_subject", "mail_body"])
        events.record("lead", pk, "mail_edited", actor=actor, reason=reason, after={"campaign": lead.campaign_id})
    return lead


def is_waiting(lead: Lead) -> bool:
    return lead.state == Lead.State.OPEN and lead.stage == REVIEW and not lead.campaign.finished


def _record(moved: dict[int, int], verb: str, actor: events.Actor, reason: str) -> None:
    for campaign, mails in moved.items():
        events.record("campaign", campaign, verb, actor=actor, reason=reason, after={"mails": mails})


def _require_few(leads: Iterable[int]) -> None:
    if len(set(leads)) > MOST:
        raise MoveRefused(f"At most {MOST} mails at a time.")
