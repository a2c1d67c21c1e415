"""A person is asked for once more at the push: under the contact's lock, and against whoever suppresses meanwhile."""

import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from campaigns import feed, jobs
from campaigns.contacts import pushing, rows
from campaigns.contacts.under_way import wait_for_pushes
from campaigns.leads import suppression
from campaigns.models import Campaign, Contact, JobRow, Lead, Suppression
from circuitbreakers import pauses
from integrations.sandbox import Sandbox
from tests.breakers import Beside, at_once
from tests.builders import ago, make_campaign, make_job
from tests.stores import break_vendor, calls_of
from tests.workers.chain import ANN, MAIL, TARGET, again, job_of
from workers.kinds import call_for
from workers.run import run
from workers.steps import calls

pytestmark = [pytest.mark.usefixtures("sandbox")]
DAY = 86_400
IDA = "ida+ok@acme.example"


def push_of(campaign: Campaign | None = None, **lead: Any) -> JobRow:
    """A push that is due, of a lead that its campaign holds unless somebody else does."""
    job = job_of("instantly", campaign, **{"email": IDA, **lead})
    with transaction.atomic():
        rows.claim([rows.Person(job.campaign_id, job.lead_id, [job.lead.email])])  # type: ignore[union-attr, list-item]
    return job


def end_of(job: JobRow) -> tuple[str, str]:
    assert job.lead is not None
    job.lead.refresh_from_db()
    return job.lead.state, job.lead.end_reason


def pushed(sandbox: Sandbox) -> list[str]:
    return [key for call in calls_of(sandbox, "instantly") for key in call["keys"]]


@pytest.mark.django_db
def test_a_push_leaves_its_claim_at_the_hold_and_its_instant_with_the_completion() -> None:
    job = push_of()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    assert isinstance(call_for(held), calls.Ready)
    contact = Contact.objects.get()
    assert (contact.pushing, contact.pushed_at) == (held.call, None)
    jobs.hand_back(held)
    assert again(job) == "completed"
    contact.refresh_from_db()
    assert contact.pushed_at is not None
    assert contact.pushed_by_id == job.campaign_id


@pytest.mark.django_db
def test_a_push_that_the_gate_refused_leaves_nothing_behind_that_forbids_another() -> None:
    job = push_of()
    pauses.pause("instantly", actor=ANN, reason="x")
    assert again(job) == "refused: paused"
    assert Contact.objects.get().pushed_at is None
    Lead.objects.filter(job_rows=job).update(state="DROPPED", end_reason="x", ended_at=ago(1))
    pauses.lift("instantly", actor=ANN)
    assert again(push_of()) == "completed"


@pytest.mark.django_db
def test_who_is_held_by_another_campaign_is_not_pushed(sandbox: Sandbox) -> None:
    first, second = push_of(), push_of()
    assert run(second.pk, "instantly") == "completed"
    state, why = end_of(second)
    assert (state, why.rpartition(" ")[0]) == ("DROPPED", f"in conversation by campaign {first.campaign_id} since")
    assert again(first) == "completed"
    assert pushed(sandbox) == [IDA]


@pytest.mark.django_db
def test_who_was_pushed_by_another_campaign_meanwhile_is_not_pushed_again(sandbox: Sandbox) -> None:
    first = push_of()
    second = push_of(make_campaign(instantly_campaign_id=TARGET, contact_policy={"exclusive": False}))
    assert [run(job.pk, "instantly") for job in (first, second)] == ["completed", "completed"]
    assert end_of(first)[0] == "PUSHED"
    state, why = end_of(second)
    assert (state, why.rpartition(" ")[0]) == ("DROPPED", f"written to by campaign {first.campaign_id} on")
    assert pushed(sandbox) == [IDA]


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["server_error", "malformed"])
def test_an_uncertain_push_counts_as_one_but_not_against_its_own_repetition(sandbox: Sandbox, fault: str) -> None:
    job = push_of()
    break_vendor(sandbox, "instantly", fault)
    assert again(job) == f"failed: {fault}"
    assert Contact.objects.get().pushed_by_id == job.campaign_id
    Lead.objects.filter(job_rows=job).update(state="FAILED", end_reason="x", ended_at=ago(1))
    other = push_of()
    break_vendor(sandbox, "instantly", "none")
    run(other.pk, "instantly")
    assert end_of(other)[1].startswith(f"written to by campaign {job.campaign_id} on")
    Lead.objects.filter(job_rows=job).update(state="OPEN", end_reason="", ended_at=None)
    assert again(job) == "completed"
    assert end_of(job)[0] == "PUSHED"


