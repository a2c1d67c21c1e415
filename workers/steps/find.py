"""Apollo finds people, a page of the campaign's search at a time; searching is free."""

from datetime import timedelta

from django.conf import settings

from campaigns import jobs, pipeline
from campaigns.jobs import Done
from campaigns.models import Campaign, JobRow, Lead
from integrations import apollo
from integrations.results import PeoplePage
from workers.steps.calls import Ready
from workers.steps.reveal import known_people


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
        people = new_people(campaign, [person.id for person in page.people[:room]])
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


def new_people(campaign: Campaign, ids: list[str]) -> list[str]:
    """Leave out the people who are a lead of the campaign or in one of its reveal jobs already; each id once.

    The vendor's pages shift between two requests, and whoever is revealed twice is paid twice.
    """
    already = set(
        Lead.objects.filter(campaign=campaign, apollo_id__in=ids).order_by().values_list("apollo_id", flat=True)
    )
    # At most 5,000 jobs, by job_once_per_part.
    reveals = JobRow.objects.filter(campaign=campaign, lead=None, kind="reveal", payload__people__has_any_keys=ids)
    for payload in reveals.order_by().values_list("payload", flat=True) if ids else ():
        already.update(payload["people"])
    return [person for person in dict.fromkeys(ids) if person not in already]
