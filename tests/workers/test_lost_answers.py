"""Calls that were sent and whose answer was lost: each is flagged, with what it can have cost, and no other is."""

import threading
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from campaigns import finish, jobs, lifecycle, spend, statements, tallies
from campaigns.fences import born
from campaigns.models import JobRow, KnownFact, Lead, VendorCall
from campaigns.reconcile import reconcile
from circuitbreakers import gate, switch
from integrations import millionverifier
from integrations.errors import FailureType, VendorError
from integrations.results import Usage
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.workspace import STANDING_CAMPAIGNS, campaign_id
from integrations.sandbox.world import people
from tests.breakers import ANN, at_once
from tests.builders import ago, make_campaign, make_job, make_lead
from tests.stores import break_vendor, calls_of
from workers import kinds
from workers.reclaim import reclaim
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
races = pytest.mark.django_db(transaction=True)
TARGET = campaign_id(STANDING_CAMPAIGNS[0])
PEOPLE = {"people": [people.person(number).id for number in range(4)]}


def a_job(kind: str) -> JobRow:
    campaign = make_campaign(search={"person_titles[]": ["CTO"]}, instantly_campaign_id=TARGET)
    return make_job(campaign, kind=kind, part=1, payload=PEOPLE if kind == "reveal" else {})


def flagged(job: JobRow) -> tuple[bool, Decimal]:
    call = VendorCall.objects.filter(job=job).latest("fence")
    return call.may_be_charged, call.may_cost_usd


# --- which endings ----------------------------------------------------------------------------------------------------


def failure(failure_type: str, **details: Any) -> VendorError:
    return VendorError(service="openai", failure_type=FailureType(failure_type), message="x", **details)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (failure("timeout"), True),
        (failure("connection"), True),
        (failure("malformed"), True),  # no proper HTTP
        (failure("connection", sent=False), False),
        (failure("timeout", sent=False), False),
        (failure("auth", sent=False), False),
        (failure("malformed", http_status=200), True),  # cut in the middle
        (failure("malformed", http_status=200, usage=Usage()), True),
        (failure("malformed", http_status=200, usage=Usage(tokens_out=5)), False),  # billed, and booked so
        (failure("malformed", http_status=403), False),  # an edge's page: it never got there
        (failure("server_error", http_status=504), True),  # a gateway gave up on it
        (failure("server_error", http_status=524), True),
        (failure("server_error", http_status=500), False),
        (failure("server_error", http_status=503), False),
        (failure("rate_limit", http_status=429), False),
        (failure("invalid_request", http_status=400), False),
        (failure("timeout", http_status=408), True),
    ],
)
def test_a_call_may_be_charged_when_it_left_and_no_whole_answer_of_the_vendor_came(
    error: VendorError, lost: bool
) -> None:
    assert error.may_be_charged is lost


@pytest.mark.parametrize("fault", ["connection_reset", "malformed"])
@pytest.mark.parametrize("kind", ["reveal", "verify", "research", "write", "push"])
def test_every_paid_kind_is_flagged_with_its_price(kind: str, fault: str, sandbox: Sandbox) -> None:
    job = a_job(kind)
    break_vendor(sandbox, job.service, fault)
    run(job.pk, job.service)
    assert flagged(job) == (True, kinds.most_usd(job))


def test_the_price_of_what_was_lost_is_never_below_what_an_answer_costs(sandbox: Sandbox) -> None:
    for kind in kinds.MOST:
        job = a_job(kind)
        run(job.pk, job.service)
        call = VendorCall.objects.get(job=job)
        most = kinds.most_usd(job)
        assert (call.outcome, call.may_be_charged) == ("success", False)
        assert most is not None
        assert most >= call.cost_usd


@pytest.mark.parametrize("kind", ["find", "prepare"])
def test_what_is_free_is_not_flagged(kind: str, sandbox: Sandbox) -> None:
    job = a_job(kind)
    job.campaign.instantly_campaign_id = ""
    job.campaign.save()
    break_vendor(sandbox, job.service, "connection_reset")
    run(job.pk, job.service)
    assert flagged(job) == (False, 0)


@pytest.mark.parametrize("fault", ["server_error", "rate_limit", "quota_exhausted", "bad_key", "html"])
def test_an_answer_that_says_no_is_an_answer(fault: str, sandbox: Sandbox) -> None:
    job = a_job("verify")
    break_vendor(sandbox, job.service, fault)
    run(job.pk, job.service)
    assert flagged(job) == (False, 0)


