"""Into a campaign at Instantly: each lead once, whatever dies in between; and a campaign that is not there."""

import time

import pytest
from pytest_django import Settings

from campaigns import feed, jobs, lifecycle
from campaigns.align import align_jobs
from campaigns.models import Campaign, Job
from circuitbreakers import gate, switch
from circuitbreakers.models import Event
from integrations.sandbox import Sandbox
from tests.builders import ago, make_campaign, make_job, make_lead
from tests.integrations.wire import http, serving
from tests.stores import break_vendor, calls_of
from tests.vendors.chain import ANN, MAIL, TARGET, again, job_of
from workers import calls
from workers.reclaim import reclaim
from workers.run import _admit_and_call, run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def pushes(sandbox: Sandbox) -> dict[tuple[str, str], int]:
    return dict(next(vendor for vendor in sandbox.vendors if vendor.name == "instantly").workspace.pushes)  # type: ignore[attr-defined]


def dies_after_the_vendor_has_done_it(job: Job) -> None:
    """Claim, gate and call as a worker makes them; then nothing more: its process is gone, and its lease runs out."""
    held = jobs.claim(job.pk, job.service, "host:4711")
    assert held is not None
    ready = calls.prepare(held)
    assert isinstance(ready, calls.Ready)
    gate.admit(held.service, held.call)
    ready.send()
    Job.objects.filter(pk=job.pk).update(lease_until=ago(1), claimed_at=ago(100))


def test_a_push_whose_worker_died_after_the_vendor_had_added_the_lead_ends_as_done(sandbox: Sandbox) -> None:
    job = job_of("instantly")
    assert job.lead is not None
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    assert again(job) == "completed"
    job.lead.refresh_from_db()
    assert job.lead.state == "PUSHED"
    assert pushes(sandbox) == {(TARGET, job.lead.email): 1}
    assert list(job.calls.order_by("fence").values_list("outcome", "credits")) == [("unknown", 0), ("success", 0)]


def test_a_push_whose_answer_was_lost_ends_as_done(sandbox: Sandbox, settings: Settings) -> None:
    settings.VENDORS["instantly"] = {**settings.VENDORS["instantly"], "read_timeout": 0.3}
    job = job_of("instantly")
    assert job.lead is not None
    break_vendor(sandbox, "instantly", "timeout")
    assert again(job) == "failed: timeout"
    break_vendor(sandbox, "instantly", "none")
    assert again(job) == "completed"
    assert pushes(sandbox) == {(TARGET, job.lead.email): 1}


def test_the_mail_travels_as_the_leads_own_variables(sandbox: Sandbox) -> None:
    job = job_of("instantly")
    again(job)
    workspace = next(vendor for vendor in sandbox.vendors if vendor.name == "instantly").workspace  # type: ignore[attr-defined]
    (lead,) = workspace.leads()
    assert (lead["payload"]["subject"], lead["payload"]["body"]) == (MAIL["mail_subject"], MAIL["mail_body"])
    job.refresh_from_db()
    assert job.lead is not None
    assert job.lead.instantly_lead_id == lead["id"]


