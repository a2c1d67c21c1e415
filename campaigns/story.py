"""A lead's story tells every job, every call, what was paid, and one sentence for 'why is it not moving?'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from campaigns import first_leads
from campaigns.models import Campaign, Job, Lead, VendorCall
from campaigns.pipeline import REVIEW


@dataclass(frozen=True)
class Story:
    """A story is what a lead's page tells."""

    why: str
    jobs: list[Job]
    calls: list[VendorCall]
    paid: Decimal


def tell(
    lead: Lead,
    *,
    now: datetime,
    queue: Mapping[str, str],
    blocked: Mapping[str, datetime],
    held: Mapping[str, str] | None = None,
) -> Story:
    """Tell a lead's story by three queries. `queue`: service -> ACTIVE or PAUSED; `blocked`: service -> until when the
    vendor slows us; `held`: service -> why its work waits for a budget."""
    jobs = list(Job.objects.filter(lead=lead).order_by("pk"))
    calls = list(VendorCall.objects.filter(job__in=[job.pk for job in jobs]).order_by("admitted_at"))
    why = why_not_moving(lead, lead.campaign, jobs, now=now, queue=queue, blocked=blocked, held=held)
    return Story(why, jobs, calls, sum((call.cost_usd for call in calls), Decimal(0)))


def why_not_moving(  # (a list of cases, the most final first)
    lead: Lead,
    campaign: Campaign,
    jobs: Sequence[Job],
    *,
    now: datetime,
    queue: Mapping[str, str],
    blocked: Mapping[str, datetime],
    held: Mapping[str, str] | None = None,
) -> str:
    """Say in one sentence why a lead is not moving. Pure."""
    if lead.state == Lead.State.PUSHED:
        return f"It is done: pushed to Instantly{_at(lead.ended_at)}."
    if lead.state != Lead.State.OPEN:
        return f"It has ended{_at(lead.ended_at)}: {lead.state.lower()}, {lead.end_reason}."
    if campaign.status == Campaign.Status.CREATED:
        return "Its campaign has not been started."
    if campaign.status == Campaign.Status.PAUSED:
        cause = campaign.status_message or "its campaign is paused"
        how = "Resume the queue to go on." if campaign.system_paused_at else "Resume the campaign to go on."
        return f"{cause}. {how}"
    if campaign.finished:
        return f"Its campaign is {campaign.status}: nothing more will happen to it."
    job = next((one for one in reversed(jobs) if one.status in Job.UNFINISHED), None)
    if job is None:
        return _without_job(lead, campaign)
    if job.status == Job.Status.PROCESSING:
        return f"It is moving: {job.worker} has been working on {job.kind}{_at(job.claimed_at, ' since')}."
    if waits := first_leads.why_waits(campaign, lead.stage) or _waits_for_target(campaign):
        return waits
    if halt := campaign.waits_for_budget or (held or {}).get(job.service):
        return f"Its {job.kind} is {halt}. It goes on when the limit is raised or the period has turned."
    if queue.get(job.service) != "ACTIVE":
        return f"The queue of {job.service} is paused, so its {job.kind} waits."
    if until := blocked.get(job.service):
        return f"{job.service} has asked us to slow down until {until:%H:%M:%S} UTC; its {job.kind} waits."
    if job.run_at > now:
        tried = f" after {job.attempts} failed attempts ({job.error})" if job.attempts else ""
        return f"Its {job.kind} waits until {job.run_at:%H:%M:%S} UTC{tried}."
    return f"Its {job.kind} is in the queue of {job.service}, behind others."


def _without_job(lead: Lead, campaign: Campaign) -> str:
    if lead.stage == REVIEW:
        return "Its mail is written, and waits for somebody to read and approve it."
    waits = first_leads.why_waits(campaign, lead.stage)
    return waits or "It waits for its next job; the supervisor makes one within a minute."


def _waits_for_target(campaign: Campaign) -> str:
    halt = campaign.waits_for_target
    return f"{halt} Nothing is bought for it meanwhile; it goes on by itself." if halt else ""


def _at(at: datetime | None, word: str = " at") -> str:
    return f"{word} {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
