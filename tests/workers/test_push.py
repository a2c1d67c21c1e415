"""Into a campaign at Instantly: each lead once, whatever dies in between; and a campaign that is not there."""

import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from campaigns import feed, jobs, lifecycle, moves, recovery
from campaigns.models import Campaign, JobRow
from campaigns.reconcile import reconcile
from circuitbreakers import gate, pauses, switch
from circuitbreakers.models import Event
from integrations import instantly
from integrations.errors import FailureType, VendorError
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.workspace import STANDING_CAMPAIGNS, Workspace, campaign_id
from tests.breakers import reset, trip
from tests.builders import ago, make_call, make_campaign, make_fleet, make_job, make_lead, shown
from tests.integrations.wire import http, serving
from tests.stores import break_vendor, calls_of
from tests.workers.chain import ANN, MAIL, TARGET, again, job_of
from workers.kinds import call_for
from workers.reclaim import reclaim
from workers.run import _admit_and_call, run
from workers.steps import calls

SECOND = next(target for target in map(campaign_id, STANDING_CAMPAIGNS) if target != TARGET)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def pushes(sandbox: Sandbox) -> dict[tuple[str, str], int]:
    return dict(next(vendor for vendor in sandbox.vendors if vendor.name == "instantly").workspace.pushes)  # type: ignore[attr-defined]


def dies_after_the_vendor_has_done_it(job: JobRow) -> None:
    """Claim, gate and call as a worker makes them; then nothing more: its process is gone, and its lease runs out."""
    held = jobs.claim(job.pk, job.service, "host:4711")
    assert held is not None
    ready = call_for(held)
    assert isinstance(ready, calls.Ready)
    gate.admit(held.service, held.call)
    ready.send()
    JobRow.objects.filter(pk=job.pk).update(lease_until=ago(1), claimed_at=ago(100))


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
    assert again(campaign.job_rows.get(kind="prepare")) == "completed"
    assert again(push) == "completed"
    campaign.refresh_from_db()
    assert campaign.instantly_campaign_id
    assert list(pushes(sandbox)) == [(campaign.instantly_campaign_id, push.lead.email)]  # type: ignore[union-attr]


def workspace(sandbox: Sandbox) -> Workspace:
    return next(vendor for vendor in sandbox.vendors if vendor.name == "instantly").workspace  # type: ignore[attr-defined]


def asked(sandbox: Sandbox) -> list[str]:
    """What arrived at Instantly, in order."""
    return [f"{call['method']} {call['path'].removeprefix('/api/v2/')}" for call in calls_of(sandbox, "instantly")]


def target_job(**fields: Any) -> JobRow:
    campaign = make_campaign(instantly_campaign_id="", **fields)
    feed.feed()
    return campaign.job_rows.get(kind="prepare")


def target_of(job: JobRow) -> str:
    job.campaign.refresh_from_db()
    return job.campaign.instantly_campaign_id


def test_a_target_whose_maker_died_is_found_again_and_not_made_twice(sandbox: Sandbox) -> None:
    job = target_job()
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    (made,) = [
        known for known in workspace(sandbox).campaigns() if f"(Holdfast {job.campaign_id})" in str(known["name"])
    ]
    made["name"] = f"Renamed by a person (Holdfast {job.campaign_id}) "
    assert again(job) == "completed"
    assert asked(sandbox) == ["POST campaigns", "GET campaigns"]
    assert target_of(job) == made["id"]


def test_a_target_that_was_not_made_is_looked_for_and_made_each_under_a_permit_of_its_own(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "instantly", "server_error")
    job = target_job()
    assert again(job) == "failed: server_error"
    break_vendor(sandbox, "instantly", "none")
    assert again(job) == "once more"
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error, job.lease_until) == ("PENDING", 1, None, None)
    trip("openai")  # no permit, no campaign
    assert again(job) == "nothing"
    assert asked(sandbox) == ["POST campaigns", "GET campaigns"]
    reset("openai")
    make_fleet()
    recovery.resume(actor=ANN)
    assert again(job) == "completed"
    assert asked(sandbox)[2:] == ["POST campaigns"]
    assert target_of(job)
    assert reconcile() == []


