"""The target of a campaign is where its leads are pushed at Instantly. One that does not send halts its campaign: no
job of it is handed out or claimed, nothing is bought, and it goes on by itself."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from campaigns.models import Campaign
from campaigns.moves import MoveRefused
from campaigns.target_halts import PLAN_USED_UP, TargetReading, refusal_of_all
from campaigns.wake import wake_supervisor
from circuitbreakers import events

logger = logging.getLogger(__name__)

# How old a reading may become (seconds).
EVERY = 300


def targeted() -> QuerySet[Campaign]:
    """Return the unfinished campaigns that have a target."""
    statuses = (Campaign.Status.CREATED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)
    return Campaign.objects.filter(status__in=statuses).exclude(instantly_campaign_id="")


def halted() -> QuerySet[Campaign]:
    """Return the unfinished campaigns that wait for their target."""
    return targeted().exclude(target_halt="")


def due() -> list[str]:
    """Return the targets to be asked now, each once however many campaigns share it, those never read first."""
    old = Q(target_checked_at=None) | Q(target_checked_at__lt=Now() - timedelta(seconds=EVERY))
    rows = (
        targeted().filter(old).order_by("target_checked_at").values_list("instantly_campaign_id", "target_checked_at")
    )
    never = [target for target, at in rows if at is None]
    return list(dict.fromkeys([*never, *(target for target, _ in rows)]))


def clock() -> datetime:
    """Return the time by the clock that starts and resumes are dated by: PostgreSQL's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def note(
    target: str, say: Callable[[str], str], *, asked_at: datetime, actor: events.Actor = events.SUPERVISOR
) -> list[int]:
    """Write what was read of a target into every campaign that pushes there; returns the ids of those that it changed.

    `say` returns the sentence, given what stood there before. A campaign that has another target by now is left alone.
    """
    changed = []
    with transaction.atomic():
        for pk, before in (
            targeted().filter(instantly_campaign_id=target).order_by("pk").values_list("pk", "target_halt")
        ):
            halt = say(before)
            same = Campaign.objects.filter(pk=pk, instantly_campaign_id=target, target_halt=before)
            if same.update(target_halt=halt, target_checked_at=asked_at) and halt != before:
                _record(pk, before, halt, actor)
                changed.append(pk)
        if changed:
            wake_supervisor()
    return changed


def plan_is_used_up(campaign: Campaign) -> None:
    """Halt a campaign whose push took the last place of the plan: the next one would be refused, and paid for up to
    there. The other campaigns' own pushes and readings tell them."""
    note(campaign.instantly_campaign_id, lambda before: before or PLAN_USED_UP, asked_at=clock(), actor=events.WORKER)


def _record(pk: int, before: str, halt: str, actor: events.Actor) -> None:
    verb = "target_halted" if halt else "target_goes_on"
    values = {"before": {"target_halt": before}, "after": {"target_halt": halt}}
    events.record("campaign", pk, verb, actor=actor, reason=halt or "Instantly sends again.", **values)
    if halt:
        logger.warning("Campaign %s waits for its target: %s", pk, halt, extra={"campaign": pk})
    else:
        logger.info("Campaign %s no longer waits for its target", pk, extra={"campaign": pk})


def check(pk: int, *, actor: events.Actor, reason: str = "") -> Campaign:
    """Have the supervisor ask Instantly about a campaign's target now, rather than within five minutes; nothing else
    changes. Raises DoesNotExist, and MoveRefused if it has ended or has no target."""
    campaign = Campaign.objects.get(pk=pk)
    if campaign.finished:
        raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
    if not campaign.instantly_campaign_id:
        raise MoveRefused(f"Campaign {pk} has no target yet: it is made when the campaign runs.")
    with transaction.atomic():
        targeted().filter(pk=pk).update(target_checked_at=None)
        events.record("campaign", pk, "target_check_asked", actor=actor, reason=reason)
        wake_supervisor()
    return campaign


def refusal() -> str:
    """Say why the targets of all running campaigns refuse, for a reason that is the whole account's; '' if they do
    not."""
    running = targeted().filter(status=Campaign.Status.RUNNING)
    fresh = Q(target_checked_at__gt=Coalesce("running_since", "started_at"))
    read = ~Q(target_checked_at=None, target_halt="")
    rows = running.annotate(read=read, fresh=fresh).values_list("instantly_campaign_id", "target_halt", "read", "fresh")
    return refusal_of_all(TargetReading(target, halt, read, bool(fresh)) for target, halt, read, fresh in rows)
