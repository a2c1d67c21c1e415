"""What no webhook told is found by asking Instantly, whatever is paused; who is suppressed is blocked there."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.db import connection
from django.utils import timezone

from campaigns import apply_outcomes, lifecycle
from campaigns.leads.suppression import suppress
from campaigns.models import Campaign, JobRow, Lead, OutcomeEvent, Suppression
from campaigns.outcome_intake import store, told_by_webhook
from circuitbreakers import gate, switch
from circuitbreakers.events import Actor
from circuitbreakers.rates import parse
from integrations import instantly
from integrations import instantly_outcomes as vendor
from integrations.sandbox import Sandbox
from tests.breakers import trip
from tests.builders import ago, make_call, make_campaign, make_job, make_lead
from tests.stores import another_session, break_vendor, calls_of
from tests.workers.chain import job_of
from workers import ask_instantly, block_list, free_calls, reconcile_outcomes
from workers.ask_instantly import LOCK, Asked, ask
from workers.reconcile_outcomes import reconcile
from workers.run import run

pytestmark = pytest.mark.django_db
OLGA = Actor("olga", "admin")
IDA, TOM = "ida@acme.example", "tom@acme.example"


@pytest.fixture(autouse=True)
def begins_anew(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody has asked yet, and what is outside of the gate waits for nobody."""
    monkeypatch.setattr(free_calls, "APART", 0)
    Asked.at = -1e9
    reconcile_outcomes._asked_for_sent.clear()
    block_list._refused.clear()
    yield
    block_list._refused.clear()


@pytest.fixture
def campaign(sandbox: Sandbox) -> Campaign:
    """A campaign that has just pushed two people into a target of its own."""
    target = instantly.create_campaign("Autumn")
    made = make_campaign(instantly_campaign_id=target)
    for email in (IDA, TOM):
        assert instantly.push(campaign_id=target, lead={"email": email}).outcome == "pushed"
        make_call(make_job(kind="push", status="COMPLETED", lead=make_lead(made, state="PUSHED", email=email)))
    return made


def happens(sandbox: Sandbox, event: str, email: str = IDA) -> None:
    """That event happens at Instantly, and no webhook tells it."""
    answer = requests.post(f"{sandbox.url}/_control/instantly/emit", json={"event": event, "email": email}, timeout=5)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("event", "column", "cause"),
    [
        ("email_sent", "sent_at", None),
        ("email_bounced", "bounced_at", "bounced"),
        ("lead_unsubscribed", "unsubscribed_at", "unsubscribed"),
        ("reply_received", "replied_at", None),
        ("lead_not_interested", None, "not_interested"),
        ("lead_wrong_person", None, "wrong_person"),
    ],
)
def test_what_no_webhook_told_is_found_and_applied(
    sandbox: Sandbox, campaign: Campaign, event: str, column: str | None, cause: str | None
) -> None:
    happens(sandbox, event)
    assert reconcile() == 1
    row = OutcomeEvent.objects.get()
    assert (row.source, row.kind, row.email, row.target) == (
        *("reconciliation", event, IDA),
        campaign.instantly_campaign_id,
    )
    assert apply_outcomes.apply() == 1
    ida = Lead.objects.get(email=IDA)
    assert column is None or getattr(ida, column) is not None
    assert list(Suppression.objects.values_list("value", "cause")) == ([(IDA, cause)] if cause else [])


@pytest.mark.parametrize("event", ["auto_reply_received", "lead_out_of_office", "email_opened", "lead_interested"])
def test_what_has_no_effect_is_not_asked_for(sandbox: Sandbox, campaign: Campaign, event: str) -> None:
    happens(sandbox, event)
    assert reconcile() == 0


@pytest.mark.parametrize("applied", [True, False])
def test_what_the_webhook_told_is_not_told_again(sandbox: Sandbox, campaign: Campaign, applied: bool) -> None:
    happens(sandbox, "lead_unsubscribed")
    target = campaign.instantly_campaign_id
    store([told_by_webhook({"event_type": "lead_unsubscribed", "lead_email": IDA, "campaign_id": target})])
    assert not applied or apply_outcomes.apply() == 1
    assert reconcile() == 0
    assert reconcile() == 0


