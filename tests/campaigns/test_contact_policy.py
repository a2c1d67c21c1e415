"""A campaign departs from the contact policy with a reason, through each door; who holds a person is shown."""

import importlib
import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns import feed
from campaigns.contacts.departing import depart
from campaigns.models import Campaign, Contact, Lead
from campaigns.moves import MoveRefused
from circuitbreakers.models import Event
from tests.builders import ago, make_campaign, make_lead, make_user
from tests.workers.chain import ANN

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user("olga", "operator"))
    return client


def policy_of_row(campaign: Campaign) -> tuple[Any, str]:
    campaign.refresh_from_db()
    return campaign.contact_policy, campaign.contact_policy_reason


def test_a_departure_is_on_record_with_its_reason_and_ends_with_an_empty_one() -> None:
    campaign = make_campaign()
    depart(campaign.pk, departures={"exclusive": False}, actor=ANN, reason="agreed")
    assert policy_of_row(campaign) == ({"exclusive": False}, "agreed")
    depart(campaign.pk, departures={}, actor=ANN, reason="no longer")
    assert policy_of_row(campaign) == (None, "")
    events = Event.objects.filter(subject_type="campaign", verb="contact_policy").order_by("pk")
    assert [(event.before, event.after, event.reason, event.actor) for event in events] == [
        ({}, {"exclusive": False}, "agreed", "ann"),
        ({"exclusive": False}, {}, "no longer", "ann"),
    ]


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_departure_without_a_reason_is_refused(reason: str) -> None:
    campaign = make_campaign()
    with pytest.raises(MoveRefused, match="reason"):
        depart(campaign.pk, departures={"exclusive": False}, actor=ANN, reason=reason)
    assert policy_of_row(campaign) == (None, "")


def test_a_campaign_that_has_ended_departs_from_nothing() -> None:
    with pytest.raises(MoveRefused, match="has ended already"):
        depart(make_campaign("COMPLETED").pk, departures={"exclusive": False}, actor=ANN, reason="x")


def test_a_value_that_no_policy_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="cooldown_days must be a whole number from 0 to 3,650"):
        depart(make_campaign().pk, departures={"cooldown_days": 4000}, actor=ANN, reason="x")


def test_the_command_sets_it_and_says_what_holds_now() -> None:
    campaign, out = make_campaign(), io.StringIO()
    arguments = ("--exclusive", "no", "--cooldown-days", "30", "--reason", "agreed", "--json")
    call_command("campaign", "contact-policy", campaign.pk, *arguments, stdout=out)
    told = json.loads(out.getvalue())
    assert told["departures"] == {"exclusive": False, "cooldown_days": 30}
    assert told["contact_policy"] == {
        "exclusive": False, "cooldown_days": 30, "domain_people": 0, "domain_days": 30
    }  # fmt: skip
    with pytest.raises(CommandError, match="reason"):
        call_command("campaign", "contact-policy", campaign.pk, "--exclusive", "yes")


def test_the_api_sets_it_and_says_what_is_wrong_with_a_field() -> None:
    campaign, api = make_campaign(), APIClient()
    api.force_authenticate(make_user("olga", "operator"))
    address = f"/api/v1/campaigns/{campaign.pk}/contact-policy"
    answer = api.post(address, {"cooldown_days": 0, "reason": "agreed"}, format="json")
    assert answer.json()["data"]["departures"] == {"cooldown_days": 0}
    assert answer.json()["data"]["contact_policy"]["exclusive"] is True
    assert policy_of_row(campaign) == ({"cooldown_days": 0}, "agreed")
    wrong = api.post(address, {"cooldown_days": -1, "reason": "x"}, format="json")
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["cooldown_days"])
    assert api.post(address, {"cooldown_days": 1}, format="json").status_code == 400


def test_the_console_sets_it_and_shows_what_it_is(operator: Client) -> None:
    campaign = make_campaign()
    page = reverse("admin:campaigns_campaign_contacts", args=[campaign.pk])
    assert "waits 90 days" in operator.get(page).content.decode()
    operator.post(page, {"exclusive": "no", "cooldown_days": "", "domain_people": "3", "reason": "agreed"})
    assert policy_of_row(campaign) == ({"exclusive": False, "domain_people": 3}, "agreed")
    shown = operator.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content.decode()
    assert "exclusive False" in shown
    assert "agreed" in shown
    assert '<option value="no" selected>' in operator.get(page).content.decode()
    refused = operator.post(page, {"exclusive": "", "reason": ""}, follow=True).content.decode()
    assert "A reason is needed" in refused
    assert policy_of_row(campaign)[0] == {"exclusive": False, "domain_people": 3}


def test_a_viewer_sets_nothing() -> None:
    campaign, client = make_campaign(), Client()
    client.force_login(make_user("vera", "viewer"))
    page = reverse("admin:campaigns_campaign_contacts", args=[campaign.pk])
    assert client.post(page, {"exclusive": "no", "reason": "x"}).status_code == 403


def test_a_leads_page_and_the_list_of_contacts_say_who_holds_the_person_and_who_wrote_last(operator: Client) -> None:
    first, second = make_campaign(), make_campaign()
    pushed = make_lead(first, email="ida@acme.example")
    feed.feed()
    Lead.objects.filter(pk=pushed.pk).update(state="PUSHED", ended_at=ago(1))
    Contact.objects.update(pushed_at=ago(100 * 86_400))
    lead = make_lead(second, email="ida@acme.example")
    feed.feed()
    told = (
        f"ida@acme.example is in conversation by campaign {second.pk} since {ago(0):%Y-%m-%d}, "
        f"last written to by campaign {first.pk} on {ago(100 * 86_400):%Y-%m-%d}."
    )
    assert told in operator.get(reverse("admin:campaigns_lead_change", args=[lead.pk])).content.decode()
    contacts = reverse("admin:campaigns_contact_changelist")
    shown = operator.get(contacts, {"q": "IDA@"}).content.decode()
    assert "ida@acme.example" in shown
    assert first.name in shown
    assert second.name in shown
    assert "ida@acme.example" not in operator.get(contacts, {"q": "bob@"}).content.decode()


def test_whoever_was_in_work_or_pushed_before_there_were_contacts_is_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new, ended = make_campaign(), make_campaign(), make_campaign("COMPLETED")
    make_lead(new, email="ida@acme.example", stage="verify")
    oldest = make_lead(old, email="ida@acme.example", stage="verify", apollo_id="66aa")
    make_lead(old, email="pushed@acme.example", state="PUSHED", ended_at=ago(500))
    last = make_lead(ended, email="pushed@acme.example", state="PUSHED", ended_at=ago(100))
    make_lead(new, email="unfed@acme.example")
    make_lead(new, email="dropped@acme.example", state="DROPPED")
    migration = importlib.import_module("campaigns.migrations.0019_contacts_from_leads")
    monkeypatch.setattr(migration, "BATCH", 1)  # each its own, so that rows meet in the table
    for _ in range(2):
        with connection.schema_editor() as editor:
            migration.take_over(None, editor)
    held = {contact.key: contact for contact in Contact.objects.all()}
    assert set(held) == {"ida@acme.example", "apollo:66aa", "pushed@acme.example"}
    assert (held["ida@acme.example"].campaign, held["ida@acme.example"].lead) == (old, oldest)
    assert held["ida@acme.example"].domain == "acme.example"
    pushed = held["pushed@acme.example"]
    assert (pushed.campaign, pushed.pushed_by, pushed.pushed_at) == (None, ended, last.ended_at)
