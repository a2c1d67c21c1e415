"""Failures in groups: counted by the database, whatever changes them."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import jobs, retry, tallies
from campaigns.failures import groups
from campaigns.models import Campaign, Failure, JobRow, VendorCall
from campaigns.reconcile import reconcile
from campaigns.tallies import FailureTally
from tests.breakers import ANN
from tests.builders import ago, make_call, make_campaign, make_job, make_lead
from tests.campaigns.failing import fail, the_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def test_failures_are_grouped_by_service_type_and_words_with_counts_times_cost_and_examples() -> None:
    campaign = make_campaign()
    made = [fail(campaign, f"HTTP 503 for req_{n}", completed_at=ago(60 - n)) for n in range(5)]
    for job in made:
        job.error = f"{job.error} once more"  # the last words count
        job.save()
        make_call(job, "server_error", cost_usd=Decimal("0.25"))
    fail(campaign, "HTTP 503 for req_9 once more", failure_type="malformed")
    fail(campaign, "HTTP 503 for req_9 once more", kind="write", failure_type="server_error")
    fail(campaign, "is something else")
    tallies.recount()  # the ledger was written afterwards here
    first, *others = groups.groups().groups
    assert [one.count for one in others] == [1, 1, 1]
    assert (first.service, first.failure_type, first.words) == (
        *("millionverifier", "server_error"),
        "HTTP <n> for <id> once more",
    )
    assert (first.count, first.cost_usd) == (5, Decimal("1.25"))
    assert (first.first, first.last) == (made[0].completed_at, made[4].completed_at)
    assert [(one.job, one.lead, one.campaign, one.error) for one in first.examples] == [
        (job.pk, job.lead_id, campaign.pk, job.error) for job in reversed(made[2:])
    ]


def test_groups_are_narrowed_to_a_service_or_a_campaign_and_paged() -> None:
    here, there = make_campaign(), make_campaign()
    for word in ("alpha", "beta", "gamma"):
        fail(here, word)
    fail(there, "alpha")
    fail(there, "delta", kind="write")
    assert the_group(service="openai").words == "delta"
    assert sorted(one.words for one in groups.groups(campaign=there.pk).groups) == ["alpha", "delta"]
    alpha = groups.groups(size=1)
    assert (alpha.groups[0].count, alpha.more) == (2, True)
    pages = [groups.groups(size=2, page=page) for page in (1, 2, 3)]
    assert [len(page.groups) for page in pages] == [2, 2, 0]
    assert [page.more for page in pages] == [True, False, False]
    part = groups.group(alpha.groups[0].key, campaign=there.pk)
    assert part is not None
    assert part.count == 1
    assert {one.campaign for one in part.examples} == {there.pk}


def test_all_that_a_lead_has_cost_is_sunk_with_it() -> None:
    lead = make_lead(stage="write")
    for kind, cost in (("verify", "0.004"), ("research", "0.0100")):
        make_call(make_job(lead=lead, kind=kind, status="COMPLETED"), cost_usd=Decimal(cost))
    job = make_job(lead=lead, kind="write", status="PROCESSING", attempts=4)
    call = jobs.Call(timezone.now(), "timeout", cost_usd=Decimal("0.02"), may_cost_usd=Decimal("0.1"))
    assert jobs.failed(job, "timeout", "No answer within 30 s", call)
    one = the_group()
    assert (one.cost_usd, one.may_cost_usd) == (Decimal("0.034"), Decimal("0.1"))
    # What turned out later is added.
    VendorCall.objects.filter(job=job).update(cost_usd=Decimal("0.05"), may_cost_usd=0)
    one = the_group()
    assert (one.cost_usd, one.may_cost_usd) == (Decimal("0.064"), 0)
    assert reconcile() == []


CHANGES = {
    "retried": lambda: retry.retry_job(JobRow.objects.earliest("pk").pk, actor=ANN),
    "other words": lambda: JobRow.objects.filter(status="FAILED").update(error="other words"),
    "another instant": lambda: JobRow.objects.filter(status="FAILED").update(completed_at=ago(5)),
    "nothing of it": lambda: JobRow.objects.update(worker="another"),
    "deleted": lambda: JobRow.objects.earliest("pk").delete(),
    "with its campaign": lambda: Campaign.objects.earliest("pk").delete(),
    "inserted": lambda: fail(error="HTTP 500 for req_7"),
    "truncated": lambda: connection.cursor().execute(
        "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE leads, job_rows, vendor_calls, contacts"
    ),
    "counted anew": tallies.recount,
    "folded": tallies.fold,
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_jobs_changes_the_failures_and_their_tallies(change: str) -> None:
    for n in range(3):
        make_call(fail(error=f"HTTP 50{n} for req_{n}"), "server_error", cost_usd=1)
    make_job()
    tallies.recount()
    CHANGES[change]()
    failed = set(JobRow.objects.filter(status="FAILED").values_list("pk", flat=True))
    assert set(Failure.objects.values_list("job_id", flat=True)) == failed
    assert sum(one.count for one in groups.groups().groups) == len(failed)
    assert reconcile() == []


@pytest.mark.parametrize("table", [Failure, FailureTally])
def test_what_came_behind_the_triggers_is_found_and_counted_anew(table: Any) -> None:
    job = fail()
    table.objects.all().delete()
    assert [(one.check, str(job.campaign_id) in one.detail) for one in reconcile()] == [("failures_wrong", True)]
    tallies.recount()
    assert reconcile() == []
    assert the_group().count == 1
