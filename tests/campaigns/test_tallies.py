"""The tallies are what counting gives, in every snapshot, whatever changed the rows and however many at once."""

import io
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F

from campaigns import spend, tallies
from campaigns.jobs import Call, book
from campaigns.models import Campaign, JobRow, Lead, VendorCall
from campaigns.reconcile import reconcile
from campaigns.tallies import CallTally, JobTally, LeadTally
from tests.breakers import at_once
from tests.builders import make_call, make_campaign, make_job, make_lead
from tests.stores import another_session

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def tallied() -> tuple[Any, Any, Any]:
    return (
        tallies.summed(JobTally.objects.all(), *tallies.KEYS[JobTally]),
        tallies.summed(LeadTally.objects.all(), *tallies.KEYS[LeadTally]),
        tallies.summed(CallTally.objects.all(), *tallies.KEYS[CallTally]),
    )


def counted() -> tuple[Any, Any, Any]:
    return (
        Counter(
            (pk, service, status.replace("PROCESSING", "PENDING"))
            for pk, service, status in JobRow.objects.values_list("campaign_id", "service", "status")
        ),
        Counter(Lead.objects.values_list("campaign_id", "state", "stage")),
        Counter(
            (pk or 0, service, at.astimezone(UTC).date())
            for pk, service, at in VendorCall.objects.values_list("campaign_id", "service", "admitted_at")
        ),
    )


def a_house() -> Campaign:
    campaign, other = make_campaign(), make_campaign()
    make_lead(campaign)
    make_lead(other, "PUSHED")
    for kind, status in (("verify", "PENDING"), ("research", "PENDING"), ("find", "COMPLETED")):
        make_call(make_job(campaign, kind, status), admitted_at=NOON)
    make_call(make_job(other, "write", "PROCESSING"), "timeout", admitted_at=NOON + timedelta(hours=12), cost_usd=2)
    VendorCall.objects.create(service="apollo", kind="find", fence=1, admitted_at=NOON, outcome="success")
    return campaign