def test_a_campaign_without_a_target_gets_one_made_and_its_pushes_wait_for_it(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    feed.feed()
    push = job_of("instantly", campaign)
    assert again(push) == "not yet"
    assert calls_of(sandbox, "instantly") == []
    assert again(campaign.jobs.get(kind="prepare")) == "completed"
    assert again(push) == "completed"
    campaign.refresh_from_db()
    assert campaign.instantly_campaign_id
    assert list(pushes(sandbox)) == [(campaign.instantly_campaign_id, push.lead.email)]  # type: ignore[union-attr]


def test_a_target_whose_maker_died_is_found_again_and_not_made_twice(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    feed.feed()
    job = campaign.jobs.get(kind="prepare")
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    assert again(job) == "completed"
    made = [
        call
        for call in calls_of(sandbox, "instantly")
        if (call["method"], call["path"]) == ("POST", "/api/v2/campaigns")
    ]
    assert len(made) == 1
    campaign.refresh_from_db()
    assert campaign.instantly_campaign_id


def paused(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert campaign.operator_paused_at
    return campaign.status_message


def test_a_target_that_does_not_exist_pauses_the_campaign_and_loses_no_lead(sandbox: Sandbox) -> None:
    campaign, well = make_campaign(instantly_campaign_id="no-such"), make_campaign(instantly_campaign_id=TARGET)
    first, second, other = job_of("instantly", campaign), job_of("instantly", campaign), job_of("instantly", well)
    assert run(first.pk, "instantly") == "campaign paused"
    assert "Instantly has no campaign no-such" in paused(campaign)
    assert run(second.pk, "instantly") == "nothing"
    align_jobs()
    for job in (first, second):
        job.refresh_from_db()
        assert (job.status, job.attempts, job.lead.state) == ("PAUSED", 0, "OPEN")  # type: ignore[union-attr]
    # The call is on the books, the breaker and other campaigns have nothing to do with it.
    assert first.calls.get().outcome == "invalid_request"
    assert switch.read("instantly").failure_count == 0
    assert again(other) == "completed"
    event = Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb="paused")
    assert (event.actor, event.door) == ("worker", "worker")
    # A person gives it another one and resumes it: everything goes on.
    lifecycle.retarget(campaign.pk, target=TARGET, actor=ANN)
    lifecycle.resume(campaign.pk, actor=ANN)
    align_jobs()
    assert again(first) == again(second) == "completed"
    assert set(campaign.leads.values_list("state", flat=True)) == {"PUSHED"}


def test_two_workers_that_find_it_at_once_do_not_trip_over_each_other(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="no-such")
    first, second = job_of("instantly", campaign), job_of("instantly", campaign)
    held = jobs.claim(second.pk, "instantly", "host:2")
    assert held is not None
    assert run(first.pk, "instantly") == "campaign paused"
    ready = calls.prepare(held)
    assert isinstance(ready, calls.Ready)
    assert _admit_and_call(held, ready, time.monotonic()) == "campaign paused"
    second.refresh_from_db()
    assert second.status == "PENDING"


def test_a_target_that_cannot_be_made_pauses_the_campaign_instead_of_leaving_its_leads_waiting(
    settings: Settings,
) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    feed.feed()
    job = campaign.jobs.get(kind="prepare")
    refusal = {"statusCode": 400, "error": "Bad Request", "message": "body/name must be string"}
    with serving(http(400, refusal)) as server:
        settings.VENDORS["instantly"] = {**settings.VENDORS["instantly"], "base_url": server.url}
        assert again(job) == "campaign paused"
    assert "could not be made" in paused(campaign)
    assert "body/name must be string" in paused(campaign)
    job.refresh_from_db()
    assert job.status == "PENDING"


def test_leads_do_not_wait_for_a_target_that_was_given_up(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    make_job(campaign, "prepare", "FAILED", error="Poison: the worker died", failure_type="unknown")
    push = make_job(campaign, "push", lead=make_lead(campaign, stage="push", **MAIL), run_at=ago(1))
    assert run(push.pk, "instantly") == "campaign paused"
    assert "Poison: the worker died" in paused(campaign)
    assert calls_of(sandbox, "instantly") == []
    lifecycle.retry_failed(campaign.pk, actor=ANN)
    lifecycle.resume(campaign.pk, actor=ANN)
    align_jobs()
    assert again(campaign.jobs.get(kind="prepare")) == "completed"
    assert again(push) == "completed"


def test_another_target_is_on_record_and_an_ended_campaign_takes_none() -> None:
    campaign = make_campaign(instantly_campaign_id="old")
    lifecycle.retarget(campaign.pk, target=" new ", actor=ANN, reason="typing error")
    event = Event.objects.get(verb="retargeted")
    assert (event.before, event.after) == ({"instantly_campaign_id": "old"}, {"instantly_campaign_id": "new"})
    with pytest.raises(lifecycle.MoveRefused):
        lifecycle.retarget(make_campaign("COMPLETED").pk, target="x", actor=ANN)
