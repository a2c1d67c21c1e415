"""Apollo reveals people, a credit each: every one becomes a lead, with an address or with the reason why not."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.leads.addresses import normalise
from campaigns.models import Campaign, JobRow, Lead
from integrations import apollo
from integrations.results import Person, Reveal
from workers.steps.calls import Ready, credits_usd


def reveal(job: JobRow) -> Ready:
    """Build the call for the people in the job's payload, ten at most."""
    ids = job.payload["people"]
    return Ready(lambda: apollo.reveal(ids), lambda answer: after_reveal(job, ids, answer), answer=Reveal)


def most_usd(job: JobRow) -> Decimal:
    """A reveal takes a credit for each person at most."""
    return credits_usd(job, len(job.payload["people"]))


def after_reveal(job: JobRow, ids: list[str], answer: Reveal) -> Done:
    """Leave a lead for each person: OPEN with an address, else DROPPED with the reason."""

    def add_leads() -> None:
        for person_id, person in zip(ids, answer.matches, strict=True):
            add_lead(job.campaign, person_id, person)

    return Done(effects=add_leads)


def add_lead(campaign: Campaign, person_id: str, person: Person | None) -> None:
    """Add a lead of a search, once per person and address; a second person at an address is dropped as a duplicate."""
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
    """Return (address, ""), or (None, why there is none that may be used)."""
    if not person.email:
        return None, "no e-mail"
    email = normalise(person.email)
    if email is None:
        return None, "malformed e-mail"
    if suppression.is_suppressed(email):
        return None, "suppressed"
    return email, ""
