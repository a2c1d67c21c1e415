"""What is older than its retention goes; money, counts and whoever may be written to are the same before and after."""

import io
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from campaigns import lifecycle, spend, tallies
from campaigns.models import (
    Campaign,
    Contact,
    JobRow,
    KnownFact,
    Lead,
    OutcomeEvent,
    PrunedCalls,
    PrunedJobs,
    VendorCall,
)
from campaigns.moves import MoveRefused
from campaigns.pruning import jobs
from campaigns.pruning.run import KINDS, PruneRefused, cutoff, foretell, prune
from campaigns.reconcile import reconcile
from circuitbreakers.models import Event
from tests.breakers import ANN, reset, trip
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_lead, make_verdict
from tests.stores import another_session

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]

NOW = timezone.now()
LONG_AGO = NOW - timedelta(days=1000)
ALL = list(KINDS)


def no_rest(seconds: float) -> None:
    """Go on at once."""


def pruned(*kinds: str, **details: Any) -> dict[str, int]:
    result = prune(list(kinds) or ALL, actor=ANN, rest=no_rest, **details)
    return {kind: number for kind, number in result.rows.items() if number}


def ended_campaign(at: datetime = LONG_AGO, leads: int = 3, status: str = "COMPLETED", **fields: Any) -> Campaign:
    """A campaign whose leads were all pushed, with every call booked, one of them failed and one unanswered."""
    campaign = make_campaign(status, started_at=at, finished_at=at, **fields)
    for _ in range(leads):
        texts = {"research": "They make anvils.", "mail_subject": "Anvils", "mail_body": "Hello", "sources": ["a"]}
        lead = make_lead(campaign, "PUSHED", stage="push", **texts)
        for kind in ("verify", "research", "write", "push"):
            job = make_job(kind=kind, lead=lead, status="COMPLETED", fence=2, avoided_usd="0.25")
            make_call(job, admitted_at=at, cost_usd="0.125", credits=1)
            if kind == "verify":
                make_call(job, "timeout", fence=1, admitted_at=at, may_be_charged=True, may_cost_usd="0.5")
    return campaign


def old_event(subject: str, pk: object, verb: str = "paused", at: datetime = LONG_AGO, **fields: Any) -> Event:
    return Event.objects.create(
        subject_type=subject, subject_id=str(pk), verb=verb, actor="ann", door="command", at=at, **fields
    )


def book() -> tuple[Any, ...]:
    """All that the tallies say of money and numbers."""
    return (
        spend.in_all(),
        spend.by_service(),
        spend.by_day(),
        spend.avoided(),
        tallies.progress(Campaign.objects.values_list("pk", flat=True)),
    )


# --- jobs and calls ---------------------------------------------------------------------------------------------------


def test_jobs_go_with_their_calls_and_the_books_say_the_same() -> None:
    ended_campaign()
    before = book()
    assert pruned("jobs") == {"jobs": 12, "calls": 15}
    assert (JobRow.objects.count(), VendorCall.objects.count()) == (0, 0)
    assert book() == before
    assert before[0].cost_usd == Decimal("1.5")
    assert reconcile() == []


def test_counting_anew_counts_what_was_pruned() -> None:
    ended_campaign()
    ended_campaign(NOW)
    before = book()
    pruned("jobs")
    tallies.recount()
    assert book() == before
    assert reconcile() == []


def test_what_was_pruned_is_missed_if_it_is_not_kept() -> None:
    ended_campaign()
    pruned("jobs")
    PrunedCalls.objects.all().delete()
    assert [finding.check for finding in reconcile()] == ["tallies_wrong"]


def test_a_second_prune_adds_to_the_sums_of_the_first() -> None:
    campaign = ended_campaign()
    other = ended_campaign(LONG_AGO, 1)
    before = book()
    assert pruned("jobs", stopping=lambda: True) == {"jobs": 12, "calls": 15}
    JobRow.objects.filter(campaign=campaign).delete()
    assert pruned("jobs") == {"jobs": 4, "calls": 5}
    assert pruned("jobs") == {}
    assert book() == before
    assert set(PrunedJobs.objects.values_list("campaign_id", flat=True)) == {campaign.pk, other.pk}


