"""One job from its message to its result, against the sandbox's vendors and real stores."""

import threading
import time
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis.connection import AbstractConnection

from campaigns import feed, finish, jobs, lifecycle, recovery
from campaigns.leads import suppression
from campaigns.models import Campaign, JobRow, KnownFact, Lead, Suppression, VendorCall
from campaigns.reconcile import reconcile
from circuitbreakers import breaker, gate, pauses, policies, switch
from circuitbreakers.rates import parse
from circuitbreakers.services import SERVICES
from integrations import deadline, millionverifier
from integrations.results import FoundPerson, PeoplePage, Usage
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.workspace import STANDING_CAMPAIGNS, campaign_id
from integrations.sandbox.world import people
from tests.breakers import ANN, Beside, at_once, stored, trip, trip_and_die
from tests.builders import ago, make_campaign, make_fleet, make_job, make_lead, make_verdict, shown
from tests.stores import another_session, away, break_vendor, calls_of, forget_servers
from workers.kinds import STEPS
from workers.run import run
from workers.steps import find, reveal, verify, write

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
races = pytest.mark.django_db(transaction=True)
SEARCH = {"person_titles[]": ["CTO"]}
TARGET = campaign_id(STANDING_CAMPAIGNS[0])  # is there at Instantly


def work(job: JobRow) -> str:
    """Run that job as an actor would; what happened."""
    happened = run(job.pk, job.service)
    job.refresh_from_db()
    return happened


def the_call(job: JobRow) -> VendorCall:
    return VendorCall.objects.get(job=job)


def next_kinds(job: JobRow) -> list[str]:
    return list(JobRow.objects.exclude(pk=job.pk).order_by("pk").values_list("kind", flat=True))


def verify_job(address: str = "ida+ok@acme.example", **fields: Any) -> JobRow:
    return make_job(lead=make_lead(email=address, stage="verify"), **fields)


# --- each kind of job -------------------------------------------------------------------------------------------------


def test_find_makes_reveal_jobs_for_the_people_it_needs(sandbox: Sandbox) -> None:
    job = make_job(make_campaign(search=SEARCH, max_leads=25), kind="find", part=1)
    assert work(job) == "completed"
    groups = list(JobRow.objects.filter(kind="reveal").order_by("part").values_list("part", "payload"))
    assert [part for part, _ in groups] == [100, 101, 102]
    # Whom Apollo says to have no address is a lead at once, and no credit is spent.
    without = Lead.objects.filter(state="DROPPED", end_reason="no e-mail").count()
    assert [len(payload["people"]) for _, payload in groups] == [10, 10, 5 - without]
    assert not JobRow.objects.filter(kind="find").exclude(pk=job.pk).exists()
    assert [call["path"] for call in calls_of(sandbox)] == ["/mixed_people/api_search"]
    assert (the_call(job).outcome, the_call(job).http_status, the_call(job).credits) == ("success", 200, 0)


def test_find_asks_for_the_next_page_while_there_is_room() -> None:
    job = make_job(make_campaign(search=SEARCH, max_leads=150), kind="find", part=1)
    work(job)
    assert list(JobRow.objects.filter(kind="find").order_by("part").values_list("part", flat=True)) == [1, 2]
    work(JobRow.objects.get(kind="find", part=2))
    revealed = sum(len(reveal.payload["people"]) for reveal in JobRow.objects.filter(kind="reveal"))
    assert revealed + Lead.objects.filter(state="DROPPED", end_reason="no e-mail").count() == 150


def test_nobody_is_revealed_twice_although_pages_shift() -> None:
    campaign = make_campaign(search=SEARCH, max_leads=200)
    make_lead(campaign, apollo_id="a lead")
    make_lead(apollo_id="a lead of another")
    make_job(campaign, kind="reveal", part=100, payload={"people": ["asked for", "somebody"]})
    make_job(kind="reveal", part=100, payload={"people": ["asked for elsewhere"]})
    ids = ["a lead", "new", "asked for", "a lead of another", "new", "asked for elsewhere"]
    page = PeoplePage(
        total=200,
        people=[FoundPerson(name, "", "", "", "", True) for name in ids],
        usage=Usage(),
        request_id="",
        http_status=200,
        limits=None,
    )
    job = make_job(campaign, kind="find", part=2)
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    jobs.complete(held, find.after_page(held, page), None)
    new = JobRow.objects.get(campaign=campaign, kind="reveal", part=200)
    assert new.payload == {"people": ["new", "a lead of another", "asked for elsewhere"]}


