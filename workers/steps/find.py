"""Apollo's calls: a page of a search, and the people of it with their addresses."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import jobs, pipeline
from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.leads.addresses import normalise
from campaigns.models import Campaign, JobRow, Lead
from integrations import apollo
from integrations.results import PeoplePage, Person, Reveal
from workers.steps.calls import Ready, credits_usd


def find(job: JobRow) -> Ready:
    campaign = job.campaign
    return Ready(
        lambda: apollo.search_people(campaign.search or {}, page=job.part, per_page=pipeline.FIND_AT_ONCE),
        lambda page: found(job, page),
        answer=PeoplePage,
    )


def found(job: JobRow, page: PeoplePage) -> Done:
    """Reveal jobs for the people of this page, and the next page while there are people and room."""
    campaign = job.campaign
    room = campaign.max_leads - (job.part - 1) * pipeline.FIND_AT_ONCE

    def effects() -> None:
        people = unknown(campaign, [person.id for person in page.people[:room]])
        new = [
            JobRow(campaign=campaign, kind="reveal", part=part, payload={"people": ids})
            for part, ids in pipeline.reveals(job.part, people)
        ]
        if page.people and job.part < pipeline.pages(campaign.max_leads, page.total):
            new.append(JobRow(campaign=campaign, kind="find", part=job.part + 1))
        jobs.add(new)

    return Done(effects=effects)


def unknown(campaign: Campaign, ids: list[str]) -> list[str]:
    """Those, each once, that are no lead of the campaign yet and in none of its reveal jobs: the vendor's pages shift
    between two requests, and whoever is revealed twice is paid twice."""
    known = set(
        Lead.objects.filter(campaign=campaign, apollo_id__in=ids).order_by().values_list("apollo_id", flat=True)
    )
    # At most 5,000 jobs, by job_once_per_part.
    reveals = JobRow.objects.filter(campaign=campaign, lead=None, kind="reveal", payload__people__has_any_keys=ids)
    for payload in reveals.order_by().values_list("payload", flat=True) if ids else ():
        known.update(payload["people"])
    return [person for person in dict.fromkeys(ids) if person not in known]


def reveal(job: JobRow) -> Ready:
    ids = job.payload["people"]
    return Ready(lambda: apollo.reveal(ids), lambda answer: revealed(job, ids, answer), answer=Reveal)


def most_of_reveal(job: JobRow) -> Decimal:
    """A credit for each person asked for."""
    return credits_usd(job, len(job.payload["people"]))


def revealed(job: JobRow, ids: list[str], answer: Reveal) -> Done:
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
