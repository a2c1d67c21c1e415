"""Apollo finds people, a page of the campaign's search at a time; searching is free."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from campaigns import jobs, pipeline
from campaigns.contacts.conversations import take_in
from campaigns.contacts.names import apollo_key
from campaigns.contacts.policy import policy_of
from campaigns.contacts.rows import Person
from campaigns.jobs import Done
from campaigns.leads import suppression
from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.storable import fit
from integrations import apollo
from integrations.results import FoundPerson, PeoplePage
from workers.steps.calls import Ready
from workers.steps.reveal import NO_EMAIL, known_people


def find(job: JobRow) -> Ready:
    """Build the call for one page: the job's part is the page's number, from 1."""
    campaign = job.campaign
    return Ready(
        lambda: apollo.search_people(campaign.search or {}, page=job.part, per_page=pipeline.FIND_AT_ONCE),
        lambda page: after_page(job, page),
        answer=PeoplePage,
    )


def after_page(job: JobRow, page: PeoplePage) -> Done:
    """Leave reveal jobs for the people of this page, and the next page while there are people and room."""
    campaign = job.campaign
    room = campaign.max_leads - (job.part - 1) * pipeline.FIND_AT_ONCE

    def add_jobs() -> None:
        people = worth_a_credit(campaign, page.people[:room])
        # Apart, so that a job is either paid for or free, whatever else is bought until it runs.
        known = known_people(people, remembered=timedelta(days=settings.REVEALED_DAYS))
        unknown = [person for person in people if person not in known]
        new = [
            JobRow(
                campaign=campaign,
                kind="reveal",
                part=part,
                payload={"people": ids, "known": True} if ids[0] in known else {"people": ids},
            )
            for part, ids in pipeline.reveals(job.part, unknown, [person for person in people if person in known])
        ]
        if page.people and job.part < pipeline.pages(campaign.max_leads, page.total):
            new.append(JobRow(campaign=campaign, kind="find", part=job.part + 1))
        jobs.add(new)

    return Done(effects=add_jobs)


def worth_a_credit(campaign: Campaign, people: list[FoundPerson]) -> list[str]:
    """Return the ids of those who are to be revealed, their contacts held. The other new ones become leads at once,
    DROPPED with the reason: Apollo has no address of theirs, or they may not be written to now."""
    by_id = {person.id: person for person in people}
    reasons = {pk: "" if by_id[pk].has_email else NO_EMAIL for pk in new_people(campaign, list(by_id))}
    asked = [pk for pk, why in reasons.items() if not why]
    contacts = [Person(campaign.pk, None, [apollo_key(pk)]) for pk in asked]
    policy = policy_of(campaign.contact_policy)
    reasons |= dict(zip(asked, take_in(contacts, {campaign.pk: policy}), strict=True))
    dropped = [
        Lead(
            campaign=campaign,
            apollo_id=pk,
            first_name=fit(by_id[pk].first_name, Lead, "first_name"),
            title=fit(by_id[pk].title, Lead, "title"),
            company=fit(by_id[pk].company, Lead, "company"),
            state=Lead.State.DROPPED,
            end_reason=fit(why, Lead, "end_reason"),
            ended_at=timezone.now(),
        )
        for pk, why in reasons.items()
        if why
    ]
    Lead.objects.bulk_create(dropped, ignore_conflicts=True)
    return [pk for pk, why in reasons.items() if not why]


def new_people(campaign: Campaign, ids: list[str]) -> list[str]:
    """Leave out the people who are a lead of the campaign or in one of its reveal jobs already, and who were erased;
    each id once.

    The vendor's pages shift between two requests, and whoever is revealed twice is paid twice.
    """
    erased = suppression.erased_among(map(apollo_key, ids))
    already = set(
        Lead.objects.filter(campaign=campaign, apollo_id__in=ids).order_by().values_list("apollo_id", flat=True)
    )
    # At most 5,000 jobs, by job_once_per_part.
    reveals = JobRow.objects.filter(campaign=campaign, lead=None, kind="reveal", payload__people__has_any_keys=ids)
    for payload in reveals.order_by().values_list("payload", flat=True) if ids else ():
        already.update(payload["people"])
    return [person for person in dict.fromkeys(ids) if person not in already and apollo_key(person) not in erased]