def test_one_that_is_interrupted_leaves_whole_batches_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 5)
    ended_campaign()
    before = book()
    result = prune(["jobs"], actor=ANN, rest=no_rest, stopping=lambda: True)
    assert (result.rows["jobs"], result.whole) == (5, False)
    assert book() == before
    assert reconcile() == []
    assert pruned("jobs")["jobs"] == 7
    assert book() == before
    assert reconcile() == []


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "PAUSED"])
def test_an_unfinished_campaign_keeps_everything(status: str) -> None:
    campaign = make_campaign(status, started_at=LONG_AGO)
    lead = make_lead(campaign, "PUSHED", research="They make anvils.")
    job = make_job(kind="push", lead=lead, status="COMPLETED", fence=1)
    make_call(job, admitted_at=LONG_AGO)
    old_event("campaign", campaign.pk)
    old_event("lead", lead.pk, "dropped")
    old_event("job", job.pk, "retried")
    OutcomeEvent.objects.create(
        digest="d", source="webhook", kind="email_sent", target="a-target", occurred_at=LONG_AGO, received_at=LONG_AGO,
        applied_at=LONG_AGO,
    )  # fmt: skip
    assert pruned() == {}


def test_one_that_ended_lately_keeps_its_jobs() -> None:
    ended_campaign(NOW - timedelta(days=364))
    assert pruned("jobs", "texts") == {}


def test_a_call_in_flight_keeps_its_cancelled_campaign() -> None:
    campaign = ended_campaign(status="CANCELLED")
    make_job(campaign, "research", "PROCESSING", lead=make_lead(campaign, "DROPPED"))
    assert pruned("jobs") == {}
    assert Campaign.objects.get(pk=campaign.pk).jobs_pruned_at is None


def test_nothing_since_an_open_incident_goes() -> None:
    opened = NOW - timedelta(days=500)
    ended_campaign(opened + timedelta(days=1))
    trip()
    from circuitbreakers.models import Incident

    Incident.objects.update(opened_at=opened)
    assert pruned("jobs") == {}
    reset()
    assert pruned("jobs") == {"jobs": 12, "calls": 15}


def test_nothing_of_a_pruned_campaign_is_tried_again() -> None:
    campaign = ended_campaign()
    make_job(kind="verify", lead=make_lead(campaign, "FAILED", stage="verify"), status="FAILED")
    pruned("jobs")
    with pytest.raises(MoveRefused, match=r"its jobs were pruned on .*; duplicate it"):
        lifecycle.retry_failed(campaign.pk, actor=ANN)
    assert Event.objects.filter(subject_type="campaign", subject_id=campaign.pk, verb="jobs_pruned").exists()


def test_one_that_runs_again_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    make_fleet()
    campaign = ended_campaign()
    make_job(kind="verify", lead=make_lead(campaign, "FAILED", stage="verify"), status="FAILED")
    due = jobs.due

    def then_it_is_retried(before: datetime) -> list[int]:
        found = due(before)
        assert lifecycle.retry_failed(campaign.pk, actor=ANN) == 1
        return found

    monkeypatch.setattr(jobs, "due", then_it_is_retried)
    assert pruned("jobs") == {}
    assert Campaign.objects.get(pk=campaign.pk).status == "RUNNING"


def test_the_campaigns_page_says_why_no_job_is_listed(admin_client: Any) -> None:
    campaign = ended_campaign()
    page = f"/admin/campaigns/campaign/{campaign.pk}/change/"
    assert "no longer listed" not in admin_client.get(page, secure=True).text
    pruned("jobs")
    assert "jobs and calls are counted and no longer listed" in admin_client.get(page, secure=True).text


# --- texts ------------------------------------------------------------------------------------------------------------


def test_leads_lose_their_texts_and_nothing_else() -> None:
    campaign = ended_campaign()
    lead = campaign.leads.earliest("pk")
    Contact.objects.create(key=lead.email or "", lead=lead, campaign=campaign, pushed_at=LONG_AGO, pushed_by=campaign)
    kept = list(campaign.leads.order_by("pk").values("email", "first_name", "state", "stage", "company", "ended_at"))
    assert pruned("texts") == {"texts": 3}
    after = campaign.leads.order_by("pk")
    assert list(after.values("email", "first_name", "state", "stage", "company", "ended_at")) == kept
    assert {(row.research, row.mail_subject, row.mail_body, tuple(row.sources)) for row in after} == {("", "", "", ())}
    assert Contact.objects.get(lead=lead).pushed_at == LONG_AGO
    assert reconcile() == []
    assert pruned("texts") == {}