def test_a_bounce_that_an_operator_lifted_is_not_suppressed_again(sandbox: Sandbox, campaign: Campaign) -> None:
    happens(sandbox, "email_bounced")
    assert (reconcile(), apply_outcomes.apply()) == (1, 1)
    Suppression.objects.all().delete()
    assert (reconcile(), apply_outcomes.apply()) == (0, 0)


def test_every_page_is_read(sandbox: Sandbox, campaign: Campaign) -> None:
    target = campaign.instantly_campaign_id
    emails = [f"p{number}@acme.example" for number in range(230)]
    for start in range(0, len(emails), 100):
        leads = [{"email": email} for email in emails[start : start + 100]]
        body = {"campaign_id": target, "leads": leads}
        vendor._call("POST", "/api/v2/leads/add", json=body)
    for email in emails:
        happens(sandbox, "email_bounced", email)
    assert reconcile() == 230
    assert reconcile() == 0


def test_it_works_while_the_breaker_is_open_and_leaves_it_as_it_is(sandbox: Sandbox, campaign: Campaign) -> None:
    trip("instantly")
    happens(sandbox, "lead_unsubscribed")
    assert reconcile() == 1
    assert switch.read("instantly").state == "open"


def test_neither_success_nor_failure_is_counted_by_the_breaker(sandbox: Sandbox, campaign: Campaign) -> None:
    gate.record_failure("instantly", "HTTP 503", "server_error")
    assert reconcile() == 0
    assert switch.read("instantly").failure_count == 1
    break_vendor(sandbox, "instantly", "server_error")
    for _ in range(7):
        assert reconcile() == 0
    assert (switch.read("instantly").state, switch.read("instantly").failure_count) == ("closed", 1)


def test_a_failure_is_logged_and_asked_again_next_time(
    sandbox: Sandbox, campaign: Campaign, caplog: pytest.LogCaptureFixture
) -> None:
    happens(sandbox, "lead_unsubscribed")
    break_vendor(sandbox, "instantly", "server_error")
    with caplog.at_level(logging.WARNING):
        assert reconcile() == 0
    assert f"Outcomes of target {campaign.instantly_campaign_id} not read" in caplog.text
    break_vendor(sandbox, "instantly", "none")
    assert reconcile() == 1


