"""The guided way: each step is a page whose state is in rows, says what is wrong in place, and pays nothing unasked."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.leads.suppression import suppress
from campaigns.models import Campaign, JobRow, Lead, LeadFile
from campaigns.person.erasing import erase
from campaigns.person.known import find
from campaigns.prompt_templates import MAIL_PROMPT, RESEARCH_PROMPT
from circuitbreakers import pauses
from config.roles import VIEWER
from tests.breakers import ANN
from tests.builders import ago, make_campaign, make_fleet, make_job, make_lead
from tests.console.conftest import client_of, text_of

pytestmark = pytest.mark.django_db
PEOPLE = (
    b"First Name,Last Name,Company,Email,Shoe size\n"
    b"Ida,Locke,Acme,ida@acme.example,38\n"
    b"Otto,Marsh,Birch,otto@birch.example,44\n"
    b"Nobody,,,,\n"
)
APOLLO = "https://app.apollo.io/#/people?personTitles[]=CTO"


def url(campaign: Campaign, step: str) -> str:
    return reverse("admin:campaigns_campaign_guided", args=[campaign.pk, step])


def post(client: Client, campaign: Campaign, step: str, **form: Any) -> Any:
    return client.post(url(campaign, step), form, follow=True)


def hand_in(client: Client, campaign: Campaign, content: bytes = PEOPLE, **form: Any) -> str:
    return text_of(post(client, campaign, "people", file=SimpleUploadedFile("people.csv", content), **form))


def started() -> Campaign:
    """A campaign that holds after its first lead, whose mail is written."""
    make_fleet()
    campaign = make_campaign(first_leads=1, first_left=0, name="Spring")
    lead = make_lead(campaign, stage="push", mail_subject="A line", mail_body="Hello Ida", research="She builds.")
    make_job(lead=lead, kind="verify", status="COMPLETED")
    make_job(lead=lead, kind="write", status="COMPLETED")
    make_job(lead=lead, kind="push")
    return campaign


def test_the_whole_way_from_a_name_to_a_running_campaign(operator: Client) -> None:
    make_fleet()
    named = operator.post(reverse("admin:campaigns_campaign_guided_new"), {"name": "Spring"}, follow=True)
    campaign = Campaign.objects.get()
    assert "From a file" in text_of(named)
    suppress(["otto@birch.example"], "asked", ANN)
    page = hand_in(operator, campaign)
    assert "<strong>1 would be taken in</strong>" in page
    assert "suppressed" in page
    assert "no address" in page
    assert "Ignored: 1 column (Shoe size)" in page
    assert not Lead.objects.exists()
    assert "1 lead of “people.csv” are in the campaign, 2 rows were left out." in text_of(
        post(operator, campaign, "file", take="1")
    )
    assert not LeadFile.objects.exists()
    form = {"research_prompt": RESEARCH_PROMPT, "mail_prompt": "Hi {first_name}", "next": "1"}
    page = text_of(post(operator, campaign, "prompts", **form))
    campaign.refresh_from_db()
    assert (campaign.research_prompt, campaign.mail_prompt) == ("", "Hi {first_name}")
    assert "At most $" in page
    assert not JobRow.objects.exists()
    page = text_of(post(operator, campaign, "sample", write="1"))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.first_leads) == ("RUNNING", 1)
    assert "“Spring” runs with its first lead" in page
    assert "At most" in text_of(operator.get(url(campaign, "start")))
    page = text_of(post(operator, campaign, "start"))
    campaign.refresh_from_db()
    assert campaign.first_leads is None
    assert "“Spring” runs with 1 lead" in page


def test_it_may_be_started_without_reading_a_mail(operator: Client) -> None:
    make_fleet()
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    post(operator, campaign, "start")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.first_leads) == ("RUNNING", None)


def test_the_state_of_each_step_survives_a_reload_and_another_browser(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    hand_in(operator, campaign)
    other = client_of("Operator", "another")
    assert "2 would be taken in" in text_of(other.get(url(campaign, "file")))
    assert other.get(url(campaign, "start"))["Location"] == url(campaign, "file")
    post(operator, campaign, "file", another="1")
    assert other.get(url(campaign, "file"))["Location"] == url(campaign, "people")


def test_columns_may_mean_something_else_and_are_looked_at_again_before_anybody_is_taken(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    hand_in(operator, campaign, b"First Name,Work,Private\nIda,ida@acme.example,i@home.example\n")
    column = {"column-1": "", "column-2": "email"}
    page = text_of(post(operator, campaign, "file", take="1", **column))
    assert "The columns are read in another way now: look once more" in page
    assert not Lead.objects.exists()
    post(operator, campaign, "file", take="1", **column)
    assert Lead.objects.get().email == "i@home.example"


def test_a_column_that_is_no_field_is_refused_in_place(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    hand_in(operator, campaign)
    page = text_of(post(operator, campaign, "file", look="1", **{"column-0": "nonsense"}))
    assert 'role="alert"' in page
    assert "Take these" not in page


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "The file is empty"), (b"PK\x03\x04", "Excel"), (b"Name\nIda\n", "No column holds e-mail addresses")],
)
def test_a_file_that_will_not_do_says_why(operator: Client, content: bytes, says: str) -> None:
    campaign = make_campaign("CREATED")
    assert says in hand_in(operator, campaign, content or b"\n")
    assert not Lead.objects.exists()


def test_a_hostile_file_stays_text(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    page = hand_in(operator, campaign, b"Email,<script>x</script>\na@b.example,<script>y</script>\n")
    assert "<script>x" not in page
    assert "<script>y" not in page


def test_the_rows_that_are_left_out_can_be_downloaded_with_their_reasons(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    hand_in(operator, campaign)
    answer: Any = operator.get(reverse("admin:campaigns_campaign_left_out", args=[campaign.pk]))
    assert "4,no address,Nobody" in b"".join(answer.streaming_content).decode()


def test_a_file_is_forgotten_after_a_day_and_when_somebody_in_it_is_erased(operator: Client) -> None:
    one, other = make_campaign("CREATED"), make_campaign("CREATED")
    hand_in(operator, one)
    LeadFile.objects.update(created_at=ago(25 * 3600))
    hand_in(operator, other)
    assert LeadFile.objects.get().campaign == other
    make_lead(email="ida@acme.example")
    erase(find("ida@acme.example"), actor=ANN, reason="asked")
    assert not LeadFile.objects.exists()


def test_a_search_at_apollo_is_taken_or_refused_beside_its_field(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    page = text_of(post(operator, campaign, "people", search_url="https://example.com", max_leads="5"))
    assert "This is not an address of Apollo" in page
    assert "https://example.com</textarea>" in page
    post(operator, campaign, "people", search_url=APOLLO, max_leads="5")
    campaign.refresh_from_db()
    assert (campaign.search, campaign.max_leads) == ({"person_titles[]": ["CTO"]}, 5)


def test_a_prompt_is_previewed_on_any_lead_with_what_it_does_not_know_marked(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign, first_name="Ida", company="Acme")
    otto = make_lead(campaign, first_name="Otto", last_name="Marsh", company="Birch", title="")
    form = {"research_prompt": "", "mail_prompt": "Hi {first_name}, {title} of {company}: {research}", "lead": "marsh"}
    page = text_of(post(operator, campaign, "prompts", preview="1", **form))
    assert '<mark class="hf-known">Otto</mark>' in page
    assert '<mark class="hf-missing">title: not known</mark>' in page
    assert "research: not known before it is done" in page
    assert "As it reads for Otto Marsh" in text_of(operator.get(url(campaign, "prompts"), {"lead": str(otto.pk)}))
    assert "No lead of this campaign is found for “nobody”." in text_of(
        operator.get(url(campaign, "prompts"), {"lead": "nobody"})
    )


def test_a_prompt_that_cannot_be_used_is_refused_in_place_and_stays_in_the_form(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    page = text_of(post(operator, campaign, "prompts", research_prompt="", mail_prompt="Hi {nme}", next="1"))
    assert "There is no placeholder {nme}." in page
    assert "Hi {nme}</textarea>" in page
    campaign.refresh_from_db()
    assert campaign.mail_prompt == ""


def test_the_standard_prompt_stays_the_standard_when_it_is_saved_unchanged(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    text = MAIL_PROMPT.replace("\n", "\r\n")
    post(operator, campaign, "prompts", research_prompt=RESEARCH_PROMPT, mail_prompt=text, next="1")
    campaign.refresh_from_db()
    assert (campaign.research_prompt, campaign.mail_prompt) == ("", "")


def test_written_mails_stand_beside_their_research_and_follow_by_themselves(operator: Client, viewer: Client) -> None:
    campaign = started()
    for page in (operator.get(url(campaign, "sample")), viewer.get(f"/admin/live/?page=sample-{campaign.pk}")):
        assert "A line" in text_of(page)
        assert "<p>She builds.</p>" in text_of(page)
    assert "page=sample-" in text_of(operator.get(url(campaign, "sample")))


def test_mails_are_written_again_or_more_of_them(operator: Client) -> None:
    campaign = started()
    assert "1 mail of “Spring” are written again." in text_of(post(operator, campaign, "sample", again="1"))
    assert "No mail is written yet" in text_of(post(operator, campaign, "sample", again="1"))
    post(operator, campaign, "sample", more="1")
    campaign.refresh_from_db()
    assert (campaign.first_leads, campaign.first_left) == (4, 3)


def test_a_refusal_stands_beside_the_form_and_nothing_has_begun(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    pauses.pause("all", actor=ANN, reason="a break")
    page = text_of(post(operator, campaign, "start"))
    assert "The queue is paused by" in page
    campaign.refresh_from_db()
    assert campaign.status == "CREATED"


@pytest.mark.parametrize("status", ["RUNNING", "PAUSED", "COMPLETED"])
def test_a_campaign_that_runs_with_all_leads_is_led_to_its_page(operator: Client, status: str) -> None:
    campaign = make_campaign(status)
    page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    assert operator.get(url(campaign, "people"))["Location"] == page
    assert operator.post(url(campaign, "start"))["Location"] == page


def test_a_viewer_is_refused_every_step(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    viewer = client_of(VIEWER)
    for step in ("people", "file", "prompts", "sample", "start"):
        assert viewer.get(url(campaign, step)).status_code == 403
        assert viewer.post(url(campaign, step), {"write": "1"}).status_code == 403
    assert operator.get(url(campaign, "nonsense")).status_code == 404
    assert Campaign.objects.get().status == "CREATED"


def test_a_duplicate_leads_to_where_its_people_come_from(operator: Client) -> None:
    campaign = make_campaign("COMPLETED", started_at=timezone.now())
    address = reverse("admin:campaigns_campaign_verb", args=[campaign.pk, "duplicate"])
    page = text_of(operator.post(address, {"confirmed": "1"}, follow=True))
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert url(copy, "people") in page
