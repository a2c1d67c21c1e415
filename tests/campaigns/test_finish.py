"""The ends of a campaign: taking leads in, leads that nothing moves, completion, counters."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import feed, finish
from campaigns.models import Campaign, JobRow, Lead
from campaigns.reconcile import reconcile
from circuitbreakers.models import Event
from tests.breakers import at_once
from tests.builders import make_call, make_campaign, make_job, make_lead

pytestmark = pytest.mark.django_db
SEARCH = {"person_titles[]": ["CTO"]}


def status_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.status


# --- feed -------------------------------------------------------------------------------------------------------------


def test_each_new_lead_of_a_running_campaign_gets_its_first_job_once() -> None:
    leads = [make_lead(make_campaign()) for _ in range(3)]
    assert feed.feed() == 3
    assert feed.feed() == 0
    rows = JobRow.objects.values_list("lead_id", "campaign_id", "kind", "service", "status").order_by("lead_id")
    assert list(rows) == [(lead.pk, lead.campaign_id, "verify", "millionverifier", "PENDING") for lead in leads]
    assert set(Lead.objects.values_list("stage", flat=True)) == {"verify"}


@pytest.mark.parametrize("status", ["CREATED", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"])
def test_only_running_campaigns_are_fed(status: str) -> None:
    campaign = make_campaign(status, instantly_campaign_id="", search=SEARCH)
    make_lead(campaign)
    assert feed.feed() == 0


def test_leads_that_have_ended_are_not_fed() -> None:
    make_lead(state="DROPPED")
    assert feed.feed() == 0


def test_leads_are_fed_in_batches_that_are_no_larger_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 10)
    campaign = make_campaign()
    for _ in range(35):
        make_lead(campaign)
    assert [feed.feed() for _ in range(5)] == [10, 10, 10, 5, 0]


def test_a_full_batch_wakes_the_supervisor_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 2)
    campaign = make_campaign()
    for _ in range(3):
        make_lead(campaign)
    with CaptureQueriesContext(connection) as full:
        feed.feed()
    with CaptureQueriesContext(connection) as rest:
        feed.feed()
    assert ["NOTIFY" in str(list(captured)) for captured in (full, rest)] == [True, False]


def test_a_search_and_a_missing_target_become_jobs_once() -> None:
    campaign = make_campaign(search=SEARCH, instantly_campaign_id="")
    make_campaign()  # neither
    assert feed.feed() == 2
    assert feed.feed() == 0
    assert sorted(campaign.job_rows.values_list("kind", "part")) == [("find", 1), ("prepare", 0)]
    assert JobRow.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_feeders_that_run_at_once_make_each_job_once() -> None:
    campaign = make_campaign(search=SEARCH, instantly_campaign_id="")
    for _ in range(200):
        make_lead(campaign)
    at_once(*([feed.feed] * 4))
    assert JobRow.objects.count() == 202


# --- leads that nothing moves -----------------------------------------------------------------------------------------


def test_a_lead_without_a_job_gets_its_next_unpaid_one() -> None:
    lead = make_lead(stage="research")
    make_job(kind="verify", lead=lead, status="COMPLETED")
    assert feed.mend_leads() == 1
    assert dict(lead.job_rows.values_list("kind", "status")) == {"verify": "COMPLETED", "research": "PENDING"}
    assert feed.mend_leads() == 0


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_lead_whose_job_ended_without_it_has_that_job_put_back(status: str) -> None:
    lead = make_lead(stage="verify")
    make_job(lead=lead, status=status, error="lost")
    assert feed.mend_leads() == 1
    job = lead.job_rows.get()
    assert (job.status, job.error, job.completed_at) == ("PENDING", None, None)


def test_leads_that_are_moved_or_wait_or_have_ended_are_left_alone() -> None:
    for status in ("PENDING", "PROCESSING"):
        make_job(status=status)
    make_lead(stage="")
    make_lead(make_campaign("PAUSED"), stage="verify")
    make_lead(state="PUSHED", stage="push")
    assert feed.mend_leads() == 0


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_campaign_is_completed_when_every_lead_has_ended() -> None:
    campaign = make_campaign()
    make_lead(campaign, "PUSHED")
    lead = make_lead(campaign)
    assert finish.finish_campaigns() == 0
    Lead.objects.filter(pk=lead.pk).update(state="DROPPED", end_reason="no e-mail", ended_at=lead.created_at)
    assert finish.finish_campaigns() == 1
    assert status_of(campaign) == "COMPLETED"
    assert Event.objects.get(verb="completed").after == {"status": "COMPLETED"}
    assert finish.finish_campaigns() == 0


@pytest.mark.parametrize("job_status", ["PENDING", "PROCESSING"])
@pytest.mark.parametrize("kind", ["find", "reveal"])
def test_a_campaign_is_not_over_while_it_looks_for_people(kind: str, job_status: str) -> None:
    campaign = make_campaign(search=SEARCH)
    make_job(campaign, kind="find", part=9, status="COMPLETED")
    make_job(campaign, kind=kind, part=1, status=job_status)
    assert finish.finish_campaigns() == 0
    JobRow.objects.filter(part=1).update(status="COMPLETED", completed_at=campaign.created_at, lease_until=None)
    assert finish.finish_campaigns() == 1


def test_a_search_that_has_not_begun_is_not_over() -> None:
    make_campaign(search=SEARCH)
    assert finish.finish_campaigns() == 0


def test_a_campaign_whose_finding_failed_for_good_fails_unless_there_are_leads() -> None:
    empty, lucky = make_campaign(search=SEARCH), make_campaign(search=SEARCH)
    make_lead(lucky, "PUSHED")
    for campaign in (empty, lucky):
        make_job(campaign, kind="find", part=1, status="FAILED", error="HTTP 400: no such title")
    assert finish.finish_campaigns() == 2
    assert (status_of(empty), empty.status_message) == ("FAILED", "Finding people failed: HTTP 400: no such title")
    assert (status_of(lucky), lucky.status_message) == ("COMPLETED", "")


@pytest.mark.parametrize("status", ["CREATED", "PAUSED"])
def test_only_a_running_campaign_is_completed(status: str) -> None:
    make_lead(make_campaign(status), "PUSHED")
    assert finish.finish_campaigns() == 0


def test_a_target_that_nobody_needs_any_more_is_not_made() -> None:
    campaign = make_campaign(instantly_campaign_id="")
    target = make_job(campaign, kind="prepare")
    make_lead(campaign, "DROPPED")
    assert finish.finish_campaigns() == 1
    target.refresh_from_db()
    assert (target.status, target.error) == ("CANCELLED", "Campaign ended")


@pytest.mark.usefixtures("in_step")
def test_a_campaign_does_not_end_under_a_worker_who_may_hand_its_job_back() -> None:
    """Nothing would ever move that job again."""
    campaign = make_campaign(instantly_campaign_id="")
    target = make_job(campaign, kind="prepare", status="PROCESSING")
    make_lead(campaign, "DROPPED")
    assert finish.finish_campaigns() == 0
    JobRow.objects.filter(pk=target.pk).update(status="PENDING", lease_until=None)
    assert finish.finish_campaigns() == 1
    target.refresh_from_db()
    assert target.status == "CANCELLED"
    assert reconcile() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_finish_the_same_campaign_at_once_finish_it_once() -> None:
    campaign = make_campaign()
    make_call(make_job(kind="push", lead=make_lead(campaign, "PUSHED"), status="COMPLETED"))
    assert sum(at_once(*([finish.finish_campaigns] * 4))) == 1
    assert Event.objects.filter(verb="completed").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("in_step")
def test_no_target_is_wanted_for_a_campaign_that_ends_at_this_moment() -> None:
    campaign = make_campaign(instantly_campaign_id="")
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)  # as whoever ends it holds it
        assert at_once(feed.feed) == [0]
        campaign.status = "COMPLETED"
        campaign.finished_at = timezone.now()
        campaign.save()
    assert feed.feed() == 0
    assert reconcile() == []
