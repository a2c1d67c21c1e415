"""A verdict that is older than VERDICT_DAYS at the push is bought again first; old research is told in the plan."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import past_due, resume_plan
from campaigns.models import Campaign, JobRow, Lead
from campaigns.reconcile import reconcile
from tests.breakers import trip
from tests.builders import make_call, make_job
from tests.workers.chain import again, job_of
from workers.run import run
from workers.steps.calls import lead_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def a_push(days: int, verdict: str = "ok") -> JobRow:
    """A due push of a lead that was verified, with a call, so many days ago; asked again, it gets that verdict."""
    job = job_of("instantly", email=f"ida.locke+{verdict}@acme.example", verdict="ok")
    then = timezone.now() - timedelta(days=days)
    assert job.lead
    Lead.objects.filter(pk=job.lead.pk).update(created_at=then)
    verified = make_job(kind="verify", lead=job.lead, status="COMPLETED", completed_at=then, fence=1)
    make_call(verified, admitted_at=then)
    make_job(kind="research", lead=job.lead, status="COMPLETED", completed_at=then, without_call=True)
    return job


def verification(job: JobRow) -> JobRow:
    return JobRow.objects.get(lead=job.lead, kind="verify")


def state(job: JobRow) -> tuple[str, str, str]:
    """Lead, verification, push."""
    lead = lead_of(job)
    lead.refresh_from_db()
    return lead.state, verification(job).status, JobRow.objects.get(pk=job.pk).status


def test_a_fresh_verdict_is_pushed_at_once() -> None:
    job = a_push(days=29)
    assert run(job.pk, job.service) == "completed"
    assert state(job) == ("PUSHED", "COMPLETED", "COMPLETED")


def test_an_old_verdict_is_bought_again_before_the_push() -> None:
    job = a_push(days=31)
    assert run(job.pk, job.service) == "not yet"
    assert state(job) == ("OPEN", "PENDING", "CANCELLED")
    assert again(verification(job)) == "completed"
    assert state(job) == ("OPEN", "COMPLETED", "PENDING")
    assert Lead.objects.get(pk=lead_of(job).pk).stage == "push"
    assert again(job) == "completed"
    assert state(job) == ("PUSHED", "COMPLETED", "COMPLETED")
    assert [finding for finding in reconcile() if finding.check == "paid_twice"] == []
    assert JobRow.objects.filter(lead=job.lead, kind="research").count() == 1


def test_who_cannot_be_reached_any_more_is_not_written_to() -> None:
    job = a_push(days=31, verdict="invalid")
    run(job.pk, job.service)
    assert again(verification(job)) == "completed"
    assert state(job) == ("DROPPED", "COMPLETED", "CANCELLED")


def test_a_push_that_was_tried_goes_on() -> None:
    job = a_push(days=31)
    make_call(job, "server_error")
    assert run(job.pk, job.service) != "not yet"
    assert verification(job).status == "COMPLETED"


def test_no_days_mean_never(settings: Any) -> None:
    settings.VERDICT_DAYS = 0
    job = a_push(days=999)
    assert run(job.pk, job.service) == "completed"


def test_the_plan_tells_what_is_old() -> None:
    job = a_push(days=40)
    assert past_due.warnings(Campaign.objects.all()) == []
    Campaign.objects.update(started_at=timezone.now() - timedelta(days=40))
    trip()
    told = [
        "1 of the leads that wait were verified over 30 days ago: each is again, before its push",
        "1 of the leads that wait were researched over 30 days ago: used as it is",
    ]
    assert resume_plan.plan().warnings == told
    assert job.lead
