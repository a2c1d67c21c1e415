"""The mails of the first leads are written again, with the prompts as they are now, before anybody gets one."""

import logging

from django.db import transaction

from campaigns.first_leads import LAST
from campaigns.models import Campaign, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.pipeline import REVIEW
from campaigns.retry import AFRESH
from campaigns.wake import wake_supervisor
from circuitbreakers import events

logger = logging.getLogger(__name__)


def rewrite(pk: int, *, actor: events.Actor, reason: str = "") -> int:
    """Have the written mails of a campaign that holds after its first leads written again; how many. Each is paid for
    again; its research stays. Raises DoesNotExist, MoveRefused.

    A push that was never claimed goes, and comes back with the new mail; one that was tried stays as it is.
    """
    with transaction.atomic():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.finished or campaign.first_leads is None:
            raise MoveRefused(f"Campaign {pk} does not hold after its first leads: its mails are not written again.")
        pushes = JobRow.objects.filter(
            campaign=campaign, service="instantly", kind=LAST, status=JobRow.Status.PENDING, fence=0
        )
        # Locked, lest it goes on meanwhile and one of them is claimed.
        waiting = dict(pushes.select_for_update().order_by("pk").values_list("pk", "lead_id"))
        writes = JobRow.objects.filter(lead__in=waiting.values(), kind="write", status=JobRow.Status.COMPLETED)
        leads = list(writes.values_list("lead_id", flat=True))
        unread = Lead.objects.filter(campaign=campaign, state=Lead.State.OPEN, stage=REVIEW)
        leads += list(unread.select_for_update().order_by("pk").values_list("pk", flat=True))
        JobRow.objects.filter(pk__in=[push for push, lead in waiting.items() if lead in leads]).delete()
        Lead.objects.filter(pk__in=leads).update(stage="write", mail_subject="", mail_body="", mail_as_written=None)
        JobRow.objects.filter(lead__in=leads, kind="write", status=JobRow.Status.COMPLETED).update(**AFRESH)
        if leads:
            events.record("campaign", pk, "mails_rewritten", actor=actor, reason=reason, after={"mails": len(leads)})
            wake_supervisor()
    logger.info("%s mails of campaign %s are written again, by %s", len(leads), pk, actor.name, extra={"campaign": pk})
    return len(leads)