def test_an_answer_that_never_comes_is_flagged(sandbox: Sandbox, settings: Any) -> None:
    settings.VENDORS = {
        name: {**vendor, "deadline": 0.5, "read_timeout": 0.4} for name, vendor in settings.VENDORS.items()
    }
    job = a_job("research")
    break_vendor(sandbox, job.service, "timeout")
    assert run(job.pk, job.service) == "failed: timeout"
    assert flagged(job) == (True, kinds.most_usd(job))
    assert sandbox.ledger.bill()["perplexity"]["charged"] == 1


def test_a_dead_workers_call_is_flagged_until_its_answer_is_booked_after_all() -> None:
    job = a_job("verify")
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    permit = gate.admit(held.service, held.call)
    JobRow.objects.filter(pk=job.pk).update(lease_until=ago(5))
    reclaim()
    assert flagged(job) == (True, Decimal("0.0037"))
    assert VendorCall.objects.get().admitted_at == permit.admitted_at  # Redis's clock
    jobs.complete(held, jobs.Done(), jobs.Call(permit.admitted_at, "success", credits=Decimal(1)))
    assert flagged(job) == (False, 0)


# --- where it is said -------------------------------------------------------------------------------------------------


def test_the_tallies_the_spend_and_the_books_say_how_much_more_it_may_be(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "millionverifier", "malformed")
    jobs_lost = [a_job("verify") for _ in range(3)]
    for job in jobs_lost:
        run(job.pk, job.service)
    tallies.fold()
    assert (spend.in_all().may_be_charged, spend.in_all().may_cost_usd) == (3, Decimal("0.0111"))
    assert spend.by_service()["millionverifier"].may_be_charged == 3
    assert reconcile() == []
    out = StringIO()
    call_command("reconcile", stdout=out)
    assert "3 calls were sent and their answers lost: up to $0.0111 more may have been charged" in out.getvalue()


def test_books_in_which_every_call_was_answered_say_nothing_of_it() -> None:
    job = a_job("verify")
    run(job.pk, job.service)
    out = StringIO()
    call_command("reconcile", stdout=out)
    assert "may have been charged" not in out.getvalue()


# --- PostgreSQL forgets -----------------------------------------------------------------------------------------------


def test_a_claim_that_postgresql_lost_is_booked_as_unknown_and_the_next_one_has_another_number(
    sandbox: Sandbox,
) -> None:
    """A standby that lacked the last second was promoted: claim, ledger and result are gone, Redis knows the call."""
    job = a_job("verify")
    assert run(job.pk, job.service) == "completed"
    VendorCall.objects.all().delete()
    KnownFact.objects.all().delete()
    JobRow.objects.exclude(pk=job.pk).delete()
    Lead.objects.update(stage="verify", verdict="")
    JobRow.objects.update(status="PENDING", fence=0, completed_at=None, claimed_at=None, worker="")
    assert run(job.pk, job.service) == "refused: seen"
    call = VendorCall.objects.get()
    assert (call.outcome, call.fence, call.may_be_charged) == ("unknown", born(job.created_at) + 1, True)
    job.refresh_from_db()
    assert (job.status, job.crashes, job.attempts) == ("PENDING", 0, 0)
    assert run(job.pk, job.service) == "completed"
    assert reconcile() == []


# --- one address, one verdict -----------------------------------------------------------------------------------------


def verify_in_two_campaigns(address: str = "ida+ok@acme.example") -> list[JobRow]:
    return [make_job(lead=make_lead(make_campaign(), email=address, stage="verify")) for _ in range(2)]


@races
def test_two_campaigns_that_need_one_verdict_at_once_pay_for_it_once(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "millionverifier", "none", latency_ms=200)
    one, two = verify_in_two_campaigns()
    assert sorted(at_once(lambda: run(one.pk, one.service), lambda: run(two.pk, two.service))) == [
        "completed",
        "not yet",
    ]
    JobRow.objects.filter(status="PENDING").update(run_at=ago(1))
    for job in (one, two):
        run(job.pk, job.service)
    assert len(calls_of(sandbox, "millionverifier")) == 1
    assert set(Lead.objects.values_list("verdict", flat=True)) == {"ok"}


def test_whoever_asks_and_dies_holds_nobody_up_longer_than_its_lease(sandbox: Sandbox) -> None:
    one, two = verify_in_two_campaigns()
    held = jobs.claim(one.pk, one.service, "host:1")
    assert held is not None
    kinds.call_for(held)
    assert run(two.pk, two.service) == "not yet"
    KnownFact.objects.update(asked_until=ago(1))
    JobRow.objects.filter(pk=two.pk).update(run_at=ago(1))
    assert run(two.pk, two.service) == "completed"