def test_a_target_is_not_looked_for_when_its_job_was_only_turned_away_before(sandbox: Sandbox) -> None:
    job = target_job()
    pauses.pause("instantly", actor=ANN, reason="x")
    assert again(job) == "refused: paused"
    pauses.lift("instantly", actor=ANN)
    break_vendor(sandbox, "instantly", "rate_limit")
    assert again(job) == "failed: rate_limit"
    break_vendor(sandbox, "instantly", "none")
    assert again(job) == "completed"
    assert asked(sandbox) == ["POST campaigns", "POST campaigns"]


def test_another_campaign_whose_number_ends_alike_is_not_taken_for_it(sandbox: Sandbox) -> None:
    job = target_job()
    workspace(sandbox).create_campaign({"name": f"Other (Holdfast 1{job.campaign_id})"})
    workspace(sandbox).create_campaign({"name": f"(Holdfast {job.campaign_id}) and more"})
    make_call(job, "timeout", fence=1)
    JobRow.objects.update(fence=1)
    assert again(job) == "once more"


def test_a_target_that_is_to_be_made_anew_is_another_one(sandbox: Sandbox) -> None:
    job = target_job()
    assert again(job) == "completed"
    first = target_of(job)
    lifecycle.retarget(job.campaign_id, target="", actor=ANN)
    assert target_of(job) == ""
    # Its maker dies, too: what is looked for then is the new one.
    job.refresh_from_db()
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    assert again(job) == "completed"
    second = target_of(job)
    assert second not in ("", first)
    assert job.payload["made"] == 1
    lifecycle.retarget(job.campaign_id, target="", actor=ANN)
    job.refresh_from_db()
    assert job.payload["made"] == 2
    assert asked(sandbox) == ["POST campaigns", "POST campaigns", "GET campaigns"]


def test_a_target_that_was_never_known_is_looked_for_although_it_is_asked_for_again(sandbox: Sandbox) -> None:
    job = target_job()
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    JobRow.objects.update(status="FAILED", completed_at=ago(1))
    lifecycle.retarget(job.campaign_id, target="", actor=ANN)
    assert again(job) == "completed"
    assert asked(sandbox) == ["POST campaigns", "GET campaigns"]


# --- from one target to another ---------------------------------------------------------------------------------------


def uncertain_push(sandbox: Sandbox, *, added: bool) -> JobRow:
    """A push into TARGET whose worker died, after the vendor had added the lead or before."""
    job = job_of("instantly")
    if added:
        dies_after_the_vendor_has_done_it(job)
    else:
        held = jobs.claim(job.pk, job.service, "host:4711")
        assert held is not None
        gate.admit(held.service, held.call)
        JobRow.objects.filter(pk=job.pk).update(lease_until=ago(1), claimed_at=ago(100))
    assert reclaim() == 1
    return job


def test_who_may_be_in_the_old_target_is_looked_for_there_and_not_mailed_twice(sandbox: Sandbox) -> None:
    job = uncertain_push(sandbox, added=True)
    lifecycle.retarget(job.campaign_id, target=SECOND, actor=ANN)
    assert again(job) == "completed"
    assert asked(sandbox) == ["POST leads/add", "POST leads/list"]
    assert job.lead is not None
    job.lead.refresh_from_db()
    assert (job.lead.state, job.lead.instantly_lead_id) == ("PUSHED", workspace(sandbox).leads()[0]["id"])
    assert list(pushes(sandbox)) == [(TARGET, job.lead.email)]
    assert reconcile() == []


def test_who_is_in_no_old_target_is_pushed_into_the_new_one(sandbox: Sandbox) -> None:
    job = uncertain_push(sandbox, added=False)
    for target in ("a-target-that-is-gone", SECOND):
        lifecycle.retarget(job.campaign_id, target=target, actor=ANN)
    assert [again(job) for _ in range(3)] == ["once more", "once more", "completed"]
    assert asked(sandbox) == ["POST leads/list", "POST leads/list", "POST leads/add"]
    assert list(pushes(sandbox)) == [(SECOND, job.lead.email)]  # type: ignore[union-attr]
    assert reconcile() == []