def test_a_page_of_nobody_new_makes_no_reveal_job() -> None:
    campaign = make_campaign(search=SEARCH)
    for ids in ([], ["a lead"]):
        make_lead(campaign, apollo_id="".join(ids) or "a lead of its own")
        assert find.new_people(campaign, ids) == []


def test_reveal_makes_a_lead_of_each_person_with_an_end_for_those_without_an_address(sandbox: Sandbox) -> None:
    ids = [people.person(number).id for number in range(10)]
    job = make_job(make_campaign(), kind="reveal", part=100, payload={"people": ids})
    assert work(job) == "completed"
    leads = {lead.apollo_id: lead for lead in Lead.objects.all()}
    assert set(leads) == set(ids)
    for number in range(10):
        known, lead = people.person(number), leads[people.person(number).id]
        assert (lead.state == "OPEN") == bool(known.matched and known.email), (known, lead)
        if lead.state == "OPEN":
            assert lead.email == known.email
        else:
            assert (lead.state, lead.email) == ("DROPPED", None)
            assert lead.end_reason in ("no e-mail", "not matched by Apollo")
    assert the_call(job).credits == calls_of(sandbox)[0]["charged"] > 0
    assert feed.feed() == sum(lead.state == "OPEN" for lead in leads.values())


def test_a_person_revealed_at_an_address_that_is_there_is_dropped_as_a_duplicate() -> None:
    somebody = next(p for p in map(people.person, range(100)) if p.email and p.matched)
    campaign = make_campaign()
    make_lead(campaign, email=somebody.email)
    work(make_job(campaign, kind="reveal", payload={"people": [somebody.id]}))
    lead = Lead.objects.get(apollo_id=somebody.id)
    assert (lead.state, lead.end_reason, lead.email) == ("DROPPED", "duplicate address", None)


def test_a_suppressed_person_is_revealed_as_dropped() -> None:
    somebody = next(p for p in map(people.person, range(100)) if p.email and p.matched)
    assert somebody.email is not None
    suppression.suppress([somebody.email], "asked us to", ANN)
    work(make_job(make_campaign(), kind="reveal", payload={"people": [somebody.id]}))
    lead = Lead.objects.get()
    assert (lead.state, lead.end_reason, lead.email) == ("DROPPED", "suppressed", None)


def test_prepare_makes_the_target_once_even_if_its_answer_is_lost(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id="")
    job = make_job(campaign, kind="prepare")
    assert work(job) == "completed"
    campaign.refresh_from_db()
    first = campaign.instantly_campaign_id
    assert first
    # As if the answer had been lost on its way to us: the job is run again under another number.
    Campaign.objects.update(instantly_campaign_id="")
    JobRow.objects.update(status="PENDING", completed_at=None)
    assert work(job) == "completed"
    campaign.refresh_from_db()
    assert campaign.instantly_campaign_id == first
    made = [call for call in calls_of(sandbox) if (call["method"], call["path"]) == ("POST", "/api/v2/campaigns")]
    assert len(made) == 1


def test_prepare_makes_nothing_where_there_is_a_target(sandbox: Sandbox) -> None:
    job = make_job(make_campaign(), kind="prepare")
    assert work(job) == "completed"
    assert (job.without_call, calls_of(sandbox)) == (True, [])


@pytest.mark.parametrize(
    ("tag", "state", "reason", "follows", "credits"),
    [
        ("ok", "OPEN", "", ["research"], 1),
        ("catch_all", "DROPPED", "undeliverable: catch_all", [], 0),
        ("unknown", "DROPPED", "undeliverable: unknown", [], 0),
        ("disposable", "DROPPED", "undeliverable: disposable", [], 1),
        ("invalid", "DROPPED", "undeliverable: invalid", [], 1),
    ],
)
def test_verify_lets_only_a_deliverable_address_go_on(
    tag: str, state: str, reason: str, follows: list[str], credits: int
) -> None:
    job = verify_job(f"ida+{tag}@acme.example")
    assert work(job) == "completed"
    lead = Lead.objects.get()
    assert (lead.verdict, lead.state, lead.end_reason) == (tag, state, reason)
    assert next_kinds(job) == follows
    assert the_call(job).credits == credits
    assert KnownFact.objects.filter(about=lead.email).exclude(value=None).exists() == (tag != "unknown")


