"""A group of failures is foretold before anything is done, and retried or dropped as it was shown."""

import uuid
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core import signing
from django.utils import timezone

from campaigns import failures, retry, tallies
from campaigns.failures import groups, plans, triage
from campaigns.models import JobRow, Lead
from campaigns.reconcile import reconcile
from campaigns.refusals import MARK
from circuitbreakers.models import Event
from tests.breakers import ANN, at_once, trip
from tests.builders import ago, make_call, make_campaign, make_job
from tests.campaigns.failing import fail, the_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
act: dict[str, Any] = {"actor": ANN, "reason": "the vendor is well again"}


def plan(**how: Any) -> plans.Plan:
    return plans.plan(the_group().key, **how)


def test_a_plan_says_what_can_be_retried_and_dropped_why_not_and_what_it_costs() -> None:
    for status in ("RUNNING", "PAUSED", "COMPLETED", "CANCELLED"):
        fail(make_campaign(status))
    fail(make_campaign("COMPLETED", jobs_pruned_at=timezone.now()))
    fail(state="DROPPED")
    make_call(make_job(status="COMPLETED", kind="verify"), cost_usd=Decimal("0.004"))
    foretold = plan()
    assert (foretold.retry, foretold.drop, foretold.campaigns) == (3, 6, 6)
    assert foretold.stay == {plans.CANCELLED: 1, plans.PRUNED: 1, plans.LEAD_ENDED: 1}
    assert foretold.at_most_usd > Decimal("0.01")
    assert foretold.expected_usd is None  # nothing was researched or written lately
    for kind in ("research", "write", "push"):
        make_call(make_job(status="COMPLETED", kind=kind), cost_usd=Decimal("0.01"))
    assert plan().expected_usd == Decimal("0.11")  # 3 * (0.004 + 3 * 0.01), rounded up
    assert "6 failures in 6 campaigns. A retry puts back 3: at most $" in plan().sentence
    assert not Event.objects.filter(subject_type="failures").exists()


def test_what_the_vendor_called_invalid_is_retried_when_it_is_mended_or_was_said_of_all() -> None:
    fail(error="unknown field", failure_type="invalid_request")
    assert (plan().retry, plan().stay) == (0, {plans.REFUSED: 1})
    assert (plan(mended=True).retry, plan(mended=True).stay) == (1, {})
    assert triage.retry(plan().token, **act).skipped == {plans.REFUSED: 1}
    assert triage.retry(plan(mended=True).token, **act).jobs == 1
    fail(error=f"{MARK}unknown field", failure_type="invalid_request")
    assert plan().retry == 1
    assert triage.retry(plan().token, **act).jobs == 1


def test_a_retry_puts_back_what_was_shown_and_reopens_a_campaign_that_had_ended() -> None:
    running, over, cancelled = make_campaign(), make_campaign("COMPLETED"), make_campaign("CANCELLED")
    shown = [fail(running), fail(running), fail(over)]
    left = [fail(cancelled), fail(running, "other words")]
    key = groups.groups().groups[0].key
    done = triage.retry(plans.plan(key).token, **act)
    assert (done.jobs, done.campaigns, done.skipped) == (3, 2, {plans.CANCELLED: 1})
    assert set(JobRow.objects.filter(status="PENDING").values_list("pk", flat=True)) == {job.pk for job in shown}
    assert set(JobRow.objects.filter(status="FAILED").values_list("pk", flat=True)) == {job.pk for job in left}
    assert set(Lead.objects.filter(state="OPEN").values_list("pk", flat=True)) == {job.lead_id for job in shown}
    over.refresh_from_db()
    assert over.status == "RUNNING"
    event = Event.objects.get(subject_type="failures", subject_id=str(key))
    assert (event.verb, event.actor, event.reason) == ("retried", ANN.name, act["reason"])
    assert event.after == {"jobs": 3, "leads": 0, "campaigns": 2, "skipped": {plans.CANCELLED: 1}}
    assert Event.objects.filter(subject_type="campaign", verb="retried_failed").count() == 2
    assert reconcile() == []


def test_a_drop_ends_what_was_shown_and_keeps_the_vendors_words() -> None:
    job, cancelled, ended = fail(), fail(make_campaign("CANCELLED")), fail(state="DROPPED")
    done = triage.drop(plan().token, **act)
    assert (done.jobs, done.leads, done.campaigns, done.skipped) == (3, 2, 3, {})
    for dropped in (job, cancelled, ended):
        dropped.refresh_from_db()
        assert (dropped.status, dropped.error) == ("CANCELLED", f"Dropped by {ANN.name}: HTTP 503 for req_1")
    lead = Lead.objects.get(job_rows=job)
    assert (lead.state, lead.end_reason) == ("DROPPED", f"dropped by {ANN.name}: {act['reason']}")
    assert Lead.objects.get(job_rows=ended).end_reason == "a reason"
    assert groups.groups().groups == []
    assert Event.objects.get(subject_type="failures").verb == "dropped"
    assert Event.objects.filter(subject_type="campaign", verb="dropped_failed").count() == 3
    assert reconcile() == []


