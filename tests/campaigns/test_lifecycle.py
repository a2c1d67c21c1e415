"""The verbs on a campaign, and what each refuses."""

import threading
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import finish, jobs, lifecycle, recovery, retry
from campaigns.cancelled import end_cancelled
from campaigns.models import Campaign, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.reconcile import reconcile
from campaigns.retry import FailedJobs
from circuitbreakers import pauses
from circuitbreakers.models import Event
from circuitbreakers.switch import RedisUnavailable
from tests.breakers import ANN, at_once, reset, trip
from tests.builders import ago, make_campaign, make_fleet, make_job, make_lead, shown
from tests.stores import away

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
races = pytest.mark.django_db(transaction=True)


def refusal(verb: Any, campaign: Campaign, **details: Any) -> str:
    """The text of the refusal; nothing has changed, and nothing is on record."""
    before = (Campaign.objects.values().get(pk=campaign.pk), Event.objects.count(), list(JobRow.objects.values()))
    with pytest.raises(MoveRefused) as caught:
        verb(campaign.pk, actor=ANN, **details)
    after = (Campaign.objects.values().get(pk=campaign.pk), Event.objects.count(), list(JobRow.objects.values()))
    assert after == before
    return str(caught.value)


def the_event(campaign: Campaign, verb: str) -> Event:
    return Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb=verb)


# --- start ------------------------------------------------------------------------------------------------------------


def test_a_started_campaign_runs_and_has_its_first_jobs() -> None:
    campaign = make_campaign("CREATED", instantly_campaign_id="")
    make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN, reason="go")
    campaign.refresh_from_db()
    assert campaign.status == "RUNNING"
    assert campaign.started_at is not None
    assert sorted(campaign.job_rows.values_list("kind", flat=True)) == ["prepare", "verify"]
    event = the_event(campaign, "started")
    assert (event.actor, event.door, event.reason) == ("ann", "command", "go")
    assert (event.before, event.after) == ({"status": "CREATED"}, {"status": "RUNNING"})


def test_a_search_begins_with_its_first_page() -> None:
    campaign = make_campaign("CREATED", search={"person_titles[]": ["CTO"]})
    lifecycle.start(campaign.pk, actor=ANN)
    assert list(campaign.job_rows.values_list("kind", "part")) == [("find", 1)]


def test_a_campaign_is_not_started_twice() -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN)
    assert refusal(lifecycle.start, campaign) == f"Campaign {campaign.pk} was started already: it is RUNNING."


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_one_is_refused() -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    results = at_once(*([lambda: lifecycle.start(campaign.pk, actor=ANN)] * 4))
    assert sorted(type(result).__name__ for result in results) == ["Campaign"] + ["MoveRefused"] * 3
    assert campaign.job_rows.count() == 1


def test_a_campaign_without_leads_is_not_started() -> None:
    text = refusal(lifecycle.start, make_campaign("CREATED"))
    assert "has no leads. Import a CSV or give it an Apollo search first." in text


def created() -> Campaign:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    return campaign


def test_nothing_is_started_while_a_breaker_is_open() -> None:
    trip("openai")
    assert refusal(lifecycle.start, created()) == (
        "Circuit breakers are not closed: openai (open). Reset them, then resume the queue."
    )


def test_nothing_is_started_between_reset_and_resume() -> None:
    trip()
    reset()
    assert refusal(lifecycle.start, created()) == "The queue is paused by the system. Resume the queue first."


def test_nothing_is_started_while_an_operator_pauses_everything() -> None:
    pauses.pause("all", actor=ANN, reason="audit")
    assert refusal(lifecycle.start, created()) == "The queue is paused by ann: audit. Resume it first."


def test_a_campaign_may_start_while_one_service_is_paused_by_an_operator() -> None:
    pauses.pause("openai", actor=ANN, reason="new prompt")
    assert lifecycle.start(created().pk, actor=ANN).status == "RUNNING"


def test_nothing_is_started_while_redis_is_away() -> None:
    campaign = created()
    with away("REDIS_SWITCH_URL"), pytest.raises(RedisUnavailable):
        lifecycle.start(campaign.pk, actor=ANN)
    campaign.refresh_from_db()
    assert campaign.status == "CREATED"


# --- pause, resume, cancel --------------------------------------------------------------------------------------------