def test_an_old_target_that_is_gone_holds_nobody_up(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    job = uncertain_push(sandbox, added=False)
    lifecycle.retarget(job.campaign_id, target=SECOND, actor=ANN)

    def gone(*_: object) -> None:
        raise VendorError(
            service="instantly", failure_type=FailureType.INVALID_REQUEST, message="HTTP 404", http_status=404
        )

    monkeypatch.setattr(instantly, "find_lead", gone)
    assert [again(job) for _ in range(2)] == ["once more", "completed"]


def test_a_push_that_is_uncertain_once_more_is_looked_for_once_more(sandbox: Sandbox) -> None:
    job = uncertain_push(sandbox, added=False)
    lifecycle.retarget(job.campaign_id, target=SECOND, actor=ANN)
    assert again(job) == "once more"
    dies_after_the_vendor_has_done_it(job)
    assert reclaim() == 1
    lifecycle.retarget(job.campaign_id, target=TARGET, actor=ANN)
    assert again(job) == "completed"
    assert list(pushes(sandbox)) == [(SECOND, job.lead.email)]  # type: ignore[union-attr]


def test_a_push_that_certainly_failed_is_looked_for_nowhere(sandbox: Sandbox) -> None:
    job = job_of("instantly")
    break_vendor(sandbox, "instantly", "rate_limit")
    assert again(job) == "failed: rate_limit"
    break_vendor(sandbox, "instantly", "none")
    lifecycle.retarget(job.campaign_id, target=SECOND, actor=ANN)
    assert again(job) == "completed"
    assert asked(sandbox) == ["POST leads/add", "POST leads/add"]


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
    for job in (first, second):
        now = shown(job)
        assert (now.status, now.attempts, now.lead.state) == ("PAUSED", 0, "OPEN")  # type: ignore[union-attr]
    # The call is on the books, the breaker and other campaigns have nothing to do with it.
    assert first.calls.get().outcome == "invalid_request"
    assert switch.read("instantly").failure_count == 0
    assert again(other) == "completed"
    event = Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb="paused")
    assert (event.actor, event.door) == ("worker", "worker")
    # A person gives it another one and resumes it: everything goes on.
    lifecycle.retarget(campaign.pk, target=TARGET, actor=ANN)
    lifecycle.resume(campaign.pk, actor=ANN)
    assert again(first) == again(second) == "completed"
    assert set(campaign.leads.values_list("state", flat=True)) == {"PUSHED"}


def test_two_workers_that_find_it_at_once_do_not_trip_over_each_other(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="no-such")
    first, second = job_of("instantly", campaign), job_of("instantly", campaign)
    held = jobs.claim(second.pk, "instantly", "host:2")
    assert held is not None
    assert run(first.pk, "instantly") == "campaign paused"
    ready = call_for(held)
    assert isinstance(ready, calls.Ready)
    assert _admit_and_call(held, ready, time.monotonic() + jobs.lease_seconds(held.service)) == "campaign paused"
    second.refresh_from_db()
    assert second.status == "PENDING"


def test_a_target_that_cannot_be_made_pauses_the_campaign_instead_of_leaving_its_leads_waiting(
    settings: Settings,
) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    feed.feed()
    job = campaign.job_rows.get(kind="prepare")
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
    assert again(campaign.job_rows.get(kind="prepare")) == "completed"
    assert again(push) == "completed"


def test_another_target_is_on_record_and_an_ended_campaign_takes_none() -> None:
    campaign = make_campaign(instantly_campaign_id="old", target_halt="suspended", target_checked_at=ago(5))
    lifecycle.retarget(campaign.pk, target=" new ", actor=ANN, reason="typing error")
    campaign.refresh_from_db()
    assert (campaign.instantly_campaign_id, campaign.target_halt, campaign.target_checked_at) == ("new", "", None)
    event = Event.objects.get(verb="retargeted")
    assert (event.before, event.after) == ({"instantly_campaign_id": "old"}, {"instantly_campaign_id": "new"})
    with pytest.raises(moves.MoveRefused):
        lifecycle.retarget(make_campaign("COMPLETED").pk, target="x", actor=ANN)
    with pytest.raises(ValidationError):
        lifecycle.retarget(campaign.pk, target="x" * 1000, actor=ANN)