def test_a_target_that_pushes_wait_for_is_not_dropped_while_its_campaign_lives() -> None:
    for status in ("RUNNING", "COMPLETED"):
        job = make_job(make_campaign(status), kind="prepare", status="FAILED", error="no", failure_type="server_error")
    assert (plan().drop, plan().keep) == (1, {plans.TARGET: 1})
    done = triage.drop(plan().token, **act)
    assert (done.jobs, done.skipped) == (1, {plans.TARGET: 1})
    job.refresh_from_db()
    assert job.status == "CANCELLED"


def test_one_campaigns_part_of_a_group_is_retried_alone() -> None:
    here, there = fail(), fail()
    done = triage.retry(plan(campaign=here.campaign_id).token, **act)
    assert done.jobs == 1
    assert [job.status for job in JobRow.objects.filter(pk__in=[here.pk, there.pk]).order_by("pk")] == [
        *("PENDING", "FAILED")
    ]


def one_more() -> None:
    fail()


def one_less() -> None:
    retry.retry_job(JobRow.objects.filter(status="FAILED").earliest("pk").pk, actor=ANN)


def another_one() -> None:
    """As many as before, and the last one is the same."""
    one_less()
    fail(completed_at=ago(3600))


@pytest.mark.parametrize("change", [one_more, one_less, another_one])
@pytest.mark.parametrize("verb", [triage.retry, triage.drop])
def test_a_plan_that_is_not_true_any_more_is_refused_with_the_new_figures(verb: Any, change: Any) -> None:
    for _ in range(3):
        fail()
    token = plan().token
    change()
    before = list(JobRow.objects.order_by("pk").values_list("status"))
    with pytest.raises(plans.StalePlan, match=r"3 failures were shown, and other ones are there now\. \d failures in"):
        verb(token, **act)
    assert list(JobRow.objects.order_by("pk").values_list("status")) == before
    verb(plan().token, **act)


def test_what_a_fold_or_a_recount_changes_is_no_change_of_the_plan() -> None:
    fail()
    one_less()
    fail()
    token = plan().token
    tallies.fold()
    tallies.recount()
    assert triage.retry(token, **act).jobs == 1


def test_the_same_plan_twice_does_it_once() -> None:
    fail()
    token = plan().token
    assert triage.retry(token, **act).jobs == 1
    with pytest.raises(plans.NoSuchGroup, match="retried or dropped meanwhile"):
        triage.retry(token, **act)
    assert Event.objects.filter(subject_type="failures").count() == 1


def test_what_fails_again_meanwhile_is_neither_retried_nor_dropped() -> None:
    job = fail(completed_at=ago(60))
    shown = plans.require_current(plan().token)
    JobRow.objects.filter(pk=job.pk).update(completed_at=ago(1))
    of = retry.OfGroup(shown.key, shown.until)
    assert retry.FailedJobs(job.campaign_id, of=of).put_back(actor=ANN, reason="") == 0
    assert triage.drop_of_campaign(shown, job.campaign_id, ANN, "") == (0, 0)
    assert the_group().count == 1


def test_a_campaign_that_may_not_run_again_is_skipped_with_the_reason() -> None:
    over, paused = fail(make_campaign("COMPLETED")), fail()
    token = plan().token
    trip("openai")
    done = triage.retry(token, **act)
    assert done.jobs == 1
    assert list(done.skipped.values()) == [1]
    assert "Circuit breakers are not closed: openai (open)" in done.left_out
    over.refresh_from_db()
    paused.refresh_from_db()
    assert (over.status, paused.status) == ("FAILED", "PENDING")


@pytest.mark.parametrize(
    "token", ["", "made up", signing.dumps({"key": "x"}, salt="another")], ids=["", "text", "signed"]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(plans.FailuresRefused, match="no plan's token"):
        triage.retry(token, **act)


def test_an_old_plan_and_one_without_a_reason_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fail()
    token = plan().token
    for reason in ("", "  "):
        with pytest.raises(plans.FailuresRefused, match="A reason is needed"):
            triage.drop(token, actor=ANN, reason=reason)
    monkeypatch.setattr(plans, "VALID", timedelta(seconds=-1))
    with pytest.raises(plans.StalePlan, match="older than an hour"):
        triage.drop(token, **act)
    assert the_group().count == 1


def test_there_is_no_plan_of_what_does_not_fail() -> None:
    with pytest.raises(plans.NoSuchGroup, match="Nothing fails in this way"):
        plans.plan(uuid.uuid4())


@pytest.mark.django_db(transaction=True)
def test_a_retry_and_a_drop_pressed_at_once_take_each_failure_once() -> None:
    for _ in range(2):
        campaign = make_campaign()
        for n in range(30):
            fail(campaign, f"HTTP 503 for req_{n}")
    token, done = plan().token, []

    def press(verb: Any) -> None:
        try:
            done.append(verb(token, **act).jobs)
        except failures.plans.FailuresRefused:
            done.append(0)

    at_once(*[partial(press, triage.retry), partial(press, triage.drop)] * 2)
    assert sum(done) == 60
    assert JobRow.objects.filter(status="FAILED").count() == 0
    assert groups.groups().groups == []
    assert JobRow.objects.filter(status="PENDING").count() == Lead.objects.filter(state="OPEN").count()
    assert reconcile() == []
