"""Instantly gets the lead with its mail, once: a push that may have been made is not simply repeated.

What it may have left at Instantly is looked for first. Each look is a claim of its own (`Done.again`), so that one
claim stays one request under one permit.
"""

from decimal import Decimal
from functools import partial

from campaigns import past_due, pipeline, targets
from campaigns.contacts import pushing
from campaigns.jobs import Done
from campaigns.leads.addresses import holds_locked
from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.models import Event
from integrations import instantly
from integrations.errors import FailureType, VendorError
from integrations.results import Push
from workers.steps.calls import NotYet, Ready, Stopped, address_of, credits_usd, lead_of, unsettled

# How long a push waits for its campaign at Instantly to be made (seconds).
TARGET_WAIT = 2
# How long it waits for another campaign's push to the same person to end (seconds).
BUSY_WAIT = 1
NOT_FOUND = 404


def push(job: JobRow) -> Ready | Done | NotYet | Stopped:
    """Build the call that puts the lead into the campaign at Instantly; NotYet while that one is being made.

    After an uncertain push the lead is looked for where the campaign pushed into before: the target itself says
    `duplicate`, another one would mail the person a second time.
    """
    lead, target = lead_of(job), job.campaign.instantly_campaign_id
    email = address_of(lead)
    if holds_locked(email):
        return Done(end="DROPPED", end_reason="suppressed", without_call=True)
    if past_due.verify_again(job, lead):
        return NotYet(0)  # it is ours no more: it comes back with the new verdict
    begun = pushing.begin(job, lead, email)
    if begun.busy:
        return NotYet(BUSY_WAIT)
    if begun.refused:
        return Done(end="DROPPED", end_reason=begun.refused, without_call=True)
    if not target:
        given_up = job.campaign.job_rows.filter(lead=None, kind="prepare", status=JobRow.Status.FAILED).first()
        if given_up:
            return Stopped(f"Its campaign at Instantly could not be made: {given_up.error}. Retry what failed.")
        return NotYet(TARGET_WAIT)
    not_in = [] if unsettled(job) else job.payload.get("not_in")
    if not_in is not None and (former := former_target(job.campaign, not_in)):
        return Ready(partial(look_in, former, email), partial(after_look, job, former, not_in))
    return push_into(target, lead, email)


def former_target(campaign: Campaign, not_in: list[str]) -> str:
    """Return a target that the campaign pushed into before the present one, none of `not_in`; "" if none is left."""
    moves = Event.objects.filter(subject_type="campaign", subject_id=str(campaign.pk), verb="retargeted")
    former = {str((before or {}).get("instantly_campaign_id", "")) for before in moves.values_list("before", flat=True)}
    return min(former - {"", campaign.instantly_campaign_id, *not_in}, default="")


def look_in(former: str, email: str) -> str | None:
    """Look for a lead in a former target: its id there, None if it is not there. Raises VendorError."""
    try:
        return instantly.find_lead(former, email)
    except VendorError as error:
        if error.http_status == NOT_FOUND:
            return None  # a campaign that is gone mails nobody
        raise


def after_look(job: JobRow, former: str, not_in: list[str], lead_id: str | None) -> Done:
    """End the lead as a duplicate if it stands in the former target, else go on to the next look or the push."""
    if lead_id:
        return Done(lead={"instantly_lead_id": lead_id}, end=pipeline.after_push("duplicate").end)
    return Done(again={"looked": job.fence, "not_in": [*not_in, former]})


def push_into(target: str, lead: Lead, email: str) -> Ready:
    """Build the push itself; a target that is gone stops the campaign."""
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
        last = partial(targets.plan_is_used_up, lead.campaign) if answer.remaining_in_plan == 0 else None
        return Done(lead=changes, end=step.end, end_reason=step.reason, effects=last)

    def stops(error: VendorError) -> str:
        # As the lead's own fault it would fail every lead, each paid for up to here.
        gone = error.http_status == NOT_FOUND and error.failure_type == FailureType.INVALID_REQUEST
        return f"Instantly has no campaign {target}. Give it another one, then resume it." if gone else ""

    return Ready(partial(instantly.push, campaign_id=target, lead=body), done, stops=stops, answer=Push)


def most_usd(job: JobRow) -> Decimal:
    """A push takes one upload at most."""
    return credits_usd(job, 1)
