"""A person is found, handed out and erased: afterwards nothing in the database says who it was, and the books stand."""

import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.utils import IntegrityError
from django.utils import timezone

from campaigns.apply_outcomes import batches
from campaigns.leads.importing import import_csv
from campaigns.leads.suppression import suppress
from campaigns.models import (
    Erasure,
    JobRow,
    KnownFact,
    Lead,
    OutcomeEvent,
    Suppression,
    VendorCall,
)
from campaigns.outcome_intake import store, told_by_webhook
from campaigns.person import erasing, known
from campaigns.reconcile import reconcile
from circuitbreakers import events
from circuitbreakers.models import Event
from tests.breakers import ANN
from tests.builders import ago, is_suppressed, make_campaign, make_job, make_lead, make_user
from tests.workers.chain import TARGET
from workers.run import run
from workers.steps import find

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
ADDRESS, APOLLO_ID = "ida.quux@zyxw.example", "5f2b7c1d9e4a6b8c0d1e2f3a"


def ida(**fields: Any) -> Lead:
    """Return a lead that has gone all the way to Instantly, with all that was bought for it."""
    campaign = make_campaign(instantly_campaign_id=TARGET)
    who = {
        "email": ADDRESS,
        "first_name": "Ida",
        "last_name": "Quux",
        "company": "Zyxw",
        "company_domain": "zyxw.example",
    }
    lead = make_lead(campaign, stage="research", verdict="ok", data={"linkedin_url": "x/ida-quux"}, **{**who, **fields})
    make_job(kind="research", lead=lead)
    for kind in ("research", "write", "push"):
        job = JobRow.objects.get(lead=lead, kind=kind)
        assert run(job.pk, job.service) == "completed"
    lead.refresh_from_db()
    assert lead.state == "PUSHED"
    return lead


def erase(address: str = ADDRESS) -> Erasure:
    return erasing.erase(known.find(address), actor=ANN, reason="asked by letter", wait=0)


