"""A campaign departs from the installation's contact policy by this verb: somebody says how, and why."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from campaigns.contacts.policy import PolicyRefused, parse
from campaigns.models import Campaign
from campaigns.moves import MoveRefused
from circuitbreakers import events
from circuitbreakers.locks import switch_lock
from circuitbreakers.storable import fit, storable


def depart(pk: int, *, departures: Mapping[str, Any], actor: events.Actor, reason: str) -> Campaign:
    """Let a campaign depart from the installation's policy in these points only; with none, go back to it.

    `departures`: fields of ContactPolicy. Who has been dropped stays so. Raises ValidationError for values that no
    policy has, MoveRefused without a reason or for a campaign that has ended.
    """
    try:
        own = parse(departures) or None
    except PolicyRefused as error:
        raise ValidationError(str(error)) from None
    text = storable(reason).strip()
    if not text:
        raise MoveRefused("A contact policy of its own needs a reason: somebody may be written to twice by it.")
    with switch_lock():
        campaign = Campaign.objects.get(pk=pk)
        if campaign.finished:
            raise MoveRefused(f"Campaign {pk} has ended already: it is {campaign.status}.")
        before, campaign.contact_policy = campaign.contact_policy, own
        campaign.contact_policy_reason = fit(text, Campaign, "contact_policy_reason") if own else ""
        campaign.save(update_fields=["contact_policy", "contact_policy_reason"])
        events.record("campaign", pk, "contact_policy", actor=actor, reason=text, before=before or {}, after=own or {})
    return campaign