def test_an_operator_pauses_and_resumes_one_campaign() -> None:
    campaign, other = make_campaign(), make_campaign()
    job = make_job(campaign)
    lifecycle.pause(campaign.pk, actor=ANN, reason="typo in the prompt")
    campaign.refresh_from_db()
    job.refresh_from_db()
    assert (campaign.status, campaign.status_message) == ("PAUSED", "Paused by ann: typo in the prompt")
    assert shown(job).status == "PAUSED"
    assert Campaign.objects.get(pk=other.pk).status == "RUNNING"
    lifecycle.resume(campaign.pk, actor=ANN, reason="mended")
    campaign.refresh_from_db()
    job.refresh_from_db()
    assert (campaign.status, campaign.status_message) == ("RUNNING", "Campaign resumed by ann")
    assert (campaign.operator_paused_at, campaign.operator_paused_by, campaign.operator_pause_reason) == (None, "", "")
    assert job.status == "PENDING"
    assert [the_event(campaign, verb).reason for verb in ("paused", "resumed")] == ["typo in the prompt", "mended"]


def test_a_paused_campaign_is_not_paused_by_an_operator_twice() -> None:
    campaign = make_campaign()
    lifecycle.pause(campaign.pk, actor=ANN, reason="")
    assert refusal(lifecycle.pause, campaign, reason="again") == f"Campaign {campaign.pk} is paused already, by ann."


@pytest.mark.parametrize("status", ["CREATED", "COMPLETED", "FAILED", "CANCELLED"])
def test_only_a_running_campaign_is_paused_and_only_a_paused_one_resumed(status: str) -> None:
    campaign = make_campaign(status)
    assert "only a running one can be paused" in refusal(lifecycle.pause, campaign, reason="x")
    assert "only a paused one can be resumed" in refusal(lifecycle.resume, campaign)


def test_what_the_system_paused_is_resumed_with_the_queue_only() -> None:
    campaign = make_campaign()
    trip()
    assert refusal(lifecycle.resume, campaign) == (
        f"Campaign {campaign.pk} was paused by the system: System pause: apollo circuit breaker opened. "
        "Reset the breaker, then resume the queue: that brings back all of them."
    )


def test_an_operators_pause_is_not_lifted_while_the_queue_is_paused() -> None:
    campaign = make_campaign("PAUSED", operator_paused_at=timezone.now(), operator_paused_by="ann")
    trip()
    assert "Circuit breakers are not closed: apollo (open)" in refusal(lifecycle.resume, campaign)


def test_an_operators_pause_on_top_of_the_systems_survives_the_queue_resume() -> None:
    campaign = make_campaign()
    make_fleet()
    trip()
    lifecycle.pause(campaign.pk, actor=ANN, reason="wrong list")
    campaign.refresh_from_db()
    assert campaign.status_message == "System pause: apollo circuit breaker opened"
    reset()
    result = recovery.resume(actor=ANN)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.status_message) == ("PAUSED", "Paused by ann: wrong list")
    assert campaign.system_paused_at is None
    assert (result.campaigns_eligible, result.campaigns_resumed, result.campaigns_still_paused) == (0, 0, 1)
    assert lifecycle.resume(campaign.pk, actor=ANN).status == "RUNNING"


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "PAUSED"])
def test_a_cancelled_campaign_ends_with_its_jobs_and_leads(status: str) -> None:
    campaign = make_campaign(status)
    job = make_job(campaign)
    lifecycle.cancel(campaign.pk, actor=ANN, reason="lost interest")
    end_cancelled()
    campaign.refresh_from_db()
    job.refresh_from_db()
    assert (campaign.status, campaign.status_message) == ("CANCELLED", "Cancelled by ann: lost interest")
    assert (campaign.system_paused_at, campaign.operator_paused_at) == (None, None)
    assert (job.status, Lead.objects.get().state) == ("CANCELLED", "DROPPED")


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_what_has_ended_is_not_cancelled(status: str) -> None:
    assert f"has ended already: it is {status}" in refusal(lifecycle.cancel, make_campaign(status))


# --- retry ------------------------------------------------------------------------------------------------------------


def failed_lead(campaign: Campaign, failure_type: str = "server_error") -> Lead:
    """A lead that was verified and researched before OpenAI failed it for good."""
    lead = make_lead(campaign, "FAILED", stage="write", verdict="ok", research="They make bolts.")
    for kind in ("verify", "research"):
        make_job(kind=kind, lead=lead, status="COMPLETED", fence=1)
    make_job(kind="write", lead=lead, status="FAILED", fence=5, attempts=5, crashes=1, error="HTTP 503",
             failure_type=failure_type)  # fmt: skip
    return lead


