"""What each kind of job asks its vendor, and what becomes of the answer. Campaigns and vendors meet here.

`prepare` reads rows and builds the call; nothing is sent. The answer becomes a `Done`, which jobs.complete saves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from campaigns import jobs, pipeline, prompts, suppression
from campaigns.addresses import normalise
from campaigns.jobs import Done
from campaigns.mailcheck import check_mail
from campaigns.models import Campaign, Job, Lead, Verdict
from integrations import apollo, instantly, millionverifier, openai, perplexity
from integrations.errors import FailureType, VendorError
from integrations.results import Mail, PeoplePage, Person, Push, Research, Reveal
from integrations.results import Verdict as VerdictResult

# Verdicts of addresses are remembered for this long: asked again, they would be paid again and drift to `unknown`.
REMEMBERED = timedelta(days=30)
# How long a push waits for its campaign at Instantly to be made (seconds).
TARGET_WAIT = 2
NOT_FOUND = 404


@dataclass(frozen=True)
class Ready:
    """One call to be made: `send` makes it, `done` turns its answer into what the job leaves behind."""

    send: Callable[[], Any]
    done: Callable[[Any], Done]
    tokens: int = 0  # what it may use at most, for the budget per minute
    stops: Callable[[VendorError], str] = lambda error: ""  # why the whole campaign must wait for a person, if it must


@dataclass(frozen=True)
class NotYet:
    """Something must come first; try again in `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Stopped:
    """Nothing of this campaign can go on until a person has mended it."""

    why: str


class Rejected(Exception):
    """The vendor answered, and was paid, but the answer is no use; the text says why."""


def prepare(job: Job) -> Ready | Done | NotYet | Stopped:
    """The call of `job`, or what it comes to without one."""
    return PREPARE[job.kind](job)


def find(job: Job) -> Ready:
    campaign = job.campaign
    return Ready(
        lambda: apollo.search_people(campaign.search or {}, page=job.part, per_page=pipeline.FIND_AT_ONCE),
        lambda page: found(job, page),
    )


def found(job: Job, page: PeoplePage) -> Done:
    """Reveal jobs for the people of this page, and the next page while there are people and room."""
    campaign = job.campaign
    room = campaign.max_leads - (job.part - 1) * pipeline.FIND_AT_ONCE
    people = [person.id for person in page.people[:room]]
    new = [
        Job(campaign=campaign, kind="reveal", part=part, payload={"people": ids})
        for part, ids in pipeline.reveals(job.part, people)
    ]
    if page.people and job.part < pipeline.pages(campaign.max_leads, page.total):
        new.append(Job(campaign=campaign, kind="find", part=job.part + 1))
    return Done(effects=lambda: jobs.add(new))


def reveal(job: Job) -> Ready:
    ids = job.payload["people"]
    return Ready(lambda: apollo.reveal(ids), lambda answer: revealed(job, ids, answer))


def revealed(job: Job, ids: list[str], answer: Reveal) -> Done:
    """A lead for each person: OPEN with an address, else DROPPED with the reason."""

    def effects() -> None:
        for person_id, person in zip(ids, answer.matches, strict=True):
            add_lead(job.campaign, person_id, person)

    return Done(effects=effects)


def add_lead(campaign: Campaign, person_id: str, person: Person | None) -> None:
    """One lead of a search, once per person and address; a second person at an address is dropped as a duplicate."""
    email, reason = None, "not matched by Apollo"
    if person:
        email, reason = usable_address(person)
    fields: dict[str, Any] = {"campaign": campaign, "apollo_id": person_id}
    if person:
        fields |= {
            "first_name": person.first_name[:200],
            "last_name": person.last_name[:200],
            "title": person.title[:500],
            "company": person.company[:300],
            "company_domain": person.company_domain[:255],
            "data": {
                "linkedin_url": person.linkedin_url,
                "headline": person.headline,
                "city": person.city,
                "state": person.state,
                "country": person.country,
                "email_status": person.email_status,
            },
        }
    if email:
        try:
            with transaction.atomic():
                Lead.objects.create(email=email, **fields)
            return
        except IntegrityError:
            reason = "duplicate address"
    if Lead.objects.filter(campaign=campaign, apollo_id=person_id).exists():
        return
    Lead.objects.create(state=Lead.State.DROPPED, end_reason=reason, ended_at=timezone.now(), **fields)


def usable_address(person: Person) -> tuple[str | None, str]:
    """(address, "") or (None, why not)."""
    if not person.email:
        return None, "no e-mail"
    email = normalise(person.email)
    if email is None:
        return None, "malformed e-mail"
    if suppression.is_suppressed(email):
        return None, "suppressed"
    return email, ""


def make_target(job: Job) -> Ready | Done:
    """The campaign at Instantly; after a lost answer, the one that may have been made is looked for first."""
    campaign = job.campaign
    if campaign.instantly_campaign_id:
        return Done(without_call=True)
    name = f"{campaign.name} (Holdfast {campaign.pk})"

    def send() -> str:
        if job.fence > 1:
            for known in instantly.list_campaigns():
                if known.name == name:
                    return known.id
        return instantly.create_campaign(name)

    def done(target: str) -> Done:
        return Done(effects=lambda: keep_target(campaign, target))

    def stops(error: VendorError) -> str:
        # Its leads would wait for it for ever.
        ends = pipeline.after_failure(error.failure_type, job.attempts).ends
        return f"Its campaign at Instantly could not be made: {error.message}" if ends else ""

    return Ready(send, done, stops=stops)


def keep_target(campaign: Campaign, target: str) -> None:
    Campaign.objects.filter(pk=campaign.pk, instantly_campaign_id="").update(instantly_campaign_id=target)


def lead_of(job: Job) -> Lead:
    """The lead of a job that has one; a database constraint says which do."""
    assert job.lead is not None  # noqa: S101 (job_belongs_to_campaign_or_lead)
    return job.lead


def address_of(lead: Lead) -> str:
    """The address of a lead that is worked on; lead_worked_has_address says it has one."""
    assert lead.email is not None  # noqa: S101
    return lead.email


def verify(job: Job) -> Ready | Done:
    email = address_of(lead_of(job))
    known = Verdict.objects.filter(email=email, checked_at__gt=Now() - REMEMBERED).first()
    if known:
        done = verdict_reached(known.result)
        done.without_call = True
        return done

    def remember(answer: VerdictResult) -> Done:
        done = verdict_reached(answer.result)
        done.effects = lambda: keep_verdict(email, answer)
        return done

    return Ready(lambda: millionverifier.verify(email), remember)


def verdict_reached(result: str) -> Done:
    step = pipeline.after_verify(result)
    return Done(lead={"verdict": result}, next_kind=step.next_kind, end=step.end, end_reason=step.reason)


def keep_verdict(email: str, answer: VerdictResult) -> None:
    # `unknown` is the recipient's server being shy, not a fact about the address; it was not charged either.
    if answer.result != "unknown":
        Verdict.objects.bulk_create(
            [Verdict(email=email, result=answer.result, subresult=answer.subresult[:40])],
            update_conflicts=True,
            unique_fields=["email"],
            update_fields=["result", "subresult", "checked_at"],
        )


def research(job: Job) -> Ready:
    instructions, prompt = prompts.research_request(job.campaign, lead_of(job))

    def done(answer: Research) -> Done:
        return Done(
            lead={"research": clean(answer.text), "sources": [clean(url) for url in answer.sources]},
            next_kind=pipeline.FOLLOWS["research"],
        )

    return Ready(
        lambda: perplexity.research(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
    )


def write(job: Job) -> Ready:
    lead = lead_of(job)
    instructions, prompt = prompts.mail_request(job.campaign, lead)

    def done(mail: Mail) -> Done:
        problems = check_mail(mail.subject, mail.body, lead, prompts.template_of(job.campaign, "mail"))
        if problems:
            raise Rejected("; ".join(problems))
        return Done(
            lead={"mail_subject": clean(mail.subject), "mail_body": clean(mail.body)},
            next_kind=pipeline.FOLLOWS["write"],
        )

    return Ready(
        lambda: openai.write_mail(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.OPENAI_MAX_OUTPUT_TOKENS,
    )


def push(job: Job) -> Ready | Done | NotYet | Stopped:
    lead, target = lead_of(job), job.campaign.instantly_campaign_id
    email = address_of(lead)
    if suppression.is_suppressed(email):
        return Done(end="DROPPED", end_reason="suppressed", without_call=True)
    if not target:
        given_up = job.campaign.jobs.filter(kind="prepare", status=Job.Status.FAILED).first()
        if given_up:
            return Stopped(f"Its campaign at Instantly could not be made: {given_up.error}. Retry what failed.")
        return NotYet(TARGET_WAIT)
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

    return Ready(lambda: instantly.push(campaign_id=target, lead=body), done, stops=stops)


def clean(text: str) -> str:
    """PostgreSQL stores no NUL, and no lone surrogate can be encoded."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


PREPARE: dict[str, Callable[[Job], Ready | Done | NotYet | Stopped]] = {
    "find": find,
    "reveal": reveal,
    "prepare": make_target,
    "verify": verify,
    "research": research,
    "write": write,
    "push": push,
}
