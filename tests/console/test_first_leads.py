"""Whatever holds after its first leads says so, and what to do: pages, sentence and API use the same words."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.models import Campaign, JobRow, Lead, OutlookReading
from circuitbreakers.models import Event
from console.sentence import READ
from tests.api.conftest import client_of as api_client
from tests.breakers import ANN
from tests.builders import make_campaign, make_fleet, make_job, make_lead
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
HOLDS = "Holds after the first 2 leads: 2 written. Read the mails, then go on."
API = "/api/v1/campaigns"


def written() -> Campaign:
    """A campaign that holds: two of its three leads have a mail."""
    campaign = make_campaign("CREATED")
    for _ in range(3):
        make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN, first=2)
    for lead in Lead.objects.filter(campaign=campaign).exclude(stage=""):
        JobRow.objects.filter(lead=lead).update(status="COMPLETED", completed_at=timezone.now())
        make_job(lead=lead, kind="push")
        Lead.objects.filter(pk=lead.pk).update(stage="push", mail_body="Hello Ida, you sell arms.")
    return campaign


def page_of(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def verb_of(campaign: Campaign, name: str) -> str:
    return reverse("admin:campaigns_campaign_verb", args=[campaign.pk, name])


def test_the_pages_say_it_link_the_mails_and_offer_to_go_on(operator: Client) -> None:
    make_fleet()
    campaign = written()
    page = text_of(operator.get(page_of(campaign)))
    ids = ",".join(str(pk) for pk in Lead.objects.filter(stage="push").order_by("pk").values_list("pk", flat=True))
    assert HOLDS in page
    assert f"?id__in={ids}" in page
    assert "Read 2 mails" in page
    assert verb_of(campaign, "go_on") in page
    mails = text_of(operator.get(reverse("admin:campaigns_lead_changelist"), {"id__in": ids}))
    assert mails.count("Locke") >= 2
    lead = operator.get(reverse("admin:campaigns_lead_change", args=[ids.partition(",")[0]]))
    assert "Hello Ida, you sell arms." in text_of(lead)
    dashboard = text_of(operator.get(reverse("admin:index")))
    assert HOLDS in dashboard
    assert "Running, but 1 campaign holds after its first leads." in dashboard
    assert READ.split("&")[0].replace("'", "&#x27;") in dashboard
    assert "Holds after the first 2 leads." in text_of(operator.get(reverse("admin:campaigns_campaign_changelist")))


def test_while_they_are_written_the_sentence_does_not_call_for_anybody(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN, first=2)
    dashboard = text_of(viewer.get(reverse("admin:index")))
    assert "Running: 1 campaign, 1 job to do." in dashboard
    assert "Holds after the first 2 leads: 1 in work." in dashboard


def test_the_start_form_asks_for_the_first_leads_and_says_what_they_cost(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    for _ in range(12):
        make_lead(campaign)
    OutlookReading.objects.create(service="apollo", asked_at=timezone.now(), left=0, unit="credits")
    form = text_of(operator.get(verb_of(campaign, "start")))
    assert 'name="first" type="number" min="1" max="100"' in form
    assert "for 12 leads" in form
    assert "for 10 leads" in form
    assert "Warning: apollo: no credits left" in form
    operator.post(verb_of(campaign, "start"), {"confirmed": "1", "first": "10"})
    campaign.refresh_from_db()
    assert (campaign.status, campaign.first_leads) == ("RUNNING", 10)


@pytest.mark.parametrize("first", ["0", "101", "ten", "-1", "1.5", "٣", "9" * 40])
def test_a_form_with_another_number_starts_nothing(operator: Client, first: str) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    answer = operator.post(verb_of(campaign, "start"), {"confirmed": "1", "first": first})
    assert "It can hold after its first 1 to 100 leads." in text_of(answer)
    campaign.refresh_from_db()
    assert campaign.status == "CREATED"


def test_it_goes_on_by_the_button(operator: Client) -> None:
    campaign = written()
    operator.post(verb_of(campaign, "go_on"), {"confirmed": "1", "reason": "they read well"})
    campaign.refresh_from_db()
    assert campaign.first_leads is None
    assert Event.objects.get(verb="gone_on").door == "admin"
    assert verb_of(campaign, "go_on") not in text_of(operator.get(page_of(campaign)))


# --- the API ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def api() -> APIClient:
    return api_client("operator")


def test_the_api_starts_with_the_first_leads_says_so_and_goes_on(api: APIClient) -> None:
    campaign = make_campaign("CREATED")
    for _ in range(3):
        make_lead(campaign)
    OutlookReading.objects.create(service="apollo", asked_at=timezone.now(), left=0, unit="credits")
    begun = api.post(f"{API}/{campaign.pk}/start", {"first": 2}).json()["data"]
    assert begun == {
        "id": campaign.pk,
        "action": "start",
        "status": "RUNNING",
        "status_message": "",
        "first_leads_hold": "Holds after the first 2 leads: 2 in work. Read the mails, then go on.",
        "warnings": ["apollo: no credits left"],
    }
    shown = api.get(f"{API}/{campaign.pk}").json()["data"]
    assert (shown["first_leads"], shown["first_leads_hold"]) == (2, begun["first_leads_hold"])
    assert api.get(API).json()["data"]["results"][0]["first_leads"] == 2
    named = api.get("/api/v1/queue-management/campaign-status").json()["data"]["campaigns"]["RUNNING"]
    assert named[0]["first_leads"] == 2
    gone = api.post(f"{API}/{campaign.pk}/go-on", {"reason": "fine"})
    assert (gone.status_code, gone.json()["data"]["first_leads_hold"]) == (200, "")
    again = api.post(f"{API}/{campaign.pk}/go-on")
    assert (again.status_code, "does not hold after its first leads" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize("first", [0, 101, "ten", 1.5, [], {}])
def test_the_api_takes_no_other_number(api: APIClient, first: Any) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    answer = api.post(f"{API}/{campaign.pk}/start", {"first": first})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["first"])
    campaign.refresh_from_db()
    assert campaign.status == "CREATED"


def test_null_means_all_of_them(api: APIClient) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    assert api.post(f"{API}/{campaign.pk}/start", {"first": None}).status_code == 200
    campaign.refresh_from_db()
    assert campaign.first_leads is None