def test_the_rate_of_the_service_is_kept(sandbox: Sandbox, campaign: Campaign, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "instantly": parse("1/3600")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(free_calls, "LONGEST_WAIT", 0.1)
        before = len(calls_of(sandbox, "instantly"))
        assert reconcile() == 0
    assert len(calls_of(sandbox, "instantly")) - before == 1


def test_who_has_not_pushed_for_ninety_days_is_not_asked_about(sandbox: Sandbox, campaign: Campaign) -> None:
    assert reconcile_outcomes.targets(timezone.now()) == [campaign.instantly_campaign_id]
    campaign.calls.update(admitted_at=ago(91 * 86_400))
    assert reconcile_outcomes.targets(timezone.now()) == []


def test_a_former_target_is_asked_as_well(sandbox: Sandbox, campaign: Campaign) -> None:
    former = campaign.instantly_campaign_id
    lifecycle.retarget(campaign.pk, target="gone", actor=OLGA)
    assert reconcile_outcomes.targets(timezone.now()) == sorted([former, "gone"])
    happens(sandbox, "reply_received")
    assert reconcile() == 1  # the present target is not there, which harms nobody
    apply_outcomes.apply()
    assert Lead.objects.get(email=IDA).outcome == "REPLIED"


# --- the block list ---------------------------------------------------------------------------------------------------


def blocked(sandbox: Sandbox) -> set[str]:
    """What Instantly's own list holds."""
    answer = vendor._call("GET", "/api/v2/block-lists-entries", params=[("limit", 100)])
    return {item["bl_value"] for item in (answer.body or {})["items"]}


def test_who_is_suppressed_is_blocked_once(sandbox: Sandbox) -> None:
    suppress([IDA, "birch.example"], "asked us", OLGA)
    assert block_list.block() == 2
    assert blocked(sandbox) == {IDA, "birch.example"}
    assert Suppression.objects.filter(blocked_at=None).count() == 0
    assert block_list.block() == 0


def test_they_go_by_the_thousand(sandbox: Sandbox) -> None:
    suppress([f"p{number}@acme.example" for number in range(2100)], "", OLGA)
    before = len(calls_of(sandbox, "instantly"))
    assert block_list.block() == 2100
    assert len(calls_of(sandbox, "instantly")) - before == 3


def test_of_an_erased_person_nothing_is_sent(sandbox: Sandbox) -> None:
    Suppression.objects.create(value="5f2a" * 16, cause=Suppression.Cause.ERASED)
    assert (block_list.waiting().exists(), block_list.block()) == (False, 0)


def test_one_value_that_is_refused_holds_up_no_other(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    suppress([f"p{number}@acme.example" for number in range(9)], "", OLGA)
    bad = Suppression.objects.create(value="no address at all")
    assert block_list.block() == 9
    assert list(Suppression.objects.filter(blocked_at=None)) == [bad]
    assert f"Suppression {bad.pk} is not taken" in caplog.text
    assert not block_list.waiting().exists()


def test_after_a_failure_the_rest_goes_next_time(sandbox: Sandbox) -> None:
    suppress([IDA], "", OLGA)
    break_vendor(sandbox, "instantly", "server_error")
    assert block_list.block() == 0
    break_vendor(sandbox, "instantly", "none")
    assert block_list.block() == 1


# --- the step ---------------------------------------------------------------------------------------------------------


def test_the_step_asks_beside_the_loop_and_every_fifteen_minutes(sandbox: Sandbox, campaign: Campaign) -> None:
    begun: list[Any] = []
    ask_instantly.start(begun.append)
    assert len(begun) == 1
    happens(sandbox, "lead_unsubscribed")
    begun[0]()
    assert OutcomeEvent.objects.count() == 1
    ask_instantly.start(begun.append)
    assert len(begun) == 1
    apply_outcomes.apply()
    ask_instantly.start(begun.append)  # there is somebody to block
    assert len(begun) == 2
    begun[1]()
    assert blocked(sandbox) == {IDA}
    Asked.at -= ask_instantly.RECONCILE_EVERY
    ask_instantly.start(begun.append)
    assert len(begun) == 3


def test_nothing_is_begun_for_a_house_that_has_pushed_nothing() -> None:
    begun: list[Any] = []
    ask_instantly.start(begun.append)
    assert begun == []


def test_one_supervisor_at_a_time_asks(sandbox: Sandbox, campaign: Campaign) -> None:
    happens(sandbox, "lead_unsubscribed")
    with another_session() as session:
        session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        ask()
        assert OutcomeEvent.objects.count() == 0
        session.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    ask()
    assert OutcomeEvent.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [LOCK])
        assert cursor.fetchone() == (0,)


# --- who replied ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["millionverifier", "perplexity", "openai", "instantly"])
def test_nothing_is_bought_for_a_lead_that_ended_while_its_job_waited(sandbox: Sandbox, service: str) -> None:
    job = job_of(service, email=IDA)
    Lead.objects.filter(email=IDA).update(state="DROPPED", end_reason="replied", ended_at=timezone.now())
    assert run(job.pk, service) == "completed"
    assert calls_of(sandbox) == []
    assert JobRow.objects.get(pk=job.pk).without_call
    assert Lead.objects.get(email=IDA).state == "DROPPED"


def test_a_push_that_was_under_way_when_the_person_replied_is_a_push(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of("instantly", email=IDA)
    sent = instantly.push

    def push_and_hear(**what: Any) -> Any:
        answer = sent(**what)
        store([told_by_webhook({"event_type": "reply_received", "lead_email": IDA, "campaign_id": "another"})])
        assert apply_outcomes.apply() == 1
        assert Lead.objects.get(email=IDA).state == "DROPPED"
        return answer

    monkeypatch.setattr(instantly, "push", push_and_hear)
    assert run(job.pk, "instantly") == "completed"
    assert Lead.objects.get(email=IDA).state == "PUSHED"
