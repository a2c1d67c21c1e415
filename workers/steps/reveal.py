"""Apollo reveals people, a credit each: every one becomes a lead, with an address or with the reason why not."""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from campaigns import facts
from campaigns.facts import Fact
from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.leads.addresses import holds_locked, normalise
from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.storable import fit
from integrations import apollo
from integrations.results import Person, Reveal
from workers.steps.calls import Ready, credits_usd

# What Apollo tells of a person: the lead's columns of these names, and what is kept beside them in `data`.
COLUMNS = ("first_name", "last_name", "title", "company", "company_domain")
FURTHER = ("linkedin_url", "headline", "city", "state", "country", "email_status")

# Why a person is dropped of whom Apollo has no address.
NO_EMAIL = "no e-mail"


def reveal(job: JobRow) -> Ready | Done:
    """Build the call for the people in the job's payload, ten at most; none for people who have been bought before."""
    ids = job.payload["people"]
    if not job.payload.get("known"):
        return Ready(lambda: apollo.reveal(ids), lambda answer: after_reveal(job, ids, answer), answer=Reveal)
    known = known_people(ids)
    people = {pk: person_of(known[pk]) if pk in known else None for pk in ids}
    avoided = sum((fact.cost_usd for fact in known.values()), Decimal(0))
    return Done(effects=lambda: add_leads(job.campaign, people), without_call=True, avoided_usd=avoided)


def known_people(ids: list[str], *, remembered: timedelta | None = None) -> dict[str, Fact]:
    """Find those of these people whom Apollo has revealed already, not longer than `remembered` ago if it is given."""
    found = facts.known((f"person:{pk}" for pk in ids), remembered=remembered)
    return {key.removeprefix("person:"): fact for key, fact in found.items()}


def person_of(fact: Fact) -> Person:
    """Read a person from what was kept."""
    assert fact.value is not None  # noqa: S101 (a known fact has a value)
    return Person(**fact.value)


def facts_of(job: JobRow, people: dict[str, Person | None]) -> list[Fact]:
    """Make facts of the people who were revealed with an address, a credit each. Somebody without one is asked for
    again: Apollo may have one by then, and takes nothing for none."""
    cost = credits_usd(job, 1)
    return [
        Fact(f"person:{pk}", asdict(person), normalise(person.email) or "", cost)
        for pk, person in people.items()
        if person and person.email
    ]


def most_usd(job: JobRow) -> Decimal:
    """A reveal takes a credit for each person at most."""
    return credits_usd(job, len(job.payload["people"]))


def after_reveal(job: JobRow, ids: list[str], answer: Reveal) -> Done:
    """Leave a lead for each person: OPEN with an address, else DROPPED with the reason."""
    people = dict(zip(ids, answer.matches, strict=True))

    def effects() -> None:
        facts.keep(facts_of(job, people))
        add_leads(job.campaign, people)

    return Done(effects=effects)


def add_leads(campaign: Campaign, people: dict[str, Person | None]) -> None:
    """Add the leads of a search, once per person and address; a second person at an address is dropped as a duplicate.
    Four statements, whatever their number."""
    emails = {pk: normalise(person.email) for pk, person in people.items() if person and person.email}
    suppressed = suppression.suppressed_among({email for email in emails.values() if email})
    reasons = {pk: why_dropped(person, emails.get(pk), suppressed) for pk, person in people.items()}
    opened = [
        Lead(campaign=campaign, apollo_id=pk, email=emails[pk], **known_of(person))
        for pk, person in people.items()
        if not reasons[pk]
    ]
    Lead.objects.bulk_create(opened, ignore_conflicts=True)
    # Neither inserted now nor there before: somebody else has the address.
    ours = set(Lead.objects.filter(campaign=campaign, apollo_id__in=people).values_list("apollo_id", flat=True))
    dropped = [
        Lead(
            campaign=campaign,
            apollo_id=pk,
            state=Lead.State.DROPPED,
            end_reason=reasons[pk] or "duplicate address",
            ended_at=timezone.now(),
            **known_of(person),
        )
        for pk, person in people.items()
        if pk not in ours
    ]
    Lead.objects.bulk_create(dropped, ignore_conflicts=True)


def known_of(person: Person | None) -> dict[str, Any]:
    """Return the columns of a lead that Apollo has told us."""
    if person is None:
        return {}
    columns = {column: fit(getattr(person, column), Lead, column) for column in COLUMNS}
    return {**columns, "data": {name: getattr(person, name) for name in FURTHER}}


def why_dropped(person: Person | None, email: str | None, suppressed: set[str]) -> str:
    """Say why nobody can write to this person; empty if somebody can. `email` is the normalised address, if it is one.

    A placeholder of Apollo's is no address either.
    """
    if person is None:
        return "not matched by Apollo"
    if not person.email:
        return NO_EMAIL
    if email is None:
        return "malformed e-mail"
    return "suppressed" if email in suppressed or holds_locked(email) else ""