def test_research_write_and_push_carry_one_lead_to_its_end(sandbox: Sandbox) -> None:
    lead = make_lead(make_campaign(instantly_campaign_id=TARGET), stage="research", verdict="ok")
    job = make_job(kind="research", lead=lead)
    for kind, service in (("research", "perplexity"), ("write", "openai"), ("push", "instantly")):
        job = JobRow.objects.get(kind=kind)
        assert (job.service, work(job)) == (service, "completed")
    lead.refresh_from_db()
    assert (lead.state, lead.stage, lead.end_reason) == ("PUSHED", "push", "")
    assert lead.research
    assert lead.sources
    assert lead.mail_subject
    assert lead.mail_body
    assert lead.instantly_lead_id
    for call in VendorCall.objects.filter(kind__in=["research", "write"]):
        assert call.tokens_in > 0
        assert call.tokens_out > 0
        assert call.cost_usd > 0
        assert call.request_id
    assert the_call(job).credits == 1
    bill = sandbox.ledger.bill()
    assert [bill[service]["charged"] for service in SERVICES] == [0, 0, 1, 1, 1]


def test_a_push_waits_for_its_target() -> None:
    job = make_job(make_campaign(instantly_campaign_id=""), kind="push")
    assert work(job) == "not yet"
    assert (job.status, job.attempts) == ("PENDING", 0)
    assert timedelta() < job.run_at - timezone.now() < timedelta(seconds=3)


def test_a_push_that_is_repeated_counts_as_pushed_and_is_charged_once(sandbox: Sandbox) -> None:
    job = make_job(make_campaign(instantly_campaign_id=TARGET), kind="push")
    assert work(job) == "completed"
    Lead.objects.update(state="OPEN", ended_at=None)
    JobRow.objects.update(status="PENDING", completed_at=None)
    assert work(job) == "completed"
    assert Lead.objects.get().state == "PUSHED"
    assert sandbox.ledger.bill()["instantly"]["charged"] == 1
    assert sum(VendorCall.objects.values_list("credits", flat=True)) == 1


def test_whoever_was_suppressed_meanwhile_is_not_pushed(sandbox: Sandbox) -> None:
    job = make_job(make_campaign(instantly_campaign_id=TARGET), kind="push")
    suppression.suppress(["acme.example"], "customer", ANN)
    assert work(job) == "nothing"
    lead = Lead.objects.get()
    assert (lead.state, lead.end_reason) == ("DROPPED", "suppressed")
    assert (job.status, calls_of(sandbox), VendorCall.objects.count()) == ("CANCELLED", [], 0)


@pytest.mark.parametrize("kind", ["verify", "research", "write", "push"])
@pytest.mark.parametrize("listed", ["ida@eu.acme.example", "eu.acme.example", "acme.example", "ida.locke@home.example"])
def test_a_suppressed_lead_has_no_call_of_any_kind(sandbox: Sandbox, kind: str, listed: str) -> None:
    lead = make_lead(
        email="ida@eu.acme.example", stage=kind, data={"other_emails": "x@y.example, ida.locke@home.example"}
    )
    job = make_job(kind=kind, lead=lead)
    # The row alone, as if the lead had been imported while somebody listed the value.
    Suppression.objects.create(value=listed)
    assert work(job) == "completed"
    lead.refresh_from_db()
    assert (lead.state, lead.end_reason) == ("DROPPED", "suppressed")
    assert (job.status, job.without_call, calls_of(sandbox), VendorCall.objects.count()) == ("COMPLETED", True, [], 0)
    assert reconcile() == []


def test_a_colleague_of_a_suppressed_address_goes_on(sandbox: Sandbox) -> None:
    job = make_job(kind="verify", lead=make_lead(email="tom+ok@acme.example", stage="verify"))
    for value in ("ida@acme.example", "eu.acme.example", "notacme.example"):
        Suppression.objects.create(value=value)
    assert work(job) == "completed"
    assert (job.without_call, next_kinds(job)) == (False, ["research"])


@races
def test_whoever_is_suppressed_while_a_call_is_made_has_no_further_one(sandbox: Sandbox, monkeypatch: Any) -> None:
    job = make_job(kind="verify", lead=make_lead(email="ida+ok@acme.example", stage="verify"))
    ask = millionverifier.verify

    def and_be_suppressed(email: str) -> Any:
        answer = ask(email)
        assert at_once(lambda: suppression.suppress(["acme.example"], "a customer", ANN).leads) == [1]
        return answer

    monkeypatch.setattr(millionverifier, "verify", and_be_suppressed)
    assert work(job) == "completed"
    assert job.lead
    job.lead.refresh_from_db()
    assert (job.lead.state, job.lead.end_reason, job.lead.verdict) == ("DROPPED", "suppressed", "ok")
    assert (next_kinds(job), VendorCall.objects.count()) == ([], 1)


