"""A campaign's page is drawn from its row and the tallies; a sentence on top says what happens now."""

from collections.abc import Mapping
from typing import Any

from campaigns import estimate, first_leads, funnel, spend, tallies
from campaigns.models import Campaign, Lead
from campaigns.pipeline import REVIEW
from console import statistics
from console.labels import plural
from console.sentence import Sentence
from console.snapshot import ConsoleSnapshot

Status = Campaign.Status


def context_of(campaign: Campaign, snapshot: ConsoleSnapshot) -> dict[str, Any]:
    """Return what the live part of a campaign's page shows; `snapshot` is that of the banner above it."""
    numbers = tallies.progress([campaign.pk])[campaign.pk]
    spent = {name: sums for name, sums in spend.by_service(campaign=campaign.pk).items() if sums.calls}
    row = statistics.campaign_row(campaign.pk, snapshot.at)
    hold = first_leads.hold_of(campaign)
    return {
        "snapshot": snapshot,
        "campaign": campaign,
        "row": row,
        "now": now_of(campaign, numbers.leads, sentence=snapshot.sentence, hold=hold, finish=row.finish),
        "estimate": estimate.of_campaign(campaign).sentence if campaign.status == Status.CREATED else "",
        "numbers": numbers,
        "funnel": funnel.of_campaign(campaign.pk),
        "spend": spent,
        "spent_usd": sum((sums.cost_usd for sums in spent.values()), 0),
        "first_leads_hold": hold,
        "written": first_leads.written(campaign),
        "to_read": 0 if campaign.finished else numbers.stages.get(REVIEW, 0),
    }


def now_of(
    campaign: Campaign, leads: Mapping[str, int], *, sentence: Sentence, hold: str = "", finish: str = ""
) -> tuple[str, str]:
    """Say what happens in a campaign now, in the tone of the banner: (tone, text). Pure.

    `leads`: its leads by state; `sentence`: the banner's; `hold`: that it holds after its first leads; `finish`: how
    long it still takes.
    """
    number, opened = sum(leads.values()), leads.get(Lead.State.OPEN, 0)
    if campaign.status == Status.CREATED:
        if campaign.search is None and not opened:
            return "warn", "It has no people yet, so it cannot be started. Nothing has been paid."
        who = (
            "Apollo's search is read at its start" if campaign.search is not None else f"{plural(opened, 'lead')} wait"
        )
        return "idle", f"Ready to start: {who}. Nothing has been paid."
    if campaign.finished:
        return _ended(campaign, leads)
    if campaign.status == Status.PAUSED:
        cause = (campaign.status_message or "It is paused").rstrip(".")
        how = "Resume the queue" if campaign.system_paused_at else "Resume the campaign"
        return "warn", f"{cause}. {how} to go on: nothing is lost."
    if sentence.paused:
        return "bad", f"It does not move, as nothing does. {sentence.text}"
    if waits := campaign.waits_for_target or campaign.waits_for_budget:
        return "warn", waits
    if hold:
        return "warn", hold
    if not number:
        return "good", "Its search is being read: the first people are on their way."
    if not opened:
        return "good", "All its leads have ended; it completes within a second."
    return "good", f"{plural(opened, 'lead')} in work" + (f", {finish}." if finish else ".")


def _ended(campaign: Campaign, leads: Mapping[str, int]) -> tuple[str, str]:
    pushed, number = leads.get(Lead.State.PUSHED, 0), sum(leads.values())
    others = [f"{leads[state]:,} {state.lower()}" for state in ("DROPPED", "FAILED") if leads.get(state)]
    became = f"{pushed:,} of {plural(number, 'lead')} were pushed" + (f", {', '.join(others)}" if others else "")
    if campaign.status == Status.COMPLETED:
        return "done", f"It is done: {became}." if number else f"{campaign.status_message or 'It is done'}."
    return "off", f"{(campaign.status_message or campaign.status.capitalize()).rstrip('.')}. {became.capitalize()}."