def test_a_lead_whose_push_can_be_tried_again_keeps_its_mail() -> None:
    campaign = ended_campaign(leads=1)
    failed = make_lead(campaign, "FAILED", stage="push", mail_body="Hello")
    job = make_job(kind="push", lead=failed, status="FAILED")
    assert pruned("texts") == {"texts": 1}
    assert Lead.objects.get(pk=failed.pk).mail_body == "Hello"
    job.delete()
    assert pruned("texts") == {"texts": 1}


# --- events, outcomes, facts ------------------------------------------------------------------------------------------


def test_events_of_ended_campaigns_go_and_all_others_stay() -> None:
    campaign = ended_campaign()
    lead, job = campaign.leads.earliest("pk"), campaign.job_rows.earliest("pk")
    going = [old_event("campaign", campaign.pk), old_event("lead", lead.pk), old_event("job", job.pk)]
    staying = [
        old_event("campaign", campaign.pk, "retargeted"),
        old_event("campaign", campaign.pk, at=NOW - timedelta(days=700)),
        *(old_event(subject, "all") for subject in ("queue", "breaker", "policy", "suppression", "user", "erasure")),
    ]
    before = set(Event.objects.values_list("pk", flat=True))
    assert pruned("events") == {"events": 3}
    after = set(Event.objects.values_list("pk", flat=True))
    assert before - after == {event.pk for event in going}
    assert after >= {event.pk for event in staying}


def test_a_job_that_is_gone_leaves_no_events_behind() -> None:
    campaign = ended_campaign()
    old_event("job", campaign.job_rows.earliest("pk").pk, "retried")
    pruned("jobs")
    assert pruned("events") == {"events": 1}


@pytest.mark.parametrize(
    "event",
    [
        lambda: old_event("queue", "all"),
        lambda: old_event("campaign", 1, "retargeted"),
        lambda: old_event("campaign", 1, at=NOW - timedelta(days=90)),
    ],
)
def test_the_database_itself_refuses_to_delete_any_other_event(event: Callable[[], Event]) -> None:
    pk = event().pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('holdfast.pruning', 'on', true)")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("DELETE FROM events WHERE id = %s", [pk])


def test_an_old_event_cannot_be_deleted_in_passing() -> None:
    pk = old_event("campaign", 1).pk
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        cursor.execute("DELETE FROM events WHERE id = %s", [pk])


def make_outcome(number: int, target: str, **fields: Any) -> OutcomeEvent:
    details = {"received_at": LONG_AGO, "applied_at": LONG_AGO, **fields}
    return OutcomeEvent.objects.create(
        digest=str(number), source="webhook", kind="email_sent", target=target, occurred_at=LONG_AGO, **details
    )


def test_outcomes_go_once_they_are_applied_and_their_target_is_nobodys() -> None:
    ended_campaign(instantly_campaign_id="old", leads=0)
    running = make_campaign(instantly_campaign_id="present")
    old_event("campaign", running.pk, "retargeted", before={"instantly_campaign_id": "former"})
    going = make_outcome(1, "old")
    make_outcome(2, "present")
    make_outcome(3, "former")
    make_outcome(4, "old", applied_at=None)
    make_outcome(5, "old", received_at=NOW)
    assert pruned("outcomes") == {"outcomes": 1}
    assert not OutcomeEvent.objects.filter(pk=going.pk).exists()


def test_facts_go_when_they_are_too_old_to_be_used_and_not_before(settings: Any) -> None:
    make_verdict("a@acme.example", "ok", bought_at=LONG_AGO)
    make_verdict("b@acme.example", "ok", bought_at=NOW - timedelta(days=300))
    KnownFact.objects.create(key="research:1", bought_at=LONG_AGO, asked_by=1, asked_until=NOW + timedelta(hours=1))
    settings.KEEP_FACTS_DAYS, settings.REVEALED_DAYS = 10, 400
    assert pruned("facts") == {"facts": 1}
    settings.REVEALED_DAYS = 90
    assert pruned("facts") == {"facts": 1}
    assert list(KnownFact.objects.values_list("key", flat=True)) == ["research:1"]