@races
def test_a_job_that_a_completion_inserts_while_its_lead_is_suppressed_is_cancelled() -> None:
    job = make_job(kind="verify", status="PROCESSING", lead=make_lead(email="ida+ok@acme.example", stage="verify"))
    with transaction.atomic():
        assert jobs.complete(job, jobs.Done(lead={"verdict": "ok"}, next_kind="research"), None)
        beside = Beside(lambda: suppression.suppress(["acme.example"], "a customer", ANN).leads)
        beside.until_it_waits()
    assert beside.result() == 1
    assert list(JobRow.objects.order_by("id").values_list("kind", "status")) == [
        ("verify", "COMPLETED"),
        ("research", "CANCELLED"),
    ]


@races
def test_a_claim_is_committed_before_the_suppression_that_waits_for_it_or_not_at_all() -> None:
    job = make_job(kind="push", lead=make_lead(email="ida@acme.example", stage="push"))
    with transaction.atomic():
        assert jobs.claim(job.pk, "instantly", "host:1")
        beside = Beside(lambda: suppression.suppress(["acme.example"], "a customer", ANN).leads)
        beside.until_it_waits()
    assert beside.result() == 1
    job.refresh_from_db()
    assert job.status == "PROCESSING"  # in flight: its worker finishes and books it
    assert jobs.hand_back(job)
    again = jobs.claim(job.pk, "instantly", "host:1")
    assert again
    assert again.suppressed


def test_a_verdict_that_is_remembered_is_not_bought_again(sandbox: Sandbox) -> None:
    make_verdict("ida+ok@acme.example", "ok", bought_at=ago(29 * 24 * 3600))
    job = verify_job()
    assert work(job) == "completed"
    assert (job.without_call, next_kinds(job)) == (True, ["research"])
    assert (calls_of(sandbox), VendorCall.objects.count()) == ([], 0)
    assert reconcile() == []


def test_a_verdict_that_is_too_old_is_asked_again(sandbox: Sandbox) -> None:
    make_verdict("ida+ok@acme.example", "invalid", bought_at=ago(31 * 24 * 3600))
    job = verify_job()
    assert work(job) == "completed"
    assert len(calls_of(sandbox)) == 1
    assert KnownFact.objects.get().value == {"result": "ok", "subresult": "ok"}


def test_a_rejected_mail_is_written_once_more_and_then_a_person_must_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "check_mail", lambda *_: ["The mail contains markup: <b>."])
    job = make_job(kind="write")
    assert work(job) == "rejected"
    assert (job.status, job.attempts, job.error) == ("PENDING", 1, "Mail rejected: The mail contains markup: <b>.")
    JobRow.objects.update(run_at=ago(1))
    assert work(job) == "rejected"
    assert (job.status, job.attempts) == ("FAILED", 2)
    assert Lead.objects.get().state == "FAILED"
    assert list(VendorCall.objects.values_list("outcome", flat=True)) == ["success", "success"]
    assert stored("openai")["failure_count"] == "0"


# --- the gate ---------------------------------------------------------------------------------------------------------


def refused(job: JobRow, reason: str, sandbox: Sandbox) -> None:
    """The gate refuses, nothing is spent, nothing reaches a vendor, nothing is booked."""
    assert work(job) == f"refused: {reason}"
    assert (job.status, job.attempts, job.crashes, job.lease_until, job.sent_at) == ("PENDING", 0, 0, None, None)
    assert (calls_of(sandbox), VendorCall.objects.count()) == ([], 0)


def test_a_paused_queue_refuses(sandbox: Sandbox) -> None:
    pauses.pause("millionverifier", actor=ANN, reason="x")
    refused(verify_job(sent_at=ago(1)), "paused", sandbox)


