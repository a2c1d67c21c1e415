"""A new campaign is made like another one: its search, its prompts, its target; not its leads."""

from campaigns import lifecycle
from campaigns.models import Campaign
from circuitbreakers.events import Actor

COPIED = ("search", "search_url", "max_leads", "research_prompt", "mail_prompt", "review")


def duplicate(campaign: Campaign, *, actor: Actor) -> Campaign:
    """Make the copy, CREATED. Its target at Instantly is made anew: two campaigns in one would mail people twice."""
    name = f"{campaign.name[:193]} (copy)"
    return lifecycle.create(actor=actor, name=name, **{field: getattr(campaign, field) for field in COPIED})
