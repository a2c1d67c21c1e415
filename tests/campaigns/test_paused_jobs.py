"""A waiting job is PAUSED exactly as long as its campaign is: at once, and nothing is written."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import cascade, lifecycle, recovery
from campaigns.jobs import hand_back
from campaigns.models import Campaign, Job, JobRow
from campaigns.tallies import JobCount, summed
from circuitbreakers.models import Event, Incident
from tests.breakers import ANN, reset, trip
from tests.builders import ago, make_campaign, make_fleet, make_job, make_jobs, shown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def row_versions() -> list[tuple[int, str, str]]:
    """Each row of a job with its place in the table: any write to it makes another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text, xmin::text FROM job_rows ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize("stored", JobRow.Status.values)
@pytest.mark.parametrize("campaign_status", Campaign.Status.values)
def test_a_job_is_paused_when_it_waits_and_its_campaign_is_paused(campaign_status: str, stored: str) -> None:
    job = make_job(make_campaign(campaign_status), kind="find", status=stored)
    paused = (campaign_status, stored) == ("PAUSED", "PENDING")
    assert shown(job).status == ("PAUSED" if paused else stored)
    assert summed(JobCount.objects.all(), "status") == {shown(job).status: 1}
    for status in Job.Status.values:
        assert list(Job.objects.in_status(status)) == list(Job.objects.filter(status=status)), status


def test_a_paused_job_says_why_and_has_its_own_error_back_afterwards() -> None:
    campaign = make_campaign("PAUSED")
    job = make_job(campaign, kind="find", error="HTTP 503", failure_type="server_error")
    assert shown(job).error == f"Job paused: Campaign {campaign.pk} is paused"
    Campaign.objects.update(status="RUNNING", system_paused_at=None)
    assert (shown(job).status, shown(job).error) == ("PENDING", "HTTP 503")


def test_being_paused_costs_a_job_nothing() -> None:
    run_at = timezone.now() + timedelta(minutes=3)
    job = make_job(make_campaign(), attempts=3, crashes=1, fence=4, run_at=run_at, sent_at=ago(1))
    before = JobRow.objects.filter(pk=job.pk).values().get()
    make_fleet()
    trip()
    assert JobRow.objects.filter(pk=job.pk).values().get() == before
    reset()
    recovery.resume(actor=ANN)
    assert JobRow.objects.filter(pk=job.pk).values().get() == before


def test_a_pause_writes_its_campaigns_and_their_events_whatever_the_number_of_jobs() -> None:
    """The counts that hold on any machine: the rows that a pause touches, and its statements."""
    make_campaign()
    trip()
    make_fleet()
    reset()
    recovery.resume(actor=ANN)
    statements = []
    for jobs in (10, 1500):
        made = make_jobs(make_campaign(), jobs)
        before = row_versions()
        with CaptureQueriesContext(connection) as queries:
            trip()
        statements.append(len(queries))
        assert row_versions() == before
        assert {shown(made[0]).status, shown(made[-1]).status} == {"PAUSED"}
        reset()
        recovery.resume(actor=ANN)
        assert row_versions() == before
    assert statements[0] == statements[1]


def test_no_row_can_say_that_it_is_paused() -> None:
    job = make_job()
    with pytest.raises(DatabaseError, match="job_status_known"):
        JobRow.objects.filter(pk=job.pk).update(status="PAUSED")


def test_nobody_writes_by_way_of_what_is_shown() -> None:
    job = make_job()
    with pytest.raises(DatabaseError, match="cannot update view"):
        Job.objects.filter(pk=job.pk).update(attempts=1)


def test_the_incident_and_the_events_count_the_paused_jobs() -> None:
    make_jobs(make_campaign(), 7)
    make_jobs(make_campaign("PAUSED", operator_paused_at=timezone.now()), 5)  # it was paused before
    trip()
    incident = Incident.objects.get()
    assert incident.jobs_paused == 7
    event = Event.objects.get(verb="jobs_paused")
    assert (event.after, event.incident_id) == ({"jobs": 7}, incident.pk)


def test_a_call_that_was_in_flight_is_counted_when_its_job_is_handed_back() -> None:
    campaign = make_campaign()
    make_jobs(campaign, 7)
    held = make_job(campaign, status="PROCESSING")
    trip()
    cascade.pause_stragglers()
    assert Incident.objects.get().jobs_paused == 7
    assert hand_back(held)
    cascade.pause_stragglers()
    assert Incident.objects.get().jobs_paused == 8


def test_an_operators_pause_counts_its_jobs_once() -> None:
    campaign = make_campaign()
    make_jobs(campaign, 7)
    lifecycle.pause(campaign.pk, actor=ANN, reason="typo")
    assert Event.objects.get(verb="jobs_paused").after == {"jobs": 7}
    trip()
    assert Event.objects.filter(verb="jobs_paused").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("jobs", "rest"), [(1000, []), (1700, ["700 jobs paused: their campaigns are paused"])])
def test_a_thousand_jobs_get_a_line_each_and_the_others_one(
    caplog: pytest.LogCaptureFixture, jobs: int, rest: list[str]
) -> None:
    caplog.set_level("INFO")
    campaign = make_campaign()
    make_jobs(campaign, jobs)
    trip()
    lines = [record.getMessage() for record in caplog.records if record.name == "campaigns.paused_jobs"]
    ids = JobRow.objects.order_by("pk").values_list("pk", flat=True)[:1000]
    assert lines == [f"Job {pk} paused: Campaign {campaign.pk} is paused" for pk in ids] + rest
    assert {record.levelname for record in caplog.records if record.name == "campaigns.paused_jobs"} == {"INFO"}