def test_a_failed_ask_is_repeated_by_the_same_job(sandbox: Sandbox) -> None:
    one, _ = verify_in_two_campaigns()
    break_vendor(sandbox, "millionverifier", "server_error")
    run(one.pk, one.service)
    break_vendor(sandbox, "millionverifier", "none")
    JobRow.objects.update(run_at=ago(1))
    assert run(one.pk, one.service) == "completed"


def test_a_verdict_of_unknown_keeps_nobody_from_asking(sandbox: Sandbox) -> None:
    one, two = verify_in_two_campaigns("ida+unknown@acme.example")
    assert [run(job.pk, job.service) for job in (one, two)] == ["completed", "completed"]
    assert len(calls_of(sandbox)) == 2


# --- identity ---------------------------------------------------------------------------------------------------------


@races
def test_a_worker_that_froze_while_claiming_does_not_take_anothers_claim_for_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = a_job("verify")
    frozen, thaw = threading.Event(), threading.Event()
    made = statements._made

    def freeze(*arguments: Any) -> Any:
        if threading.current_thread().name == "frozen" and not frozen.is_set():
            frozen.set()
            assert thaw.wait(30)
        return made(*arguments)

    monkeypatch.setattr(statements, "_made", freeze)
    got: list[Any] = []

    def claim_slowly() -> None:
        got.append(jobs.claim(job.pk, job.service, "host:1"))
        connections.close_all()

    worker = threading.Thread(target=claim_slowly, name="frozen")
    worker.start()
    assert frozen.wait(30)
    JobRow.objects.filter(pk=job.pk).update(status="PENDING", lease_until=None)  # its lease was over: reclaimed
    other = jobs.claim(job.pk, job.service, "host:2")
    thaw.set()
    worker.join(30)
    assert other is not None
    first = born(job.created_at) + 1
    assert (other.fence, got[0].fence, got[0].worker) == (first + 1, first, "host:1")
    assert not jobs.hand_back(got[0])
    assert jobs.is_ours(other)


# --- one refusal after the other --------------------------------------------------------------------------------------


def refuse_all(monkeypatch: pytest.MonkeyPatch, words: str = "model 'm' does not support json_schema") -> None:
    def refuse(email: str) -> Any:
        raise VendorError(
            service="millionverifier",
            failure_type=FailureType.INVALID_REQUEST,
            message=f"HTTP 400: {words} (request req_{email[:7]}1)",
            http_status=400,
        )

    monkeypatch.setattr(millionverifier, "verify", refuse)


def test_refusals_in_the_same_words_stop_the_campaign_and_not_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, other = make_campaign(), make_campaign()
    queued = [make_job(campaign) for _ in range(16)]
    with monkeypatch.context() as patched:
        refuse_all(patched)
        happened = [run(job.pk, job.service) for job in queued]
    assert happened == ["failed: invalid_request"] * 4 + ["campaign paused"] + ["nothing"] * 11
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert "does not support json_schema" in campaign.status_message
    other.refresh_from_db()
    assert other.status == "RUNNING"
    assert switch.read("millionverifier").state == "closed"
    # What had failed by then is put back like any other failure that was not the lead's.
    lifecycle.resume(campaign.pk, actor=ANN)
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 4
    assert {run(job.pk, job.service) for job in queued} == {"completed"}


def test_refusals_that_say_different_things_or_have_a_success_between_them_fail_their_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = make_campaign()
    for number in range(12):
        job = make_job(campaign)
        with monkeypatch.context() as patched:
            if number % 4 != 3:
                refuse_all(patched, f"{'abc'[number % 3]} is not an address")
            run(job.pk, job.service)
    campaign.refresh_from_db()
    assert campaign.status == "RUNNING"
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 0


def test_what_was_refused_for_a_cause_that_is_mended_is_put_back_when_somebody_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fewer leads than it takes to see that all are refused alike: the campaign has just ended."""
    campaign = make_campaign()
    queued = [make_job(campaign) for _ in range(3)]
    with monkeypatch.context() as patched:
        refuse_all(patched)
        assert [run(job.pk, job.service) for job in queued] == ["failed: invalid_request"] * 3
    assert finish.finish_campaigns() == 1
    assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 0
    assert lifecycle.retry_failed(campaign.pk, actor=ANN, refused=True) == 3
    campaign.refresh_from_db()
    assert campaign.status == "RUNNING"
    assert {run(job.pk, job.service) for job in queued} == {"completed"}