@pytest.mark.django_db
def test_a_push_waits_while_another_campaigns_push_to_the_same_person_is_under_way() -> None:
    first = push_of()
    held = jobs.claim(first.pk, first.service, "host:1")
    assert held is not None
    call_for(held)
    second = push_of(make_campaign(instantly_campaign_id=TARGET, contact_policy={"exclusive": False}))
    assert run(second.pk, "instantly") == "not yet"
    jobs.hand_back(held)
    assert again(second) == "completed"
    assert end_of(second)[0] == "PUSHED"


@pytest.mark.django_db
def test_the_people_of_a_company_are_counted_once_more_at_the_push(settings: Settings) -> None:
    pushes = [push_of(email=f"{name}+ok@acme.example") for name in ("ida", "bob", "eva")]
    settings.CONTACT_DOMAIN_PEOPLE = 2
    assert [run(job.pk, "instantly") for job in pushes] == ["completed"] * 3
    assert [end_of(job)[0] for job in pushes] == ["PUSHED", "PUSHED", "DROPPED"]
    assert end_of(pushes[2])[1] == "2 people of acme.example written to in 30 days"


@pytest.mark.django_db
@pytest.mark.parametrize("value", [IDA, "acme.example", "example"])
def test_who_was_suppressed_meanwhile_is_not_pushed(sandbox: Sandbox, value: str) -> None:
    job = push_of(email="ida+ok@mail.acme.example") if value != IDA else push_of()
    Suppression.objects.create(value=value)
    run(job.pk, "instantly")
    assert end_of(job) == ("DROPPED", "suppressed") if value != "example" else end_of(job)[0] == "PUSHED"
    assert len(pushed(sandbox)) == (value == "example")


# --- at the same time -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_pushes_to_one_person_at_the_same_time_one_arrives(sandbox: Sandbox) -> None:
    open_to_all = {"exclusive": False}
    pushes = [
        push_of(make_campaign(instantly_campaign_id=TARGET, contact_policy=open_to_all), apollo_id="66aa")
        for _ in range(8)
    ]
    at_once(*[lambda job=job: run(job.pk, "instantly") for job in pushes])
    while JobRow.objects.filter(status="PENDING").exists():
        for job in pushes:
            again(job)
    assert sorted(end_of(job)[0] for job in pushes) == ["DROPPED"] * 7 + ["PUSHED"]
    assert pushed(sandbox) == [IDA]


@pytest.mark.django_db(transaction=True)
def test_eight_threads_push_two_hundred_people_of_two_campaigns_once_each(sandbox: Sandbox) -> None:
    campaigns = [make_campaign(instantly_campaign_id=TARGET) for _ in range(2)]
    for campaign in campaigns:
        Lead.objects.bulk_create(
            Lead(campaign=campaign, email=f"person{number}+ok@acme{number}.example", **MAIL) for number in range(200)
        )
    feeding = Beside(feed.feed)
    feed.feed()
    feeding.result()
    while Lead.objects.filter(state="OPEN", stage="").exists():
        feed.feed()
    # Half of them slipped past the feed, as those did who were in work before there were contacts.
    for lead in Lead.objects.filter(state="DROPPED")[:100]:
        Lead.objects.filter(pk=lead.pk).update(state="OPEN", end_reason="", ended_at=None, stage="verify")
    Lead.objects.filter(state="OPEN").update(stage="push")
    JobRow.objects.all().delete()
    due = [make_job(kind="push", lead=lead, run_at=ago(1)).pk for lead in Lead.objects.filter(state="OPEN")]
    assert len(due) == 300

    def work(share: int) -> None:
        for pk in due[share::8]:
            while run(pk, "instantly") == "not yet":
                JobRow.objects.filter(pk=pk).update(run_at=ago(1))

    assert at_once(*[lambda share=share: work(share) for share in range(8)]) == [None] * 8
    assert not JobRow.objects.filter(status="PENDING").exists()
    bill = pushed(sandbox)
    assert len(bill) == len(set(bill)) == 200
    assert Lead.objects.filter(state="PUSHED").count() == 200


# --- suppressing ------------------------------------------------------------------------------------------------------


def list_now(value: str, longest: float = 3) -> tuple[bool, float]:
    """Suppress as the list's own verb does; whether no push was under way at the commit, and when that was."""
    with transaction.atomic():
        Suppression.objects.create(value=value)
        ended = wait_for_pushes([value], longest)
    return ended, time.monotonic()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("value", [IDA, "acme.example"])