def test_a_retry_pays_only_for_what_was_not_paid() -> None:
    campaign = make_campaign("COMPLETED")
    lead = failed_lead(campaign)
    done = make_job(kind="push", lead=make_lead(campaign, "PUSHED"), status="COMPLETED")
    assert lifecycle.retry_failed(campaign.pk, actor=ANN, reason="OpenAI is back") == 1
    lead.refresh_from_db()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.finished_at) == ("RUNNING", None)
    assert (lead.state, lead.end_reason, lead.ended_at, lead.research) == ("OPEN", "", None, "They make bolts.")
    assert dict(lead.job_rows.values_list("kind", "status")) == {
        "verify": "COMPLETED",
        "research": "COMPLETED",
        "write": "PENDING",
    }
    write = lead.job_rows.get(kind="write")
    assert (write.attempts, write.crashes, write.error, write.fence) == (0, 0, None, 5)
    done.refresh_from_db()
    assert done.status == "COMPLETED"
    assert the_event(campaign, "retried_failed").after == {"jobs": 1}


def test_a_retried_job_is_sent_at_once() -> None:
    campaign = make_campaign()
    lead = failed_lead(campaign)
    JobRow.objects.filter(lead=lead, kind="write").update(sent_at=ago(1))
    lifecycle.retry_failed(campaign.pk, actor=ANN)
    write = lead.job_rows.get(kind="write")
    assert (write.sent_at, write.failure_type) == (None, "")


@races
def test_only_the_first_of_many_retried_jobs_are_moved_under_the_switch_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_BATCH", 2)
    monkeypatch.setattr(retry, "BATCH", 2)
    campaign = make_campaign("COMPLETED")
    leads = [failed_lead(campaign) for _ in range(5)]
    with CaptureQueriesContext(connection) as captured:
        assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 5
    assert [Lead.objects.get(pk=lead.pk).state for lead in leads] == ["OPEN"] * 5
    transactions = "\n".join(query["sql"] for query in captured).split("COMMIT")
    batches = [part for part in transactions if "UPDATE job_rows" in part]
    assert ["pg_advisory" in batch for batch in batches] == [True, False, False, False]
    assert [event.after for event in Event.objects.filter(verb="retried_failed").order_by("pk")] == [
        {"jobs": 2},
        {"jobs": 2},
        {"jobs": 1},
    ]
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 0


@races
def test_a_campaign_that_ends_in_the_middle_of_a_retry_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_BATCH", 1)
    monkeypatch.setattr(retry, "BATCH", 1)
    campaign = make_campaign("COMPLETED")
    for _ in range(3):
        failed_lead(campaign)
    put_back = FailedJobs.put_back

    def and_everything_fails_again(self: FailedJobs, **details: Any) -> int:
        moved = put_back(self, **details)
        if not connection.in_atomic_block:
            JobRow.objects.filter(status="PENDING").update(status="FAILED", completed_at=Now(), failure_type="timeout")
            Lead.objects.filter(state="OPEN").update(state="FAILED", ended_at=Now(), end_reason="write failed")
            finish.finish_campaigns()
        return moved

    monkeypatch.setattr(FailedJobs, "put_back", and_everything_fails_again)
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 3
    assert Event.objects.filter(verb="reopened").count() > 1
    assert {finding.check for finding in reconcile()} == {"completed_job_without_call"}  # ours were made up


