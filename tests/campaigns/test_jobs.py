"""The life of a job: exclusive claims, fencing, what each failure does, and what being refused costs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from campaigns import feed, jobs, pipeline, retry
from campaigns.fences import born
from campaigns.jobs import Call, Done
from campaigns.models import JobRow, Lead, VendorCall
from circuitbreakers.policy import FAILURE_TYPES
from tests.breakers import ANN, at_once
from tests.builders import ago, make_call, make_campaign, make_job, make_lead
from tests.stores import refusing

pytestmark = pytest.mark.django_db
GOES_ON = Done(lead={"verdict": "ok"}, next_kind="research")


def claim(job: JobRow, worker: str = "host:1") -> JobRow:
    claimed = jobs.claim(job.pk, job.service, worker)
    assert claimed is not None
    return claimed


def a_call(outcome: str = "success", **details: Any) -> Call:
    return Call(timezone.now(), outcome, **details)


def reclaim_from(job: JobRow) -> None:
    """As the supervisor does when the lease of `job` is over: its call may have been made."""
    assert jobs.claim_lost(
        job, call=a_call("unknown", error="The answer was lost"), crashed=True, message="Worker died"
    )


def ledger(job: JobRow) -> list[tuple[int, str, str]]:
    calls = VendorCall.objects.filter(job=job).order_by("fence").values_list("fence", "outcome", "error")
    return [(fence - born(job.created_at), outcome, error) for fence, outcome, error in calls]


# --- claim ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_threads_that_claim_the_same_job_at_once_get_it_once() -> None:
    job = make_job()
    claims = at_once(*([lambda: jobs.claim(job.pk, job.service, "host:1")] * 12))
    assert [type(claimed) for claimed in claims if claimed is not None] == [JobRow], claims
    job.refresh_from_db()
    assert (job.status, job.fence - born(job.created_at)) == ("PROCESSING", 1)


def test_a_claim_takes_the_next_number_and_a_lease_that_outlives_the_call(settings: Any) -> None:
    job = make_job()
    claimed = claim(job, "host:7")
    number = born(job.created_at) + 1
    assert (claimed.fence, claimed.worker, claimed.call) == (number, "host:7", f"{job.pk}:{number}")
    assert claimed.lease_until is not None
    assert claimed.claimed_at is not None
    lease = (claimed.lease_until - claimed.claimed_at).total_seconds()
    assert lease > settings.VENDORS["millionverifier"]["deadline"] + 30


@pytest.mark.parametrize("status", [status for status in JobRow.Status.values if status != "PENDING"])
def test_only_a_pending_job_is_claimed(status: str) -> None:
    job = make_job(status=status)
    assert jobs.claim(job.pk, job.service, "host:2") is None
    assert JobRow.objects.get(pk=job.pk).fence == job.fence


@pytest.mark.parametrize("status", ["CREATED", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_is_claimed_only_while_its_campaign_is_running(status: str) -> None:
    job = make_job(make_campaign(status))
    assert jobs.claim(job.pk, job.service, "host:2") is None
    assert JobRow.objects.get(pk=job.pk).status == "PENDING"


def test_a_job_is_not_claimed_before_its_time() -> None:
    job = make_job(run_at=ago(-5))
    assert jobs.claim(job.pk, job.service, "host:2") is None
    JobRow.objects.update(run_at=ago(1))
    assert jobs.claim(job.pk, job.service, "host:2") is not None


def test_a_message_for_a_job_that_is_gone_is_nothing_to_do() -> None:
    assert jobs.claim(0, "apollo", "host:2") is None


# --- fencing ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_wakes_too_late_books_its_call_and_changes_nothing_else() -> None:
    job = make_job()
    late = claim(job)
    reclaim_from(late)
    assert ledger(job) == [(1, "unknown", "The answer was lost")]
    second = claim(job, "host:2")
    before = JobRow.objects.filter(pk=job.pk).values().get()
    spent = a_call(duration_ms=7, credits=Decimal(1), cost_usd=Decimal("0.004"), request_id="r-1")
    assert jobs.complete(late, GOES_ON, spent) is False
    assert ledger(job) == [(1, "success", "late: ")]
    call = VendorCall.objects.get(job=job)
    assert (call.credits, call.cost_usd, call.request_id) == (1, Decimal("0.004"), "r-1")
    assert JobRow.objects.filter(pk=job.pk).values().get() == before
    assert JobRow.objects.count() == 1
    assert Lead.objects.get().verdict == ""
    assert jobs.complete(second, GOES_ON, a_call()) is True
    assert sorted(JobRow.objects.values_list("kind", "status")) == [("research", "PENDING"), ("verify", "COMPLETED")]
    assert [row[:2] for row in ledger(job)] == [(1, "success"), (2, "success")]


LATE_VERBS = {
    "complete": lambda job: jobs.complete(job, GOES_ON, a_call()),
    "fail": lambda job: jobs.failed(job, "timeout", "HTTP 504", a_call("timeout")),
    "fail for good": lambda job: jobs.failed(job, "invalid_request", "HTTP 400", a_call("invalid_request")),
    "lose": lambda job: jobs.claim_lost(job, call=a_call("unknown"), crashed=True, message="died"),
    "be poisoned": lambda job: jobs.claim_lost(job, call=a_call("unknown"), crashed=True, message="died"),
    "hand back": lambda job: jobs.hand_back(job, wait=60),
}


@pytest.mark.parametrize("verb", LATE_VERBS)
@pytest.mark.parametrize("meanwhile", ["claimed again", "completed", "handed back"])
def test_no_verb_of_a_late_worker_moves_the_job_or_its_lead(verb: str, meanwhile: str) -> None:
    job = make_job(crashes=2 if verb == "be poisoned" else 0)
    late = claim(job)
    JobRow.objects.update(status="PENDING", lease_until=None)
    if meanwhile != "handed back":
        second = claim(job, "host:2")
        if meanwhile == "completed":
            jobs.complete(second, Done(lead={"verdict": "ok"}), a_call())
    before = (JobRow.objects.values().get(), Lead.objects.values().get())
    assert LATE_VERBS[verb](late) is False
    assert (JobRow.objects.values().get(), Lead.objects.values().get()) == before


def test_a_booked_answer_is_never_overwritten_by_a_reclaimer() -> None:
    job = make_job()
    held = claim(job)
    jobs.book(held, a_call(credits=Decimal(1)))
    jobs.book(held, a_call("unknown", error="The answer was lost"))
    jobs.book(held, a_call("timeout"))
    assert ledger(job) == [(1, "success", "")]
    assert VendorCall.objects.get().credits == 1


def test_two_reclaimers_of_the_same_lease_leave_one_plain_unknown() -> None:
    held = claim(make_job())
    reclaim_from(held)
    assert not jobs.claim_lost(held, call=a_call("unknown", error="The answer was lost"), crashed=True, message="died")
    assert ledger(held) == [(1, "unknown", "The answer was lost")]
    assert JobRow.objects.get().crashes == 1


# --- complete ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "after"),
    [
        (GOES_ON, ("ok", "verify", "DROPPED", "campaign cancelled")),
        (
            jobs.Done(lead={"verdict": "invalid"}, end="DROPPED", end_reason="undeliverable"),
            ("invalid", "verify", "DROPPED", "campaign cancelled"),
        ),
        (jobs.Done(end="PUSHED"), ("", "verify", "PUSHED", "")),
    ],
)
def test_a_lead_that_has_ended_meanwhile_keeps_what_was_bought_and_moves_no_more_but_by_a_push(
    done: jobs.Done, after: tuple[str, ...]
) -> None:
    held = claim(make_job())
    ended = Lead.objects.all()
    ended.update(state="DROPPED", ended_at=timezone.now(), end_reason="campaign cancelled")
    assert jobs.complete(held, done, a_call())
    assert ended.values_list("verdict", "stage", "state", "end_reason").get() == after
    assert JobRow.objects.count() == 1


def test_a_result_goes_on_the_lead_and_makes_the_next_job() -> None:
    held = claim(make_job(attempts=2, error="HTTP 503", failure_type="server_error"))
    assert jobs.complete(held, GOES_ON, a_call())
    done, following = JobRow.objects.order_by("pk")
    assert (done.status, done.error, done.failure_type, done.lease_until) == ("COMPLETED", None, "", None)
    assert (following.kind, following.service, following.status) == ("research", "perplexity", "PENDING")
    lead = Lead.objects.get()
    assert (lead.verdict, lead.stage, lead.state) == ("ok", "research", "OPEN")


@pytest.mark.django_db(transaction=True)
def test_result_next_job_and_ledger_are_saved_together_or_not_at_all() -> None:
    held = claim(make_job())
    assert held.lead is not None
    with refusing("leads", held.lead.pk), pytest.raises(DatabaseError):
        jobs.complete(held, GOES_ON, a_call())
    assert JobRow.objects.get().status == "PROCESSING"
    assert ledger(held) == []
    assert jobs.complete(held, GOES_ON, a_call())
    assert JobRow.objects.count() == 2


def test_a_lead_that_ends_keeps_its_reason() -> None:
    held = claim(make_job())
    jobs.complete(held, Done(end="DROPPED", end_reason="undeliverable: invalid"), a_call())
    lead = Lead.objects.get()
    assert (lead.state, lead.end_reason) == ("DROPPED", "undeliverable: invalid")
    assert lead.ended_at is not None
    assert JobRow.objects.count() == 1


def test_what_was_paid_for_is_kept_though_the_lead_has_ended_meanwhile() -> None:
    held = claim(make_job(kind="research"))
    Lead.objects.update(state="DROPPED", end_reason="campaign cancelled", ended_at=timezone.now())
    jobs.complete(held, Done(lead={"research": "They make bolts."}, next_kind="write"), a_call())
    lead = Lead.objects.get()
    assert (lead.state, lead.research) == ("DROPPED", "They make bolts.")
    assert not JobRow.objects.filter(kind="write").exists()


def test_a_push_is_a_push_though_the_lead_was_dropped_meanwhile() -> None:
    held = claim(make_job(kind="push"))
    Lead.objects.update(state="DROPPED", end_reason="campaign cancelled", ended_at=timezone.now())
    jobs.complete(held, Done(lead={"instantly_lead_id": "l-1"}, end="PUSHED"), a_call())
    lead = Lead.objects.get()
    assert (lead.state, lead.instantly_lead_id, lead.end_reason) == ("PUSHED", "l-1", "")


# --- failures ---------------------------------------------------------------------------------------------------------

RETRIED = ("timeout", "connection", "server_error", "malformed")
WAITS = ("quota_exhausted", "auth", "rate_limit")


def test_every_failure_type_is_in_the_table_below() -> None:
    # `unknown` never comes back from a vendor: jobs.claim_lost has its rules.
    assert {*RETRIED, *WAITS, "invalid_request", "unknown"} == set(FAILURE_TYPES)


@pytest.mark.parametrize("failure_type", RETRIED)
@pytest.mark.parametrize(
    ("before", "after", "ends", "wait"),
    [(0, 1, False, 4), (1, 2, False, 8), (2, 3, False, 16), (3, 4, False, 32), (4, 5, True, 0)],
)
def test_a_vendors_fault_is_retried_with_backoff_at_most_five_times(
    failure_type: str, before: int, after: int, ends: bool, wait: float
) -> None:
    assert pipeline.after_failure(failure_type, before, jitter=1.0) == pipeline.FailureDecision(after, ends, wait)


@pytest.mark.parametrize("failure_type", WAITS)
@pytest.mark.parametrize("attempts", [0, 4, 50])
def test_what_no_retry_cures_spends_nothing_and_ends_nothing(failure_type: str, attempts: int) -> None:
    assert pipeline.after_failure(failure_type, attempts) == pipeline.FailureDecision(attempts, ends=False)
    assert pipeline.after_failure(failure_type, attempts, 90.0) == pipeline.FailureDecision(
        attempts, ends=False, wait=90.0
    )


@pytest.mark.parametrize("attempts", [0, 3])
def test_an_unfit_request_ends_at_once(attempts: int) -> None:
    assert pipeline.after_failure("invalid_request", attempts) == pipeline.FailureDecision(attempts + 1, ends=True)


def test_backoff_is_spread_and_a_vendors_wish_may_only_lengthen_it() -> None:
    waits = {pipeline.after_failure("timeout", 0).wait for _ in range(200)}
    assert len(waits) > 100
    assert min(waits) >= 2
    assert max(waits) <= 6
    assert pipeline.after_failure("timeout", 0, 120.0).wait == 120.0
    assert pipeline.after_failure("timeout", 3, 1.0, jitter=1.0).wait == 32


@pytest.mark.parametrize("failure_type", [*RETRIED, *WAITS])
def test_a_failed_job_waits_in_postgresql(failure_type: str) -> None:
    held = claim(make_job(sent_at=ago(1)))
    assert jobs.failed(held, failure_type, "HTTP 503", a_call(failure_type), retry_after=50.0)
    job = JobRow.objects.get()
    assert (job.status, job.error, job.failure_type) == ("PENDING", "HTTP 503", failure_type)
    assert (job.lease_until, job.sent_at) == (None, None)
    assert job.attempts == (1 if failure_type in RETRIED else 0)
    assert timedelta(seconds=45) < job.run_at - timezone.now() < timedelta(seconds=51)
    assert ledger(job) == [(1, failure_type, "")]
    assert Lead.objects.get().state == "OPEN"


@pytest.mark.parametrize(("failure_type", "attempts"), [("server_error", 4), ("invalid_request", 0)])
def test_a_job_that_fails_for_good_takes_its_lead_with_it_and_no_other(failure_type: str, attempts: int) -> None:
    campaign = make_campaign()
    other = make_job(campaign)
    held = claim(make_job(campaign, attempts=attempts))
    assert jobs.failed(held, failure_type, "no good", a_call(failure_type))
    job = JobRow.objects.get(pk=held.pk)
    assert (job.status, job.attempts, job.error) == ("FAILED", attempts + 1, "no good")
    assert job.lead is not None
    assert (job.lead.state, job.lead.end_reason) == ("FAILED", f"verify failed: {failure_type}")
    other.refresh_from_db()
    assert other.status == "PENDING"
    assert other.lead is not None
    assert other.lead.state == "OPEN"


def test_refused_at_the_gate_spends_nothing() -> None:
    held = claim(make_job(attempts=2, crashes=1, sent_at=ago(1), error="HTTP 503", failure_type="server_error"))
    assert jobs.hand_back(held)
    job = JobRow.objects.get()
    assert (job.status, job.attempts, job.crashes, job.lease_until, job.sent_at) == ("PENDING", 2, 1, None, None)
    assert job.run_at <= timezone.now()
    assert ledger(job) == []


def test_refused_for_the_rate_waits_by_the_clock_that_claims_go_by() -> None:
    jobs.hand_back(claim(make_job()), wait=9)
    assert timedelta(seconds=8) < JobRow.objects.get().run_at - timezone.now() <= timedelta(seconds=9)


# --- crashes ----------------------------------------------------------------------------------------------------------


def crash(job: JobRow) -> None:
    JobRow.objects.update(run_at=ago(1))
    held = claim(job)
    assert jobs.claim_lost(held, call=a_call("unknown"), crashed=True, message="Worker host:1 died")


def test_three_crashes_of_the_same_job_are_poison() -> None:
    job = make_job()
    crash(job)
    job.refresh_from_db()
    assert (job.status, job.crashes, job.attempts) == ("PENDING", 1, 0)
    assert job.run_at <= timezone.now()  # one crash may be bad luck
    crash(job)
    job.refresh_from_db()
    assert (job.status, job.crashes) == ("PENDING", 2)
    assert timedelta(seconds=55) < job.run_at - timezone.now() < timedelta(seconds=61)
    crash(job)
    job.refresh_from_db()
    assert (job.status, job.crashes, job.failure_type) == ("FAILED", 3, "unknown")
    assert job.error == "Poison: Worker host:1 died"
    assert Lead.objects.get().end_reason == "verify failed: unknown"
    assert [outcome for _, outcome, _ in ledger(job)] == ["unknown"] * 3


def test_an_answer_that_was_lost_by_a_living_process_is_nobodys_crash() -> None:
    job = make_job(crashes=2)
    assert jobs.claim_lost(claim(job), call=a_call("unknown"), crashed=False, message="lost the answer")
    job.refresh_from_db()
    assert (job.status, job.crashes, job.attempts) == ("PENDING", 2, 0)


# --- the pipeline -----------------------------------------------------------------------------------------------------


def test_the_kinds_follow_each_other_through_the_five_services() -> None:
    kind, services = pipeline.FIRST_OF_LEAD, []
    while kind:
        services.append(pipeline.SERVICE_OF[kind])
        kind = pipeline.FOLLOWS.get(kind, "")
    assert services == ["millionverifier", "perplexity", "openai", "instantly"]
    assert {pipeline.SERVICE_OF[kind] for kind in ("find", "reveal")} == {"apollo"}


def test_only_a_deliverable_address_is_worth_more_money() -> None:
    assert pipeline.after_verify("ok") == pipeline.LeadStep(next_kind="research")
    for verdict in ("catch_all", "unknown", "disposable", "invalid"):
        assert pipeline.after_verify(verdict) == pipeline.LeadStep(end="DROPPED", reason=f"undeliverable: {verdict}")


def test_a_lead_that_is_in_the_campaign_already_counts_as_pushed() -> None:
    assert {pipeline.after_push(outcome).end for outcome in ("pushed", "duplicate")} == {"PUSHED"}
    for outcome in ("blocked", "invalid", "skipped"):
        assert pipeline.after_push(outcome) == pipeline.LeadStep(
            end="DROPPED", reason=f"refused by Instantly: {outcome}"
        )


def test_people_are_revealed_in_tens_whose_parts_never_collide() -> None:
    first, second = (pipeline.reveals(page, [f"{page}-{n}" for n in range(95)]) for page in (1, 2))
    assert [len(group) for _, group in first] == [10] * 9 + [5]
    assert [person for _, group in first for person in group] == [f"1-{n}" for n in range(95)]
    assert not {part for part, _ in first} & {part for part, _ in second}


@pytest.mark.parametrize(
    ("wanted", "total", "pages"), [(1, 500, 1), (100, 500, 1), (101, 500, 2), (500, 120, 2), (9, 0, 0)]
)
def test_no_more_pages_are_asked_for_than_are_needed(wanted: int, total: int, pages: int) -> None:
    assert pipeline.pages(wanted, total) == pages


def test_a_job_is_made_once_however_often_it_is_added() -> None:
    lead = make_lead()
    for _ in range(2):
        jobs.add([JobRow(campaign_id=lead.campaign_id, lead_id=lead.pk, kind="verify")])
    assert JobRow.objects.get().service == "millionverifier"


def test_the_ledger_has_one_row_per_claim_and_the_database_says_so() -> None:
    job = make_job(status="COMPLETED", fence=1)
    make_call(job)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("INSERT INTO vendor_calls SELECT (vendor_calls.*).* FROM vendor_calls")


def a_host_that_is_two_minutes_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = timezone.now() + timedelta(seconds=120)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)
    monkeypatch.setattr(JobRow._meta.get_field("run_at"), "_get_default", lambda: ahead)


def test_what_follows_is_due_at_once_whatever_the_hosts_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(kind="research")
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    a_host_that_is_two_minutes_ahead(monkeypatch)
    jobs.complete(held, jobs.Done(lead={"research": "x"}, next_kind="write"), None)
    assert jobs.claim(JobRow.objects.get(kind="write").pk, "openai", "host:2") is not None


def test_a_retried_job_is_due_at_once_whatever_the_hosts_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    job = make_job(kind="write", status="FAILED", lead=make_lead(campaign, "FAILED", stage="write"))
    a_host_that_is_two_minutes_ahead(monkeypatch)
    retry.retry_job(job.pk, actor=ANN)
    assert jobs.claim(job.pk, job.service, "host:2") is not None


def test_the_first_jobs_of_a_campaign_are_due_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign(search={"person_titles[]": ["CTO"]}, instantly_campaign_id="")
    a_host_that_is_two_minutes_ahead(monkeypatch)
    assert feed.feed() == 2
    for job in JobRow.objects.all():
        assert jobs.claim(job.pk, job.service, "host:2") is not None


def test_a_job_that_waits_waits_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    now = timezone.now()
    a_host_that_is_two_minutes_ahead(monkeypatch)
    jobs.hand_back(held, wait=2)
    job.refresh_from_db()
    assert timedelta(seconds=1) < job.run_at - now < timedelta(seconds=10)


def test_the_answer_that_comes_after_all_says_when_the_call_was_admitted() -> None:
    job = make_job()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    jobs.book(held, jobs.Call(ago(9), "unknown"))
    jobs.book(held, jobs.Call(admitted := ago(8), "success"))
    assert VendorCall.objects.get().admitted_at == admitted