def test_suppressing_waits_for_a_push_that_has_begun(value: str) -> None:
    job = push_of()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    ready = call_for(held)
    assert isinstance(ready, calls.Ready)
    listing = Beside(lambda: list_now(value))
    wait_until_advised()
    # It goes on to its end: nothing that the listing has locked is in its way.
    jobs.complete(held, ready.done(ready.send()), None)
    completed = time.monotonic()
    ended, committed = listing.result()
    assert ended
    assert committed > completed


@pytest.mark.django_db(transaction=True)
def test_no_push_begins_while_its_person_is_being_suppressed(sandbox: Sandbox) -> None:
    job, go_on = push_of(), threading.Event()

    def list_slowly() -> None:
        with transaction.atomic():
            Suppression.objects.create(value=IDA)
            wait_for_pushes([IDA])
            go_on.wait(10)

    listing = Beside(list_slowly)
    wait_until_advised()
    push = Beside(lambda: run(job.pk, "instantly"))
    wait_until_advised(granted=False)
    go_on.set()
    listing.result()
    assert push.result() == "completed"
    assert end_of(job) == ("DROPPED", "suppressed")
    assert pushed(sandbox) == []


@pytest.mark.django_db(transaction=True)
def test_the_lists_own_verb_waits_as_well() -> None:
    job = push_of()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    call_for(held)
    listing = Beside(lambda: suppression.suppress([IDA, "other@acme.example"], "asked to", ANN))
    wait_until_advised()
    assert not Suppression.objects.exists()
    jobs.hand_back(held)
    assert listing.result().added == 2
    assert run(job.pk, job.service) == "nothing"
    assert end_of(job) == ("DROPPED", "suppressed")


@pytest.mark.django_db(transaction=True)
def test_a_push_that_does_not_end_delays_a_listing_only_so_long() -> None:
    job = push_of()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    call_for(held)
    assert list_now(IDA, longest=0.1)[0] is False
    assert list_now("other.example", longest=0.1)[0] is True
    assert pushing.begin(held, held.lead, IDA).refused == "suppressed"  # type: ignore[arg-type]


def wait_until_advised(*, granted: bool = True) -> None:
    """Until somebody holds the lock of suppressing alone, or waits for it."""
    mode = "mode = 'ExclusiveLock' AND granted" if granted else "mode = 'ShareLock' AND NOT granted"
    until = time.monotonic() + 10
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {mode}")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < until
            time.sleep(0.01)


# --- the search -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_whom_another_campaign_is_about_to_reveal_is_not_revealed_and_not_paid(sandbox: Sandbox) -> None:
    search = {"person_titles[]": ["CTO"]}
    first = make_campaign(search=search, max_leads=20, instantly_campaign_id=TARGET)
    second = make_campaign(search=search, max_leads=20, instantly_campaign_id=TARGET)
    feed.feed()
    for campaign in (first, second):
        assert again(campaign.job_rows.get(kind="find")) == "completed"
    assert second.job_rows.filter(kind="reveal").count() == 0
    assert second.leads.filter(state="DROPPED").count() == 20
    told = {lead.end_reason.rpartition(" ")[0] for lead in second.leads.exclude(end_reason="no e-mail")}
    assert told == {f"in conversation by campaign {first.pk} since"}
    # Revealed and fed, the person is held by the lead, under both names.
    while job := first.job_rows.filter(kind="reveal", status="PENDING").first():
        assert again(job) == "completed"
    feed.feed()
    lead = first.leads.filter(state="OPEN").first()
    assert lead is not None
    assert set(Contact.objects.filter(lead=lead).values_list("key", flat=True)) == {
        lead.email,
        f"apollo:{lead.apollo_id}",
    }


@pytest.mark.django_db
def test_a_campaign_that_has_ended_holds_nobody_whom_it_only_found() -> None:
    search = {"person_titles[]": ["CTO"]}
    first, second = (make_campaign(search=search, max_leads=10, instantly_campaign_id=TARGET) for _ in range(2))
    feed.feed()
    again(first.job_rows.get(kind="find"))
    Campaign.objects.filter(pk=first.pk).update(status="CANCELLED", finished_at=ago(1))
    again(second.job_rows.get(kind="find"))
    assert second.job_rows.filter(kind="reveal").exists()
    assert not second.leads.exclude(end_reason="no e-mail").exists()