@races
def test_a_job_that_fails_for_good_while_others_are_retried_fails_with_its_lead() -> None:
    campaign = make_campaign()
    failed_lead(campaign)
    job = make_job(campaign, kind="write")
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    fired: list[bool] = []

    def fail_it() -> None:
        with transaction.atomic():
            jobs.end_failed(held, "server_error", "HTTP 503", attempts=5)
        connections.close_all()

    def in_between(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.lstrip().startswith(('UPDATE "jobs"', "WITH alive")) and not fired:
            fired.append(True)
            worker = threading.Thread(target=fail_it)
            worker.start()
            worker.join(10)
        return execute(sql, *rest)

    with connection.execute_wrapper(in_between):
        lifecycle.retry_failed(campaign.pk, actor=ANN)
    job.refresh_from_db()
    assert job.lead is not None
    assert fired
    assert (job.status, job.lead.state) in (("PENDING", "OPEN"), ("FAILED", "FAILED"))


def test_a_lead_that_has_ended_otherwise_is_not_put_back() -> None:
    campaign = make_campaign()
    lead = failed_lead(campaign)
    Lead.objects.filter(pk=lead.pk).update(state="DROPPED")
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 0
    assert lead.job_rows.get(kind="write").status == "FAILED"


def test_what_the_vendor_called_invalid_stays_failed() -> None:
    campaign = make_campaign()
    lead = failed_lead(campaign, "invalid_request")
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 0
    lead.refresh_from_db()
    assert lead.state == "FAILED"


def test_a_retry_in_a_paused_campaign_waits_with_it() -> None:
    campaign = make_campaign("PAUSED")
    lead = failed_lead(campaign)
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 1
    assert lead.jobs.get(kind="write").status == "PAUSED"
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"


def test_an_ended_campaign_is_not_reopened_while_the_queue_is_paused() -> None:
    campaign = make_campaign("COMPLETED")
    failed_lead(campaign)
    trip()
    assert "Circuit breakers are not closed" in refusal(lifecycle.retry_failed, campaign)


@pytest.mark.parametrize("status", ["CREATED", "CANCELLED"])
def test_there_is_nothing_to_retry_in_what_never_ran_or_was_cancelled(status: str) -> None:
    assert "there is nothing to retry" in refusal(lifecycle.retry_failed, make_campaign(status))


def test_a_reopened_campaign_gets_its_target_at_instantly_after_all() -> None:
    """It ended before its target was needed; its leads would wait for it for ever."""
    campaign = make_campaign("COMPLETED", instantly_campaign_id="")
    target = make_job(campaign, kind="prepare", status="CANCELLED", error="Campaign ended")
    failed_lead(campaign)
    lifecycle.retry_failed(campaign.pk, actor=ANN)
    target.refresh_from_db()
    assert (target.status, target.completed_at, target.error) == ("PENDING", None, None)


# --- create -----------------------------------------------------------------------------------------------------------


def test_a_campaign_that_is_not_fit_is_not_created() -> None:
    with pytest.raises(ValidationError):
        lifecycle.create(actor=ANN, name="x" * 201)
    assert not Campaign.objects.exists()


def test_a_pause_says_how_many_jobs_wait_with_it_and_a_second_one_does_not() -> None:
    campaign = make_campaign()
    make_job(campaign)
    lifecycle.pause(campaign.pk, actor=ANN, reason="lunch")
    recorded = Event.objects.filter(verb="jobs_paused")
    assert recorded.count() == 1
    Campaign.objects.update(operator_paused_at=None, operator_paused_by="", system_paused_at=timezone.now())
    lifecycle.pause(campaign.pk, actor=ANN, reason="lunch")
    assert recorded.count() == 1


def test_a_campaign_is_created_with_its_event() -> None:
    campaign = lifecycle.create(actor=ANN, name="Autumn", max_leads=5)
    assert (campaign.status, campaign.created_by) == ("CREATED", "ann")
    assert the_event(campaign, "created").after == {"name": "Autumn"}
    assert ago(60) < campaign.created_at


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["a\x00b\x1b\ud800", "\x00", "x" * 2000])
def test_no_reason_keeps_a_campaign_from_being_paused(reason: str) -> None:
    campaign = make_campaign()
    lifecycle.pause(campaign.pk, actor=ANN, reason=reason)
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert campaign.operator_pause_reason in ("ab", "No reason given", "x" * 500)
    assert the_event(campaign, "paused").reason == campaign.operator_pause_reason
    assert campaign.status_message == f"Paused by ann: {campaign.operator_pause_reason}"[:500]


@pytest.mark.parametrize("reason", ["a\x00b\x1b\ud800", "\x00", "x" * 2000])
def test_no_reason_keeps_a_campaign_from_being_cancelled_or_put_back(reason: str) -> None:
    campaign = make_campaign()
    failed_lead(campaign)
    assert lifecycle.retry_failed(campaign.pk, actor=ANN, reason=reason) == 1
    lifecycle.cancel(campaign.pk, actor=ANN, reason=reason)
    campaign.refresh_from_db()
    assert campaign.status == "CANCELLED"