def test_the_system_pause_refuses_every_service(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    trip_and_die(monkeypatch, "openai")  # its cascade has not come yet: the campaign still runs
    refused(verify_job(), "paused", sandbox)


def test_an_open_breaker_refuses(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    trip_and_die(monkeypatch, "millionverifier")
    refused(verify_job(), "open", sandbox)


def test_a_lost_breaker_refuses(sandbox: Sandbox) -> None:
    switch.client().delete("circuit_breaker:millionverifier")
    refused(verify_job(), "lost", sandbox)


def test_an_unreachable_switch_refuses(sandbox: Sandbox) -> None:
    with away("REDIS_SWITCH_URL"):
        refused(verify_job(), "unreachable", sandbox)
    assert Campaign.objects.get().status == "RUNNING"


def test_the_rate_refuses_until_an_instant(sandbox: Sandbox, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "millionverifier": parse("1/60")}
    assert work(verify_job("first+ok@acme.example")) == "completed"
    job = verify_job()
    assert work(job) == "refused: rate"
    assert (job.status, job.attempts) == ("PENDING", 0)
    assert timedelta(seconds=30) < job.run_at - timezone.now() < timedelta(seconds=61)
    assert len(calls_of(sandbox)) == 1


def test_a_permit_that_grew_old_is_not_used(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a connection is made for it: a vendor that is away must not count a call that was never due."""
    deadline.adapter.poolmanager.clear()
    dialled: list[Any] = []
    monkeypatch.setattr(deadline.DeadlineSocket, "connect", lambda self, address: dialled.append(address))
    monkeypatch.setattr(gate, "PERMIT_SECONDS", -1.0)
    refused(verify_job(), "late", sandbox)
    assert dialled == []
    assert switch.read_all().gates["millionverifier"].in_flight == 0


@races
def test_a_call_that_takes_long_to_connect_does_not_arrive_after_an_opening(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline.adapter.poolmanager.clear()
    monkeypatch.setattr(gate, "PERMIT_SECONDS", 0.3)
    connect = deadline.DeadlineSocket.connect

    def slowly(self: deadline.DeadlineSocket, address: Any) -> None:
        trip("openai")
        time.sleep(0.4)
        connect(self, address)

    monkeypatch.setattr(deadline.DeadlineSocket, "connect", slowly)
    refused(verify_job(), "late", sandbox)
    assert switch.read_all().gates["millionverifier"].in_flight == 0
    assert stored("millionverifier")["failure_count"] == "0"


def test_a_lease_too_short_for_the_call_is_not_used(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE_MARGIN", 29)
    refused(verify_job(), "late", sandbox)
    assert switch.read_all().gates["millionverifier"].in_flight == 0


def test_a_refused_job_of_a_paused_campaign_is_paused_next(sandbox: Sandbox) -> None:
    job = verify_job()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    trip()
    assert shown(job).status == "PROCESSING"  # it is its worker's
    jobs.hand_back(held)
    assert shown(job).status == "PAUSED"


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "failure_type", "http_status"),
    [
        ("server_error", "server_error", 500),
        ("connection_reset", "connection", None),
        ("malformed", "malformed", 200),
        ("html", "malformed", 403),
    ],
)
def test_a_vendors_fault_is_booked_counted_and_retried(
    sandbox: Sandbox, fault: str, failure_type: str, http_status: int | None
) -> None:
    break_vendor(sandbox, "millionverifier", fault)
    job = verify_job()
    happened = work(job)
    call = the_call(job)
    assert happened == f"failed: {call.outcome}"
    assert (call.outcome, call.http_status) == (failure_type, http_status)
    assert call.error == job.error
    assert (job.status, job.attempts, job.failure_type) == ("PENDING", 1, call.outcome)
    assert job.run_at > timezone.now()
    assert stored("millionverifier")["failure_count"] == "1"


def test_a_key_that_is_refused_stops_the_system_and_spends_nothing(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "millionverifier", "bad_key")
    job = verify_job()
    assert work(job) == "failed: auth"
    assert (job.status, job.attempts) == ("PENDING", 0)
    assert Campaign.objects.get().status_message == "System pause: millionverifier circuit breaker opened"
    assert shown(job).status == "PAUSED"
    assert the_call(job).outcome == "auth"


def test_five_failures_in_a_row_pause_everything(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "millionverifier", "server_error")
    campaign = make_campaign()
    queued = [make_job(campaign) for _ in range(7)]
    happened = [work(job) for job in queued]
    assert happened == ["failed: server_error"] * 5 + ["nothing"] * 2
    assert len(calls_of(sandbox)) == 5
    assert reconcile() == []


def test_an_unfit_request_fails_and_is_neither_failure_nor_success(sandbox: Sandbox) -> None:
    gate.record_failure("apollo", "HTTP 503", "server_error")
    job = make_job(make_campaign(search=SEARCH), kind="find", part=501)  # Apollo shows 500 pages
    assert work(job) == "failed: invalid_request"
    assert (job.status, the_call(job).outcome) == ("FAILED", "invalid_request")
    assert stored()["failure_count"] == "1"


def test_a_target_that_is_gone_pauses_its_campaign_and_fails_no_lead(sandbox: Sandbox) -> None:
    gone = "3f0c0c6e-0000-4000-8000-000000000000"
    campaign, other = make_campaign(instantly_campaign_id=gone), make_campaign()
    job, second = (make_job(campaign, kind="push") for _ in range(2))
    assert [work(job), work(second)] == ["campaign paused", "nothing"]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.operator_paused_by) == ("PAUSED", "worker")
    assert f"Instantly has no campaign {gone}" in campaign.status_message
    assert (job.status, job.attempts, the_call(job).outcome) == ("PENDING", 0, "invalid_request")
    assert set(Lead.objects.values_list("state", flat=True)) == {"OPEN"}
    assert Campaign.objects.get(pk=other.pk).status == "RUNNING"
    assert reconcile() == []


# --- our own bugs -----------------------------------------------------------------------------------------------------


def not_counted(service: str = "millionverifier") -> bool:
    state = switch.read_all()
    return state.breakers[service].failure_count == 0 and state.gates[service].in_flight == 0


def broken(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("our own bug")


def test_a_bug_before_the_call_costs_nothing_but_the_jobs_crash(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "verify", broken)
    job = verify_job()
    assert work(job) == "crashed"
    assert (job.status, job.crashes, job.attempts) == ("PENDING", 1, 0)
    assert job.error == "Internal error: ZeroDivisionError"
    assert (VendorCall.objects.count(), calls_of(sandbox), not_counted()) == (0, [], True)


def test_a_bug_in_the_call_is_booked_as_unknown_and_neither_counted_nor_bought_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = millionverifier.verify

    def verify_and_break(email: str) -> Any:
        verify(email)
        broken()

    monkeypatch.setattr(millionverifier, "verify", verify_and_break)
    job = verify_job()
    assert work(job) == "crashed"
    call = the_call(job)
    assert (call.outcome, call.error) == ("unknown", "Internal error: ZeroDivisionError")
    assert (call.may_be_charged, call.may_cost_usd) == (True, Decimal("0.0037"))
    assert (job.status, not_counted()) == ("FAILED", True)
    assert work(job) == "nothing"
    assert len(calls_of(sandbox)) == 1


def test_a_bug_with_a_paid_answer_ends_the_job_and_keeps_the_answer_for_the_next_try(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = verify_job()
    with monkeypatch.context() as patched:
        patched.setattr(verify, "verdict_reached", broken)
        assert work(job) == "crashed"
        call = the_call(job)
        assert (call.outcome, call.credits, calls_of(sandbox)[0]["charged"]) == ("success", Decimal(1), 1)
        assert (job.status, job.error, not_counted()) == ("FAILED", "Internal error: ZeroDivisionError", True)
        assert work(job) == "nothing"
        assert lifecycle.retry_failed(job.campaign_id, actor=ANN) == 1
        assert work(job) == "crashed"  # not mended yet
    assert lifecycle.retry_failed(job.campaign_id, actor=ANN) == 1
    assert work(job) == "completed"
    assert (job.status, job.payload, Lead.objects.get().verdict) == ("COMPLETED", {}, "ok")
    assert (len(calls_of(sandbox)), VendorCall.objects.count(), reconcile()) == (1, 1, [])


def test_a_statement_that_always_fails_is_our_own_bug_and_is_not_repeated_until_the_lease_ends(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def divide_by_zero(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    def wait(seconds: float) -> None:
        pytest.fail("it waits for PostgreSQL, which is well")

    monkeypatch.setattr(reveal, "add_leads", divide_by_zero)
    monkeypatch.setattr("workers.run.time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    job = make_job(make_campaign(search=SEARCH), kind="reveal", part=1, payload={"people": [people.person(1).id]})
    assert work(job) == "crashed"
    assert (job.status, job.error, the_call(job).outcome) == ("FAILED", "Internal error: DataError", "success")


@pytest.mark.parametrize("kind", ["find", "reveal", "research", "write", "push"])
def test_every_kind_of_answer_can_be_kept(kind: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign(search=SEARCH, max_leads=10, instantly_campaign_id=TARGET)
    people_asked_for = {"people": [people.person(number).id for number in range(3)]}
    job = make_job(campaign, kind=kind, part=1, payload=people_asked_for if kind == "reveal" else {})
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "complete", broken)
        assert work(job) == "crashed"
    assert (job.status, the_call(job).outcome) == ("FAILED", "success")
    lifecycle.retry_failed(campaign.pk, actor=ANN)
    assert work(job) == "completed"
    assert len(calls_of(sandbox)) == 1
    assert "answer" not in job.payload


def test_a_job_that_keeps_crashing_us_is_poison_and_takes_nobody_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, "verify", broken)
    job = verify_job()
    for _ in range(3):
        JobRow.objects.update(run_at=ago(1))
        work(job)
    assert (job.status, job.error) == ("FAILED", "Poison: Internal error: ZeroDivisionError")
    assert Lead.objects.get().state == "FAILED"


# --- stores that go away in the middle --------------------------------------------------------------------------------


@races
def test_a_paid_answer_is_saved_although_postgresql_cut_us_off_meanwhile(sandbox: Sandbox) -> None:
    job = verify_job()
    break_vendor(sandbox, "millionverifier", "none", latency_ms=300)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def cut_off() -> None:
        until = time.monotonic() + 20
        while not calls_of(sandbox):
            assert time.monotonic() < until
            time.sleep(0.01)
        with another_session() as session:
            session.execute("SELECT pg_terminate_backend(%s)", [pid])

    cutter = threading.Thread(target=cut_off)
    cutter.start()
    assert run(job.pk, job.service) == "completed"
    cutter.join(20)
    job.refresh_from_db()
    assert (job.status, the_call(job).outcome, Lead.objects.get().verdict) == ("COMPLETED", "success", "ok")
    assert len(calls_of(sandbox)) == 1


@races
def test_a_failure_is_booked_although_postgresql_cut_us_off_meanwhile(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_vendor(sandbox, "millionverifier", "server_error")
    verify = millionverifier.verify

    def verify_and_cut_off(email: str) -> Any:
        connection.connection.close()
        return verify(email)

    monkeypatch.setattr(millionverifier, "verify", verify_and_cut_off)
    job = verify_job()
    policies.policy_of("millionverifier")
    assert work(job) == "failed: server_error"
    assert (job.status, job.attempts, the_call(job).outcome) == ("PENDING", 1, "server_error")


@races
def test_when_the_lease_ends_before_postgresql_comes_back_the_job_is_left_to_the_reclaimer(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    job = verify_job()
    verify = millionverifier.verify

    def verify_and_lose_postgresql(email: str) -> Any:
        answer = verify(email)
        connections.close_all()
        connection.settings_dict["PORT"], kept["port"] = "1", connection.settings_dict["PORT"]
        later = time.monotonic() + 1000
        monkeypatch.setattr("workers.run.time", SimpleNamespace(monotonic=lambda: later, sleep=wait))
        return answer

    def wait(seconds: float) -> None:
        pytest.fail("it waits for PostgreSQL longer than its lease lasts")

    kept: dict[str, Any] = {}
    monkeypatch.setattr(millionverifier, "verify", verify_and_lose_postgresql)
    try:
        assert run(job.pk, job.service) == "postgresql is away"
    finally:
        connection.settings_dict["PORT"] = kept["port"]
        monkeypatch.undo()
        connection.close()
    job.refresh_from_db()
    assert (job.status, VendorCall.objects.count()) == ("PROCESSING", 0)
    assert len(calls_of(sandbox)) == 1


def test_a_paid_answer_is_saved_although_redis_is_gone_when_it_comes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = millionverifier.verify
    gone = away("REDIS_SWITCH_URL")

    def verify_and_lose_redis(email: str) -> Any:
        answer = verify(email)
        gone.__enter__()
        return answer

    monkeypatch.setattr(millionverifier, "verify", verify_and_lose_redis)
    job = verify_job()
    try:
        assert work(job) == "completed"
    finally:
        gone.__exit__(None, None, None)
        forget_servers()
    assert (job.status, the_call(job).outcome, next_kinds(job)) == ("COMPLETED", "success", ["research"])


# --- twice ------------------------------------------------------------------------------------------------------------


def test_a_doubled_message_does_nothing(sandbox: Sandbox) -> None:
    job = verify_job()
    assert [run(job.pk, job.service) for _ in range(3)] == ["completed", "nothing", "nothing"]
    assert (len(calls_of(sandbox)), VendorCall.objects.count()) == (1, 1)


@races
def test_messages_doubled_at_once_make_one_call(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "millionverifier", "none", latency_ms=50)
    job = verify_job()
    happened = at_once(*([lambda: run(job.pk, job.service)] * 6))
    assert sorted(happened) == ["completed"] + ["nothing"] * 5
    assert len(calls_of(sandbox)) == 1


def test_a_worker_that_comes_back_late_books_what_it_bought_and_nothing_else(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = millionverifier.verify

    def verify_and_be_reclaimed(email: str) -> Any:
        answer = verify(email)
        held = JobRow.objects.get(pk=job.pk)
        jobs.claim_lost(held, call=jobs.Call(timezone.now(), "unknown"), crashed=True, message="died")
        return answer

    job = verify_job()
    monkeypatch.setattr(millionverifier, "verify", verify_and_be_reclaimed)
    work(job)
    assert (job.status, the_call(job).fence, Lead.objects.get().verdict) == ("PENDING", job.fence, "")
    assert (the_call(job).outcome, the_call(job).credits) == ("success", 1)


# --- what a job costs -------------------------------------------------------------------------------------------------


@pytest.fixture
def redis_commands(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every packet that goes to Redis."""
    packets: list[Any] = []
    really = AbstractConnection.send_packed_command

    def count(self: Any, command: Any, *rest: Any, **options: Any) -> Any:
        packets.append(command)
        return really(self, command, *rest, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", count)
    return packets


@pytest.mark.parametrize(
    ("kind", "statements"), [("verify", 16), ("research", 9), ("write", 9), ("push", 9), ("find", 10)]
)
def test_a_job_takes_few_statements_and_two_trips_to_redis(
    kind: str, statements: int, redis_commands: list[Any], sandbox: Sandbox
) -> None:
    campaign = make_campaign(search=SEARCH, max_leads=10, instantly_campaign_id=TARGET)
    parts: list[dict[str, Any]] = [{"part": 1}, {"part": 2}] if kind == "find" else [{}, {}]
    first, second = (make_job(campaign, kind=kind, **part) for part in parts)
    assert work(first) == "completed"  # scripts, policy and connections are known from now on
    redis_commands.clear()
    with CaptureQueriesContext(connection) as captured:
        happened = run(second.pk, second.service)
    assert happened == "completed"
    assert len(redis_commands) == 2, redis_commands  # admit and record
    sql = [query["sql"] for query in captured]
    assert len(sql) <= statements, "\n".join(sql)


def test_a_stale_message_costs_one_statement_and_no_trip_to_redis(redis_commands: list[Any]) -> None:
    job = verify_job(status="COMPLETED")
    with CaptureQueriesContext(connection) as captured:
        assert run(job.pk, job.service) == "nothing"
    assert (len(captured), redis_commands) == (1, [])


# --- the whole way ----------------------------------------------------------------------------------------------------


def work_off(most: int = 500) -> int:
    """Feed and run jobs until none is due; how many ran."""
    done = 0
    while done < most:
        feed.feed()
        JobRow.objects.filter(status="PENDING").update(run_at=ago(1))
        due = list(JobRow.objects.filter(status="PENDING", campaign__status="RUNNING").values_list("pk", "service"))
        if not due:
            return done
        for pk, service in due:
            run(pk, service)
            done += 1
    raise AssertionError("the work never ends")


def test_a_search_flows_through_all_five_services_and_the_books_equal_the_bill(sandbox: Sandbox) -> None:
    campaign = make_campaign(search=SEARCH, max_leads=12, instantly_campaign_id="")
    work_off()
    assert finish.finish_campaigns() == 1
    campaign.refresh_from_db()
    assert campaign.status == "COMPLETED"
    assert set(Lead.objects.values_list("state", flat=True)) <= {"PUSHED", "DROPPED"}
    assert Lead.objects.filter(state="PUSHED").exists()
    assert reconcile() == []
    bill = sandbox.ledger.bill()
    for service in SERVICES:
        ours = VendorCall.objects.filter(service=service)
        assert ours.count() == bill[service]["calls"], service
        assert bill[service]["keys_charged_more_than_once"] == {}
    for service in ("apollo", "millionverifier", "instantly"):
        paid = sum(VendorCall.objects.filter(service=service).values_list("credits", flat=True))
        assert paid == bill[service]["charged"], service


def test_nothing_that_a_trip_interrupted_is_bought_twice(sandbox: Sandbox) -> None:
    campaign = make_campaign(search=SEARCH, max_leads=6, instantly_campaign_id=TARGET)
    feed.feed()
    for kind in ("find", "reveal", "verify"):
        feed.feed()
        for job in JobRow.objects.filter(kind=kind, status="PENDING"):
            run(job.pk, job.service)
    trip("openai")
    assert work_off() == 0
    breaker.reset("openai", actor=ANN, reason="well again", force=True)
    make_fleet()
    recovery.resume(actor=ANN)
    assert work_off() > 0
    finish.finish_campaigns()
    campaign.refresh_from_db()
    assert campaign.status == "COMPLETED"
    assert reconcile() == []
    assert [sandbox.ledger.bill()[service]["keys_charged_more_than_once"] for service in SERVICES] == [{}] * 5
