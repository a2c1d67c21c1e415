"""The page of mails to read: what waits, beside its research; approve, reject, edit, for whoever may."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.models import Event
from tests.api.conftest import client_of as api_client
from tests.builders import make_campaign, make_lead
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
PAGE = "/admin/mails/"
ANSWER = "/admin/mails/answer/"
API = "/api/v1"
BODY = "Hello Ida, how does your team keep its pipelines running these days? You grew by 4,711 percent."


def a_mail(campaign: Campaign | None = None, **fields: Any) -> Lead:
    mail = {"mail_subject": "A question", "mail_body": BODY}
    return make_lead(campaign or make_campaign(review="all"), stage="review", first_name="Ida", **mail, **fields)


def answer(client: Client, **posted: object) -> str:
    return text_of(client.post(ANSWER, posted, follow=True))


def test_the_page_shows_each_mail_with_what_nobody_has_said(viewer: Client, operator: Client) -> None:
    assert "No mail waits to be read." in text_of(viewer.get(PAGE))
    lead = a_mail(research="It sells <b>arms</b>.", sources=["https://acme.example/about"])
    page = text_of(operator.get(PAGE))
    assert "1 mail waits to be read." in page
    assert '<mark class="hf-missing">4,711</mark>' in page
    assert "It sells &lt;b&gt;arms&lt;/b&gt;." in page
    assert 'href="https://acme.example/about"' in page
    assert page.count('value="approve"') == 1
    assert 'value="approve"' not in text_of(viewer.get(PAGE))
    assert f'value="{lead.pk}"' in page


def test_a_campaigns_page_says_that_mails_wait_and_leads_to_them(operator: Client) -> None:
    campaign = make_campaign(review="all")
    a_mail(campaign)
    a_mail()
    shown = text_of(operator.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert "1 mail waits for somebody to read and approve." in shown
    assert f"/admin/mails/?campaign={campaign.pk}" in shown
    assert text_of(operator.get(PAGE)).count("hf-waiting") == 2
    assert text_of(operator.get(PAGE, {"campaign": campaign.pk})).count("hf-waiting") == 1


def test_a_mail_is_approved_once(operator: Client) -> None:
    lead = a_mail()
    assert "The mail to Ida Locke is approved." in answer(operator, lead=lead.pk, verb="approve")
    assert "waits no more" in answer(operator, lead=lead.pk, verb="approve")
    assert JobRow.objects.get(kind="push").lead_id == lead.pk


def test_a_mail_is_rejected_and_edited(operator: Client) -> None:
    one, two = a_mail(), a_mail()
    assert "The mail to Ida Locke is rejected." in answer(operator, lead=one.pk, verb="reject", reason="no")
    assert Lead.objects.get(pk=one.pk).end_reason == "rejected by its reader: no"
    assert "is changed, and waits on" in answer(
        operator, lead=two.pk, verb="edit", subject="Another", body=f"Dear Ida. {BODY}"
    )
    assert Lead.objects.get(pk=two.pk).mail_subject == "Another"
    assert "The subject is empty." in answer(operator, lead=two.pk, verb="edit", subject="", body=BODY)


@pytest.mark.parametrize(
    "posted",
    [
        {"verb": "approve"},
        {"verb": "approve", "lead": "x"},
        {"verb": "approve", "lead": "9" * 30},
        {"verb": "burn", "lead": "1"},
        {"verb": "approve-all"},
        {"verb": "approve", "lead": "1", "reason": "x" * 501},
    ],
)
def test_a_form_that_says_nothing_useful_ends_in_a_sentence(operator: Client, posted: dict[str, str]) -> None:
    lead = a_mail()
    page = answer(operator, **posted)
    assert "Mails to read" in page
    lead.refresh_from_db()
    assert (lead.state, lead.stage) == ("OPEN", "review")


def test_all_of_a_campaign_are_approved_with_a_reason(operator: Client) -> None:
    campaign = make_campaign(review="all")
    for _ in range(12):
        a_mail(campaign)
    page = text_of(operator.get(PAGE, {"campaign": campaign.pk}))
    assert page.count("hf-waiting") == 10
    assert f"?page=2&amp;campaign={campaign.pk}" in page
    assert "needs a reason" in answer(operator, campaign=campaign.pk, verb="approve-all")
    assert "12 mails of" in answer(operator, campaign=campaign.pk, verb="approve-all", reason="the first ten are fine")
    assert JobRow.objects.filter(kind="push").count() == 12
    assert Event.objects.get(verb="mails_approved").reason == "the first ten are fine"


def test_the_setting_is_in_the_form_and_in_the_guided_way(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    form = text_of(operator.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert 'name="review"' in form
    prompts = reverse("admin:campaigns_campaign_guided", args=[campaign.pk, "prompts"])
    assert 'name="review"' in text_of(operator.get(prompts))
    operator.post(prompts, {"research_prompt": "", "mail_prompt": "", "review": "sample", "next": "1"})
    campaign.refresh_from_db()
    assert campaign.review == "sample"
    operator.post(prompts, {"research_prompt": "", "mail_prompt": "", "next": "1"})
    campaign.refresh_from_db()
    assert campaign.review == "sample"


# --- the same through the API -----------------------------------------------------------------------------------------


def test_the_api_lists_approves_rejects_and_edits() -> None:
    client = api_client("Operator")
    leads = [a_mail() for _ in range(3)]
    listed = client.get(f"{API}/mails").json()["data"]["results"]
    assert [(one["id"], one["claims"]) for one in listed] == [(lead.pk, ["4,711"]) for lead in leads]
    assert len(client.get(f"{API}/mails", {"campaign": leads[0].campaign_id}).json()["data"]["results"]) == 1
    edited = client.post(f"{API}/mails/{leads[0].pk}/edit", {"subject": "Another", "body": BODY}, format="json")
    assert edited.json()["data"]["mail_as_written"] == {"subject": "A question", "body": BODY}
    refused = client.post(f"{API}/mails/{leads[0].pk}/edit", {"subject": "Another", "body": "short"}, format="json")
    assert refused.status_code == 400
    asked = {"leads": [lead.pk for lead in leads[:2]] + [leads[0].pk + 10**6]}
    assert client.post(f"{API}/mails/approve", asked, format="json").json()["data"] == {"done": 2, "skipped": 1}
    rejected = client.post(f"{API}/mails/reject", {"leads": [leads[2].pk], "reason": "no"}, format="json")
    assert rejected.json()["data"] == {"done": 1, "skipped": 0}
    assert client.get(f"{API}/mails").json()["data"]["results"] == []


def test_the_api_wants_leads_or_a_campaign_and_a_reason_for_all() -> None:
    client = api_client("Operator")
    lead = a_mail()
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"leads": []},
        {"leads": [lead.pk], "campaign": lead.campaign_id},
        {"leads": list(range(1, 502))},
    )
    for body in bodies:
        assert client.post(f"{API}/mails/approve", body, format="json").status_code == 400
    unread = {"campaign": lead.campaign_id}
    assert client.post(f"{API}/mails/approve", unread, format="json").status_code == 409
    done = client.post(f"{API}/mails/approve", {**unread, "reason": "trusted"}, format="json")
    assert done.json()["data"] == {"done": 1, "skipped": 0}


def test_the_api_chooses_which_mails_are_read() -> None:
    client = api_client("Operator")
    campaign = make_campaign()
    chosen = client.post(f"{API}/campaigns/{campaign.pk}/review", {"review": "findings"}, format="json")
    assert chosen.json()["data"] == {"id": campaign.pk, "review": "findings"}
    assert client.get(f"{API}/campaigns/{campaign.pk}").json()["data"]["review"] == "findings"
    assert client.post(f"{API}/campaigns/{campaign.pk}/review", {"review": "x"}, format="json").status_code == 400
    ended = make_campaign("COMPLETED")
    assert client.post(f"{API}/campaigns/{ended.pk}/review", {"review": "all"}, format="json").status_code == 409
    event = Event.objects.get(verb="review_chosen")
    assert (event.before, event.after) == ({"review": "off"}, {"review": "findings"})
    made = client.post(f"{API}/campaigns", {"name": "Spring", "review": "all"}, format="json")
    assert made.json()["data"]["review"] == "all"