def by_statement(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


CHANGES: dict[str, Callable[[], object]] = {
    "insert": make_job,
    "insert many": lambda: JobRow.objects.bulk_create(
        JobRow(campaign=Campaign.objects.earliest("pk"), kind="reveal", service="apollo", part=n) for n in range(20)
    ),
    "move one": lambda: JobRow.objects.filter(status="PENDING").update(status="CANCELLED", completed_at=NOON),
    "move all of several": lambda: JobRow.objects.exclude(status="COMPLETED").update(
        status="COMPLETED", completed_at=NOON, lease_until=None
    ),
    "what is not tallied": lambda: JobRow.objects.update(worker="another"),
    "a lead's stage": lambda: Lead.objects.filter(stage="verify").update(stage="research"),
    "a lead's end": lambda: Lead.objects.filter(state="OPEN").update(state="PUSHED", ended_at=NOON),
    "a call's day": lambda: VendorCall.objects.update(admitted_at=F("admitted_at") + timedelta(hours=12)),
    "delete": lambda: JobRow.objects.filter(kind="find").delete(),
    "delete a campaign": lambda: Campaign.objects.earliest("pk").delete(),
    "delete what is not there": lambda: JobRow.objects.filter(pk=0).delete(),
    "truncate": lambda: by_statement("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE leads, job_rows, vendor_calls, contacts"),
}


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_rows_changes_the_tallies(change: str, folded: bool) -> None:
    a_house()
    assert tallied() == counted()
    if folded:
        tallies.fold()
    before = counted()
    CHANGES[change]()
    assert tallied() == counted()
    assert (counted() == before) == (change in ("what is not tallied", "delete what is not there"))
    tallies.fold()
    assert tallied() == counted()


def test_a_statement_that_changes_no_number_appends_nothing() -> None:
    a_house()
    rows = JobTally.objects.count()
    JobRow.objects.update(worker="another")
    assert JobTally.objects.count() == rows


def test_a_thousand_rows_in_one_statement_are_one_tally() -> None:
    campaign = make_campaign()
    JobRow.objects.bulk_create(JobRow(campaign=campaign, kind="reveal", service="apollo", part=n) for n in range(1000))
    assert list(JobTally.objects.values_list("service", "status", "number")) == [("apollo", "PENDING", 1000)]


def test_a_fold_leaves_one_row_for_each_number_that_is_not_zero() -> None:
    campaign = make_campaign()
    job = make_job(campaign)
    for completed_at in (NOON, None, NOON):
        status = "CANCELLED" if completed_at else "PENDING"
        JobRow.objects.filter(pk=job.pk).update(status=status, completed_at=completed_at)
    assert tallies.fold() == 0
    assert list(JobTally.objects.values_list("status", "number")) == [("CANCELLED", 1)]
    assert LeadTally.objects.count() == 1


def test_a_change_that_is_rolled_back_was_never_tallied() -> None:
    a_house()
    before = tallied()
    with transaction.atomic():
        make_job()
        transaction.set_rollback(True)
    assert tallied() == before == counted()


def test_a_late_answer_corrects_the_spend_of_its_call() -> None:
    job = make_job(kind="write", fence=1)
    book(job, Call(NOON, "unknown"))
    book(job, Call(NOON + timedelta(days=1), "success", tokens_in=7, cost_usd=spend.NOTHING + 3))
    assert spend.by_day() == {
        (NOON + timedelta(days=1)).date(): {"openai": spend.Spend(calls=1, tokens_in=7, cost_usd=spend.NOTHING + 3)}
    }


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_folds_at_once_lose_nothing_and_wait_for_nobody() -> None:
    campaign = make_campaign()
    jobs = [make_job(campaign) for _ in range(4)]

    def work(pk: int) -> None:
        for completed_at in (NOON, None) * 10:
            status = "CANCELLED" if completed_at else "PENDING"
            JobRow.objects.filter(pk=pk).update(status=status, completed_at=completed_at)
        make_call(JobRow.objects.get(pk=pk))

    def fold_often() -> None:
        for _ in range(20):
            tallies.fold()

    at_once(*(partial(work, job.pk) for job in jobs), *([fold_often] * 2))
    assert tallied() == counted()
    with another_session() as session, session.transaction():
        session.execute("UPDATE job_rows SET status = 'CANCELLED', completed_at = now() WHERE id = %s", [jobs[0].pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        # The same tally, while the other is not committed.
        JobRow.objects.filter(pk=jobs[1].pk).update(status="CANCELLED", completed_at=NOON)
        tallies.fold()
        assert tallied() == counted()
    assert tallied() == counted()


@pytest.mark.parametrize("table", ["job_tallies", "lead_tallies", "call_tallies"])
def test_rows_that_came_behind_the_triggers_are_found_and_counted_anew(table: str) -> None:
    campaign = make_campaign()
    lead = make_lead(campaign, "DROPPED")
    make_call(make_job(lead=lead, status="COMPLETED"))
    assert reconcile() == []
    by_statement(f"DELETE FROM {table}")
    text = "1 campaigns have other jobs, leads or calls than their tallies say (`reconcile --recount` mends those): "
    assert [(one.check, one.detail) for one in reconcile()] == [("tallies_wrong", f"{text}{campaign.pk}")]
    out = io.StringIO()
    call_command("reconcile", "--recount", stdout=out)
    assert "The books balance" in out.getvalue()
    assert tallied() == counted()


@pytest.mark.django_db(transaction=True)
def test_a_fold_that_meets_another_keeps_what_changed_in_the_cost_alone() -> None:
    """The second fold finds the rows of the first gone; what is left for it is a difference without a number."""
    job = make_job(status="PROCESSING")
    call = make_call(job, "unknown", may_be_charged=True, may_cost_usd=5)
    make_call(make_job(job.campaign, status="PROCESSING"), "unknown")
    with another_session() as first:
        columns = [field.name for field in tallies.CallTally._meta.fields if field.name != "id"]
        keys = tallies.KEYS[tallies.CallTally]
        numbers = [name for name in columns if name not in keys]
        sums = ", ".join(f"sum({name})" for name in numbers)
        first.execute(
            tallies.FOLD.format(table="call_tallies", keys=", ".join(keys), numbers=", ".join(numbers), sums=sums)
        )
        book(job, Call(call.admitted_at, "success", cost_usd=spend.NOTHING + 5))
        fold = threading.Thread(target=fold_here)
        fold.start()
        wait_for_a_waiter()
        first.commit()
    fold.join(30)
    assert tallied() == counted()
    assert spend.in_all().cost_usd == 5
    assert reconcile() == []


def fold_here() -> None:
    tallies.fold()
    connection.close()


def wait_for_a_waiter() -> None:
    """Until somebody waits for a row that another session has changed."""
    until = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")