def test_expired_sessions_and_old_failed_logins_go() -> None:
    from axes.models import AccessAttempt
    from django.contrib.sessions.models import Session

    Session.objects.create(session_key="old", session_data="", expire_date=NOW - timedelta(days=1))
    Session.objects.create(session_key="new", session_data="", expire_date=NOW + timedelta(days=1))
    AccessAttempt.objects.create(username="x", failures_since_start=1)
    AccessAttempt.objects.create(username="y", failures_since_start=1)
    AccessAttempt.objects.filter(username="x").update(attempt_time=NOW - timedelta(days=2))
    assert pruned("logins") == {"logins": 2}


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("prune", *arguments, stdout=out)
    return out.getvalue()


def test_a_dry_run_says_what_would_go_and_changes_nothing() -> None:
    campaign = ended_campaign()
    old_event("campaign", campaign.pk)
    make_outcome(1, "old")
    make_verdict("a@acme.example", "ok", bought_at=LONG_AGO)
    told = json.loads(run("--dry-run", "--json"))
    assert told["rows"] == {"texts": 3, "jobs": 12, "calls": 15, "events": 1, "outcomes": 1, "facts": 1, "logins": 0}
    assert foretell(ALL).rows == told["rows"]
    done = json.loads(run("--json", "--share", "100"))
    assert (done["rows"], done["dry_run"], done["whole"]) == (told["rows"], False, True)


def test_it_says_for_people_what_went() -> None:
    ended_campaign()
    text = run("--only", "jobs", "--share", "100")
    assert [line.split()[:2] for line in text.splitlines()[2:4]] == [["jobs", "12"], ["calls", "15"]]
    assert text.splitlines()[-1] == "Done."


def test_its_event_has_the_numbers_who_and_why() -> None:
    ended_campaign()
    run("--only", "jobs", "--share", "100", "--actor", "cron", "--reason", "weekly")
    event = Event.objects.get(subject_type="retention")
    assert (event.actor, event.reason, event.verb) == ("cron", "weekly", "pruned")
    assert event.after == {"jobs": 12, "calls": 15, "whole": True}


def test_zero_days_keep_for_ever(settings: Any) -> None:
    settings.KEEP_JOBS_DAYS = 0
    ended_campaign()
    assert "kept for ever" in run("--only", "jobs")
    assert VendorCall.objects.count() == 15


def test_the_cut_off_is_the_retention_or_the_oldest_open_incident() -> None:
    assert cutoff("jobs", NOW, None) == NOW - timedelta(days=365)
    assert cutoff("jobs", NOW, LONG_AGO) == LONG_AGO
    assert cutoff("jobs", NOW, NOW) == NOW - timedelta(days=365)
    assert cutoff("logins", NOW, LONG_AGO) == NOW


def test_a_second_one_is_refused_while_the_first_runs() -> None:
    from campaigns.pruning.run import LOCK

    with another_session() as session:
        session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with pytest.raises(PruneRefused):
            pruned()
        with pytest.raises(CommandError, match="Another prune is running"):
            run()


# --- beside paid work -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_paid_work_goes_on_beside_it_and_every_call_is_in_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 3)
    ended_campaign(leads=20)
    running = make_campaign()
    before = spend.in_all()
    ended, one_more = threading.Event(), threading.Semaphore(0)
    booked: list[int] = []

    def until_another_is_booked(seconds: float) -> None:
        assert one_more.acquire(timeout=30)

    def work() -> None:
        try:
            while not ended.is_set():
                job = make_job(running, "find", "COMPLETED", fence=1, part=len(booked))
                booked.append(make_call(job, cost_usd="0.5").pk)
                one_more.release()
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        result = prune(["jobs"], actor=ANN, rest=until_another_is_booked)
    finally:
        ended.set()
        worker.join()
    assert (result.rows["jobs"], result.rows["calls"]) == (80, 100)
    assert len(booked) >= 80 // 3
    after = spend.in_all()
    assert after.calls == before.calls + len(booked)
    assert after.cost_usd == before.cost_usd + Decimal("0.5") * len(booked)
    assert reconcile() == []
