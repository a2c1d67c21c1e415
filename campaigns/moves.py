"""A verb moves a campaign from state to state by `move`; what forbids it is here too. The verbs are in
`lifecycle`."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from campaigns import estimate, foresight
from campaigns.models import Campaign
from circuitbreakers import events, incidents, pauses, switch
from circuitbreakers.models import Incident, QueuePause
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)


class MoveRefused(Exception):
    """The state forbids this move; the text says what to do. Nothing has changed."""


def require_active_queue() -> None:
    """Raise MoveRefused unless calls may be made; an operator's pause of single services only makes jobs wait."""
    snapshot = switch.read_all()
    shut = [f"{s.service} ({s.at(snapshot.now)})" for s in snapshot.breakers.values() if s.state != "closed"]
    if shut:
        raise MoveRefused(f"Circuit breakers are not closed: {', '.join(shut)}. Reset them, then resume the queue.")
    if pauses.standing(QueuePause.SYSTEM) or "system" in snapshot.pauses:
        raise MoveRefused("The queue is paused by the system. Resume the queue first.")
    if everything := pauses.standing(QueuePause.ALL):
        raise MoveRefused(f"The queue is paused by {everything.actor}: {everything.reason}. Resume it first.")


def require_finishable(campaign: Campaign, first: int | None = None) -> None:
    """Raise MoveRefused if what the vendors have left is not enough for its leads (the `first` of them), by more than
    REFUSE_UNFINISHABLE."""
    if short := foresight.shortfall(timezone.now(), lambda: estimate.to_do(campaign, first)):
        raise MoveRefused(f"Campaign {campaign.pk} cannot be finished: {short}. {foresight.MEND}")


def warnings_of(campaign: Campaign, first: int | None = None) -> list[str]:
    """Say which services end soon, or have not enough left for a campaign's leads (the `first` of them)."""
    return foresight.warnings(timezone.now(), estimate.to_do(campaign, first))


def move(
    campaign: Campaign,
    status: str,
    message: str,
    *,
    verb: str,
    actor: events.Actor,
    reason: str,
    incident: Incident | None = None,
    details: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Move a campaign from state to state, with its event (`details`: further values after it); every verb does. Call
    it under the switch lock."""
    before = campaign.status
    if status == Campaign.Status.RUNNING:
        fields["running_since"] = Now()  # by the clock that messages are dated by
    campaign.status = status
    campaign.status_message = fit(message, Campaign, "status_message")
    for name, value in fields.items():
        setattr(campaign, name, value)
    campaign.save(update_fields=["status", "status_message", *fields])
    events.record(
        "campaign",
        campaign.pk,
        verb,
        actor=actor,
        reason=reason,
        before={"status": before},
        after={"status": status, **(details or {})},
        incident=incident or incidents.current(),
    )
    logger.info("Campaign %s %s by %s", campaign.pk, verb, actor.name, extra={"campaign": campaign.pk})
