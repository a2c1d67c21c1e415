"""Jobs and leads of a cancelled campaign end; a call in flight is left to its worker."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import cancelled
from campaigns.cancelled import end_cancelled
from campaigns.models import Campaign, JobRow, Lead
from tests.breakers import at_once
from tests.builders import make_campaign, make_job, make_jobs, make_lead, shown

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("job_status", JobRow.Status.values)
@pytest.mark.parametrize("campaign_status", Campaign.Status.values)
def test_only_waiting_jobs_of_cancelled_campaigns_end(campaign_status: str, job_status: str) -> None:
    job = make_job(make_campaign(campaign_status), kind="find", status=job_status)
    end_cancelled()
    ends = (campaign_status, job_status) == ("CANCELLED", "PENDING")
    job.refresh_from_db()
    assert job.status == ("CANCELLED" if ends else job_status)


def test_doing_it_again_finds_nothing() -> None:
    make_job(make_campaign("CANCELLED"), kind="find")
    assert [end_cancelled(), end_cancelled()] == [1, 0]


def test_a_worker_keeps_its_job_through_a_cancellation() -> None:
    job = make_job(make_campaign("CANCELLED"), status="PROCESSING")
    before = JobRow.objects.filter(pk=job.pk).values().get()
    assert end_cancelled() == 0
    assert JobRow.objects.filter(pk=job.pk).values().get() == before


def test_the_leads_of_a_cancelled_campaign_are_dropped_but_for_one_in_flight() -> None:
    campaign = make_campaign("CANCELLED")
    waiting = make_job(campaign).lead
    in_flight = make_job(campaign, status="PROCESSING").lead
    pushed = make_lead(campaign, "PUSHED")
    assert end_cancelled() == 2  # the job and its lead
    states = dict(Lead.objects.values_list("pk", "state"))
    assert waiting is not None
    assert in_flight is not None
    assert states == {waiting.pk: "DROPPED", in_flight.pk: "OPEN", pushed.pk: "PUSHED"}
    assert Lead.objects.get(pk=waiting.pk).end_reason == "campaign cancelled"


@pytest.mark.usefixtures("in_step")
def test_one_call_ends_a_bounded_number_and_wakes_the_supervisor_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH", 10), ("MOST", 20)):
        monkeypatch.setattr(cancelled, name, value)
    jobs = make_jobs(make_campaign("CANCELLED"), 25)
    with CaptureQueriesContext(connection) as first:
        assert end_cancelled() == 20
    with CaptureQueriesContext(connection) as second:
        assert end_cancelled() == 5
    assert ["NOTIFY" in str(list(captured)) for captured in (first, second)] == [True, False]
    assert {shown(job).status for job in jobs} == {"CANCELLED"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("in_step")
def test_those_who_end_them_at_once_end_each_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelled, "BATCH", 100)
    for _ in range(4):
        make_jobs(make_campaign("CANCELLED"), 500)
    moved = at_once(end_cancelled, end_cancelled, end_cancelled)
    assert sum(moved) + end_cancelled() == 2000, moved
    assert set(JobRow.objects.values_list("status", flat=True)) == {"CANCELLED"}
