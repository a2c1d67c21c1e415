"""Instantly gets the campaign that leads are pushed into. One that may have been made is looked for first."""

from collections.abc import Callable
from functools import partial

from campaigns import pipeline
from campaigns.jobs import Done
from campaigns.models import Campaign, JobRow
from integrations import instantly
from integrations.errors import VendorError
from integrations.results import InstantlyCampaign
from workers.steps.calls import Ready, unsettled


def prepare(job: JobRow) -> Ready | Done:
    """Build the call that makes the campaign at Instantly, or the look for one that may have been made."""
    if job.campaign.instantly_campaign_id:
        return Done(without_call=True)
    mark = mark_of(job)
    if unsettled(job):
        return Ready(partial(instantly.find_campaigns, mark), partial(after_look, job, mark), stops=no_target(job))
    return Ready(
        partial(instantly.create_campaign, f"{job.campaign.name} {mark}"),
        lambda target: Done(effects=partial(keep_target, job.campaign, target)),
        stops=no_target(job),
    )


def mark_of(job: JobRow) -> str:
    """Return how the name at Instantly ends. One that is made anew is another one, lest the old one be found."""
    earlier = job.payload.get("made", 0)
    return f"(Holdfast {job.campaign_id}{f', no. {earlier + 1}' if earlier else ''})"


def after_look(job: JobRow, mark: str, campaigns: list[InstantlyCampaign]) -> Done:
    """Keep ours if it is among these, renamed or not; else it is made under a claim of its own."""
    for campaign in campaigns:
        if campaign.name.rstrip().endswith(mark):
            return Done(effects=partial(keep_target, job.campaign, campaign.id))
    return Done(again={**job.payload, "looked": job.fence})


def no_target(job: JobRow) -> Callable[[VendorError], str]:
    """Make the rule that stops the campaign once its target has failed for good."""

    def stops(error: VendorError) -> str:
        # Its leads would wait for it for ever.
        ends = pipeline.after_failure(error.failure_type, job.attempts).ends
        return f"Its campaign at Instantly could not be made: {error.message}" if ends else ""

    return stops


def keep_target(campaign: Campaign, target: str) -> None:
    """Write the target's id into the campaign, unless it has one by now."""
    Campaign.objects.filter(pk=campaign.pk, instantly_campaign_id="").update(instantly_campaign_id=target)
