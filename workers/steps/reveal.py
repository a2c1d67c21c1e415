"""Apollo reveals people, a credit each: every one becomes a lead, with an address or with the reason why not."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.leads.addresses import normalise
from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.storable import fit
from integrations import apollo
from integrations.results import Person, Reveal
from workers.steps.calls import Ready, credits_usd

# What Apollo tells of a person: the lead's columns of these names, and what is kept beside them in `data`.
COLUMNS = ("first_name", "last_name", "title", "company", "company_domain")
FURTHER = ("linkedin_url", "headline", "city", "state", "country", "email_status")


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
            **{column: fit(getattr(person, column), Lead, column) for column in COLUMNS},
            "data": {name: getattr(person, name) for name in FURTHER},
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
