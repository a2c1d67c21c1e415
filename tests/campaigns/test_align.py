"""The desired state of a job that no worker holds is a function of its campaign's state."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import align
from campaigns.align import align_jobs, unaligned_jobs
from campaigns.models import Campaign, Job, Lead
from circuitbreakers.models import Event, Incident
from tests.breakers import at_once, trip
from tests.builders import ago, make_campaign, make_job, make_lead

pytestmark = pytest.mark.django_db

# What becomes of a job, by its campaign's status; a job that is not named stays as it is.
BECOMES = {
    "RUNNING": {"PAUSED": "PENDING"},
    "PAUSED": {"PENDING": "PAUSED"},
    "CANCELLED": {"PENDING": "CANCELLED", "PAUSED": "CANCELLED"},
}


def make_jobs(campaign: Campaign, count: int, status: str = "PENDING") -> None:
    """Many jobs without a lead of their own."""
    error = "Job paused" if status == "PAUSED" else None
    Job.objects.bulk_create(
        Job(campaign=campaign, kind="reveal", service="apollo", part=part, status=status, error=error)
        for part in range(count)
    )


def counts() -> dict[str, int]:
    statuses = list(Job.objects.values_list("status", flat=True))
    return {status: statuses.count(status) for status in set(statuses)}


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("job_status", Job.Status.values)
@pytest.mark.parametrize("campaign_status", Campaign.Status.values)
def test_a_job_becomes_what_its_campaign_says(campaign_status: str, job_status: str) -> None:
    campaign = make_campaign(campaign_status)
    job = make_job(campaign, kind="find", status=job_status)
    align_jobs()
    job.refresh_from_db()
    assert job.status == BECOMES.get(campaign_status, {}).get(job_status, job_status)


@pytest.mark.parametrize("campaign_status", BECOMES)
def test_doing_it_again_finds_nothing(campaign_status: str) -> None:
    campaign = make_campaign(campaign_status)
    for part, status in enumerate(Job.Status.values):
        make_job(campaign, kind="reveal", part=part, status=status)
    assert align_jobs() == len(BECOMES[campaign_status])
    assert align_jobs() == 0


def test_a_paused_job_says_why_and_a_resumed_one_has_no_error() -> None:
    campaign = make_campaign("PAUSED")
    job = make_job(campaign, kind="find")
    align_jobs()
    job.refresh_from_db()
    assert job.error == f"Job paused: Campaign {campaign.pk} is paused"
    Campaign.objects.update(status="RUNNING", system_paused_at=None)
    align_jobs()
    job.refresh_from_db()
    assert (job.status, job.error) == ("PENDING", None)


def test_being_paused_costs_a_job_nothing() -> None:
    run_at = timezone.now() + timedelta(minutes=3)
    job = make_job(make_campaign("PAUSED"), attempts=3, crashes=1, fence=4, run_at=run_at, sent_at=ago(1))
    align_jobs()
    Campaign.objects.update(status="RUNNING", system_paused_at=None)
    align_jobs()
    job.refresh_from_db()
    assert (job.attempts, job.crashes, job.fence, job.run_at) == (3, 1, 4, run_at)
    assert job.sent_at is None  # it may be handed out again at once


def test_a_worker_keeps_its_job_through_pause_and_cancellation() -> None:
    for status in ("PAUSED", "CANCELLED"):
        job = make_job(make_campaign(status), status="PROCESSING")
        before = Job.objects.filter(pk=job.pk).values().get()
        assert align_jobs() == 0
        assert Job.objects.filter(pk=job.pk).values().get() == before


def test_the_leads_of_a_cancelled_campaign_are_dropped_but_for_one_in_flight() -> None:
    campaign = make_campaign("CANCELLED")
    waiting = make_job(campaign).lead
    in_flight = make_job(campaign, status="PROCESSING").lead
    pushed = make_lead(campaign, "PUSHED")
    assert align_jobs() == 2  # the job and its lead
    states = dict(Lead.objects.values_list("pk", "state"))
    assert waiting is not None
    assert in_flight is not None
    assert states == {waiting.pk: "DROPPED", in_flight.pk: "OPEN", pushed.pk: "PUSHED"}
    assert Lead.objects.get(pk=waiting.pk).end_reason == "campaign cancelled"


def test_an_interrupted_pause_is_taken_up_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "FIRST_BATCH", 10)
    monkeypatch.setattr(align, "BATCH", 10)
    make_jobs(make_campaign("PAUSED"), 35)
    batches = align._batches("PENDING", "PAUSED", "PAUSED", align.PAUSED_BECAUSE, "NULL")
    assert len(next(batches)) == 10
    batches.close()  # the process dies here
    assert counts() == {"PAUSED": 10, "PENDING": 25}
    assert unaligned_jobs()
    assert align_jobs() == 25
    assert counts() == {"PAUSED": 35}
    assert not unaligned_jobs()


def test_a_pause_that_turns_into_a_resume_half_way_ends_as_the_resume_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "FIRST_BATCH", 10)
    campaign = make_campaign("PAUSED")
    make_jobs(campaign, 35)
    next(align._batches("PENDING", "PAUSED", "PAUSED", align.PAUSED_BECAUSE, "NULL"))
    Campaign.objects.update(status="RUNNING", system_paused_at=None)
    assert align_jobs() == 10
    assert counts() == {"PENDING": 35}


def test_a_thousand_jobs_get_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    campaign = make_campaign("PAUSED")
    make_jobs(campaign, 1000)
    align_jobs()
    ids = Job.objects.order_by("pk").values_list("pk", flat=True)
    assert sorted(messages(caplog)) == sorted(f"Job {pk} paused: Campaign {campaign.pk} is paused" for pk in ids)
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_past_a_thousand_jobs_each_batch_gets_one_line_with_its_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    make_jobs(make_campaign("PAUSED"), 1700)
    assert align_jobs() == 1700
    assert len(messages(caplog)) == 1001
    assert messages(caplog)[-1] == "700 jobs paused: their campaigns are paused"
    assert counts() == {"PAUSED": 1700}


@pytest.mark.usefixtures("in_step")
def test_one_call_moves_a_bounded_number_and_wakes_the_supervisor_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("FIRST_BATCH", 10), ("BATCH", 10), ("MOST", 20)):
        monkeypatch.setattr(align, name, value)
    make_jobs(make_campaign(status="PAUSED"), 25)
    with CaptureQueriesContext(connection) as first:
        assert align.align_jobs() == 20
    with CaptureQueriesContext(connection) as second:
        assert align.align_jobs() == 5
    assert ["NOTIFY" in str(list(captured)) for captured in (first, second)] == [True, False]
    assert align.align_jobs() == 0


def test_the_incident_and_the_events_count_the_paused_jobs() -> None:
    campaign = make_campaign()
    make_jobs(campaign, 7)
    trip()
    align_jobs()
    incident = Incident.objects.get()
    assert incident.jobs_paused == 7
    event = Event.objects.get(verb="jobs_paused")
    assert (event.after, event.incident_id) == ({"jobs": 7}, incident.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("in_step")
def test_aligners_that_run_at_once_move_each_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "FIRST_BATCH", 50)
    monkeypatch.setattr(align, "BATCH", 100)
    for _ in range(4):
        make_jobs(make_campaign(), 500)
    trip()
    moved = at_once(align_jobs, align_jobs, align_jobs)
    assert sum(moved) + align_jobs() == 2000, moved
    assert counts() == {"PAUSED": 2000}
    assert Incident.objects.get().jobs_paused == 2000
