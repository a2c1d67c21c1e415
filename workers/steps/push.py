"""Instantly's calls: the campaign that leads are pushed into, and the push.

A call that may have been made is not simply repeated: what it may have left at Instantly is looked for first. Each look
is a claim of its own (`Done.again`), so that one claim stays one request under one permit.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from campaigns import pipeline
from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.models import Event
from integrations import instantly
from integrations.errors import FailureType, VendorError
from integrations.results import InstantlyCampaign, Push
from workers.steps.calls import NotYet, Ready, Stopped, address_of, credits_usd, lead_of

# How long a push waits for its campaign at Instantly to be made (seconds).
TARGET_WAIT = 2
NOT_FOUND = 404
# After these the vendor may have done what it was asked; a success is one that could not be saved.
UNCERTAIN = ("success", "unknown", "timeout", "connection", "server_error", "malformed")


def unsettled(job: JobRow) -> bool:
    """Whether an earlier claim's call may have been made and nobody has looked since; `looked` is that look's claim."""
    # The first claim needs no query.
    return job.fence > 1 and job.calls.filter(fence__gt=job.payload.get("looked", 0), outcome__in=UNCERTAIN).exists()


def make_target(job: JobRow) -> Ready | Done:
    """The campaign at Instantly; one that may have been made is looked for first."""
    if job.campaign.instantly_campaign_id:
        return Done(without_call=True)
    mark = mark_of(job)
    if unsettled(job):
        return Ready(partial(instantly.find_campaigns, mark), partial(target_found, job, mark), stops=no_target(job))
    return Ready(
        partial(instantly.create_campaign, f"{job.campaign.name} {mark}"),
        lambda target: Done(effects=partial(keep_target, job.campaign, target)),
        stops=no_target(job),
    )


def mark_of(job: JobRow) -> str:
    """How the name at Instantly ends. One that is made anew is another one, lest the old one be found."""
    made = job.payload.get("made", 0)
    return f"(Holdfast {job.campaign_id}{f', no. {made + 1}' if made else ''})"


def target_found(job: JobRow, mark: str, known: list[InstantlyCampaign]) -> Done:
    """Ours if it is among these, renamed or not; else it is made under a claim of its own."""
    for campaign in known:
        if campaign.name.rstrip().endswith(mark):
            return Done(effects=partial(keep_target, job.campaign, campaign.id))
    return Done(again={**job.payload, "looked": job.fence})


def no_target(job: JobRow) -> Callable[[VendorError], str]:
    def stops(error: VendorError) -> str:
        # Its leads would wait for it for ever.
        ends = pipeline.after_failure(error.failure_type, job.attempts).ends
        return f"Its campaign at Instantly could not be made: {error.message}" if ends else ""

    return stops


def keep_target(campaign: Campaign, target: str) -> None:
    Campaign.objects.filter(pk=campaign.pk, instantly_campaign_id="").update(instantly_campaign_id=target)


def push(job: JobRow) -> Ready | Done | NotYet | Stopped:
    """The lead into its campaign. After an uncertain push it is looked for where the campaign pushed into before: the
    target itself says `duplicate`, another one would mail the person a second time."""
    lead, target = lead_of(job), job.campaign.instantly_campaign_id
    email = address_of(lead)
    if suppression.is_suppressed(email):
        return Done(end="DROPPED", end_reason="suppressed", without_call=True)
    if not target:
        given_up = job.campaign.job_rows.filter(lead=None, kind="prepare", status=JobRow.Status.FAILED).first()
        if given_up:
            return Stopped(f"Its campaign at Instantly could not be made: {given_up.error}. Retry what failed.")
        return NotYet(TARGET_WAIT)
    not_in = [] if unsettled(job) else job.payload.get("not_in")
    if not_in is not None and (former := former_target(job.campaign, not_in)):
        return Ready(partial(look_in, former, email), partial(looked_in, job, former, not_in))
    return push_into(target, lead, email)


def former_target(campaign: Campaign, not_in: list[str]) -> str:
    """One that the campaign pushed into before, other than these and the present one; '' if there is none (left)."""
    moves = Event.objects.filter(subject_type="campaign", subject_id=str(campaign.pk), verb="retargeted")
    former = {str((before or {}).get("instantly_campaign_id", "")) for before in moves.values_list("before", flat=True)}
    return min(former - {"", campaign.instantly_campaign_id, *not_in}, default="")


def look_in(former: str, email: str) -> str | None:
    try:
        return instantly.find_lead(former, email)
    except VendorError as error:
        if error.http_status == NOT_FOUND:
            return None  # a campaign that is gone mails nobody
        raise


def looked_in(job: JobRow, former: str, not_in: list[str], lead_id: str | None) -> Done:
    if lead_id:
        return Done(lead={"instantly_lead_id": lead_id}, end=pipeline.after_push("duplicate").end)
    return Done(again={"looked": job.fence, "not_in": [*not_in, former]})


def push_into(target: str, lead: Lead, email: str) -> Ready:
    body = {
        "email": email,
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "company_name": lead.company,
        "job_title": lead.title,
        "custom_variables": {
            instantly.SUBJECT_VARIABLE: lead.mail_subject,
            instantly.BODY_VARIABLE: lead.mail_body,
        },
    }

    def done(answer: Push) -> Done:
        step = pipeline.after_push(answer.outcome)
        changes = {"instantly_lead_id": answer.lead_id} if answer.lead_id else {}
        return Done(lead=changes, end=step.end, end_reason=step.reason)

    def stops(error: VendorError) -> str:
        # As the lead's own fault it would fail every lead, each paid for up to here.
        gone = error.http_status == NOT_FOUND and error.failure_type == FailureType.INVALID_REQUEST
        return f"Instantly has no campaign {target}. Give it another one, then resume it." if gone else ""

    return Ready(partial(instantly.push, campaign_id=target, lead=body), done, stops=stops, answer=Push)


def most_of_push(job: JobRow) -> Decimal:
    """An upload."""
    return credits_usd(job, 1)