def dump() -> str:
    """Return every row of every table as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        texts = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(string_agg(row::text, chr(10)), '') FROM \"{table}\" row")
            texts.append(cursor.fetchone()[0])
    return "\n".join(texts)


def traces(lead: Lead) -> None:
    """Leave the address and the name wherever they may be found."""
    now = timezone.now()
    suppress([ADDRESS], f"{ADDRESS} wrote to us", ANN)
    OutcomeEvent.objects.create(
        digest="1",
        source="webhook",
        kind="email_sent",
        email=ADDRESS,
        occurred_at=now,
        payload={"firstName": "Ida Quux"},
    )
    KnownFact.objects.create(key=f"person:{APOLLO_ID}", about=ADDRESS, value={"name": "Ida Quux"})
    JobRow.objects.filter(lead=lead, kind="push").update(error=f"Invalid: {ADDRESS}")
    events.record(
        "campaign", lead.campaign_id, "noted", actor=ANN, reason=f"ask {ADDRESS.upper()}", after={"of": ADDRESS}
    )
    LogEntry.objects.create(
        user=make_user("bo"), content_type=ContentType.objects.get_for_model(Suppression), object_id="1",
        object_repr=ADDRESS, action_flag=ADDITION, change_message="",
    )  # fmt: skip


def test_after_an_erasure_a_dump_of_the_database_holds_neither_address_nor_name() -> None:
    lead = ida(apollo_id=APOLLO_ID)
    traces(lead)
    before = dump().lower()
    assert all(word in before for word in (ADDRESS, "quux", APOLLO_ID, "zyxw"))
    paid = sum(VendorCall.objects.values_list("cost_usd", flat=True))
    receipt = erase()
    after = dump().lower()
    assert not [word for word in (ADDRESS, "quux", APOLLO_ID, "zyxw") if word in after]
    assert sum(VendorCall.objects.values_list("cost_usd", flat=True)) == paid > 0
    assert reconcile() == []
    lead.refresh_from_db()
    assert (lead.state, lead.email) == ("PUSHED", f"erased-{receipt.pk}-{lead.pk}@erased.invalid")
    assert f"Instantly holds lead {lead.instantly_lead_id}: delete it there." in receipt.not_reached


def test_whoever_was_erased_is_never_written_to_again() -> None:
    ida()
    erase()
    assert is_suppressed(ADDRESS.upper())
    assert not is_suppressed("bob@zyxw.example")
    assert Suppression.objects.get().cause == "erased"
    report = import_csv(make_campaign(), io.BytesIO(f"email\n{ADDRESS}\nbob@zyxw.example\n".encode()), actor=ANN)
    assert (report.taken, report.skipped) == (1, {"suppressed": 1})
    assert ADDRESS not in dump()


def test_apollo_is_not_asked_for_somebody_who_was_erased() -> None:
    campaign = make_campaign(search={"person_titles[]": ["CTO"]})
    make_lead(email=ADDRESS, apollo_id=APOLLO_ID)
    erase()
    assert find.new_people(campaign, [APOLLO_ID, "somebody"]) == ["somebody"]


def test_what_instantly_still_tells_of_somebody_who_was_erased_is_forgotten() -> None:
    lead = ida()
    erase()
    told = {"event_type": "lead_unsubscribed", "campaign_id": TARGET, "lead_email": ADDRESS, "timestamp": "2026-11-25"}
    store([told_by_webhook(told)])
    assert sum(batches()) == 1
    assert ADDRESS not in dump()
    lead.refresh_from_db()
    assert lead.unsubscribed_at is None


def test_an_open_lead_ends_and_its_jobs_with_it() -> None:
    job = make_job(lead=make_lead(email=ADDRESS))
    erase()
    job.refresh_from_db()
    assert job.status == "CANCELLED"
    assert job.lead is not None
    job.lead.refresh_from_db()
    assert (job.lead.state, job.lead.first_name) == ("DROPPED", "")


def test_while_a_call_is_under_way_nothing_is_erased_but_nobody_writes_to_them_any_more() -> None:
    make_job(lead=make_lead(email=ADDRESS), status="PROCESSING")
    with pytest.raises(erasing.StillWorkedOn, match="erase again in two minutes"):
        erase()
    assert Lead.objects.filter(email=ADDRESS).exists()
    assert is_suppressed(ADDRESS)
    assert not Erasure.objects.exists()


def test_all_leads_of_one_person_are_found_by_any_address_of_theirs() -> None:
    make_lead(email=ADDRESS, apollo_id=APOLLO_ID)
    make_lead(email="ida@private.example", apollo_id=APOLLO_ID)
    make_lead(email="frida.quux@zyxw.example")
    person = known.find("IDA@private.example")
    assert person.addresses == {ADDRESS, "ida@private.example"}
    assert known.counts(person)["leads"] == 2
    erase("ida@private.example")
    assert list(Lead.objects.exclude(email__endswith="@erased.invalid").values_list("email", flat=True)) == [
        "frida.quux@zyxw.example"
    ]


@pytest.mark.parametrize("longer", ["fr" + ADDRESS, ADDRESS + ".au", "x." + ADDRESS, ADDRESS.replace("zyxw", "zyxwv")])
def test_a_longer_address_is_somebody_elses(longer: str) -> None:
    make_lead(email=ADDRESS)
    events.record("campaign", 1, "noted", actor=ANN, reason=f"{longer}, {ADDRESS}")
    erase()
    assert Event.objects.get(verb="noted").reason == f"{longer}, [erased]"


def test_a_text_of_others_that_holds_the_name_is_told_and_left_alone() -> None:
    make_lead(email=ADDRESS, first_name="Ida", last_name="Quux")
    other = make_lead(email="bob@zyxw.example", research="Bob works with Ida Quux.")
    receipt = erase()
    other.refresh_from_db()
    assert other.research == "Bob works with Ida Quux."
    assert "1 rows of leads name somebody so called: look whether it is they." in receipt.not_reached


def test_an_export_holds_all_that_is_known() -> None:
    lead = ida(apollo_id=APOLLO_ID)
    traces(lead)
    told = known.export(known.find(ADDRESS))
    assert {name: len(rows) for name, rows in told.items()} == {
        "addresses": 1, "apollo_ids": 1, "leads": 1, "jobs": 3, "calls": 3, "contacts": 2, "known_facts": 2,
        "outcomes": 1, "suppressions": 1, "events": 1, "erasures": 0,
    }  # fmt: skip
    assert told["leads"][0]["mail_body"] == lead.mail_body != ""


def test_events_stay_append_only_but_for_an_erasure() -> None:
    event = events.record("campaign", 1, "noted", actor=ANN, reason="x")
    with pytest.raises(IntegrityError, match="append-only"):
        Event.objects.filter(pk=event.pk).update(reason="y")


@pytest.mark.parametrize("change", [{"actor": "Eve"}, {"verb": "reset"}, {"at": ago(60)}])
def test_an_erasure_changes_nothing_of_an_event_but_its_words(change: dict[str, Any]) -> None:
    event = events.record("campaign", 1, "noted", actor=ANN, reason="x")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('holdfast.erasing', 'on', true)")
    with pytest.raises(IntegrityError, match="append-only"):
        Event.objects.filter(pk=event.pk).update(**change)


def test_a_second_erasure_finds_nothing_and_changes_nothing() -> None:
    ida()
    first = erase()
    before = Lead.objects.values().get()
    second = erase()
    assert second.pk != first.pk
    assert (second.erased["leads"], Lead.objects.values().get()) == (0, before)
    assert known.counts(known.find(ADDRESS))["erasures"] == 2


def test_what_is_no_address_names_nobody() -> None:
    with pytest.raises(known.NoAddress, match="'Ida' is no address"):
        known.find("Ida")


def test_money_is_kept_to_the_cent() -> None:
    lead = ida()
    erase()
    assert VendorCall.objects.filter(job__lead=lead, cost_usd__gt=Decimal(0)).count() == 2
