"""A campaign is reported here by `campaign status` and `campaign preview`, for programs and for people."""

import dataclasses
from typing import Any

from django.conf import settings

from campaigns import first_leads, funnel, prompts, spend, tallies
from campaigns.models import Campaign
from circuitbreakers.commands import listed, table

SHOWN = ("name", "status", "status_message", "target_halt", "target_checked_at", "budget_halt", "first_leads", "review")
SPEND_COLUMNS = (
    *("service", "calls", "failed", "unknown", "credits", "tokens in", "tokens out", "USD"),
    *("answers lost", "USD more at most"),
)


def status_of(campaign: Campaign) -> tuple[Any, ...]:
    """Return how a campaign is: the data, then the lines."""
    progress = dataclasses.asdict(tallies.progress([campaign.pk])[campaign.pk])
    spent = spend.by_service(campaign=campaign.pk)
    reached = funnel.of_campaign(campaign.pk)
    holds = first_leads.hold_of(campaign)
    data = {
        "mode": settings.MODE,
        "id": campaign.pk,
        **{name: getattr(campaign, name) for name in SHOWN},
        "first_leads_hold": holds,
        **progress,
        "funnel": reached.as_dict(),
        "spend": {service: dataclasses.asdict(sums) for service, sums in spent.items()},
    }
    return (
        data,
        f"Mode: {settings.MODE.upper()}",
        f"Campaign {campaign.pk} ({campaign.name}) is {campaign.status}. {campaign.status_message}".rstrip(),
        *([f"Its target: {campaign.target_halt}"] if campaign.waits_for_target else []),
        *filter(None, [campaign.waits_for_budget, holds]),
        *(f"{what}: {listed(numbers)}" for what, numbers in progress.items()),
        f"funnel: {', '.join(f'{number} {name}' for name, number in reached.numbers().items())}",
        *(f"{each} USD for each {what}" for what, each in reached.costs().items()),
        table(SPEND_COLUMNS, [[service, *dataclasses.astuple(sums)] for service, sums in spent.items() if sums.calls]),
    )


def preview_lines(campaign: Campaign, shown: prompts.PromptPreview) -> list[str]:
    """Write for people what a lead's prompts are."""
    lines = [f"Campaign {campaign.pk} ({campaign.name}), {shown.lead}. {shown.missing}".rstrip()]
    for kind, (instructions, prompt) in (("research", shown.research), ("mail", shown.mail)):
        tokens = prompts.estimate_tokens(instructions + prompt)
        lines += [
            f"\n=== {kind}: instructions",
            instructions,
            f"\n=== {kind}: prompt (about {tokens} tokens in all)",
            prompt,
        ]
    return lines
