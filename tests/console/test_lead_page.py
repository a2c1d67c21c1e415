"""A lead's page shows its mail as a mail, beside research and sources; leads are found by what people know of them."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Lead
from tests.builders import make_campaign, make_lead
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/lead/"


def page_of(client: Client, lead: Lead) -> str:
    return text_of(client.get(reverse("admin:campaigns_lead_change", args=[lead.pk])))


def test_a_mail_has_its_paragraphs_and_stands_beside_research_and_sources(viewer: Client) -> None:
    lead = make_lead(
        state="PUSHED",
        mail_subject="Your new line",
        mail_body="Hello Ida,\n\nyou build arms.\nKind regards",
        research="Acme builds arms.\n\nIt is in Graz.",
        sources=["https://acme.example/news?a=1&b=2"],
    )
    page = page_of(viewer, lead)
    assert "<p>Hello Ida,</p> <p>you build arms.<br>Kind regards</p>" in page
    assert "<p>Acme builds arms.</p> <p>It is in Graz.</p>" in page
    assert '<a href="https://acme.example/news?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank"' in page


def test_a_claim_without_a_source_is_marked_in_the_mail_and_stays_text(viewer: Client) -> None:
    lead = make_lead(
        mail_body="Hello Ida, you know Globex & <b>Initech</b>, it's 40 % cheaper.", research="It knows Initech."
    )
    page = page_of(viewer, lead)
    assert '<mark class="hf-missing">Globex</mark> &amp; &lt;b&gt;Initech&lt;/b&gt;, it&#x27;s <mark' in page
    assert "Marked: numbers, dates and names" in page
    assert "Marked:" not in page_of(viewer, make_lead(mail_body="Hello Ida, you build arms.", research="x"))


@pytest.mark.parametrize(
    "source", ["javascript:alert(1)", "//acme.example", 'https://a.example/" onclick="x', "data:text/html,x", "", "5"]
)
def test_a_source_that_is_no_web_address_is_no_link(viewer: Client, source: str) -> None:
    page = page_of(viewer, make_lead(research="x", sources=[source]))
    assert 'rel="noopener noreferrer nofollow"' not in page
    assert 'onclick="x' not in page


def test_a_mail_with_markup_in_it_stays_text(viewer: Client) -> None:
    page = page_of(viewer, make_lead(mail_subject="<b>x</b>", mail_body="<script>x</script>", research="<i>y</i>"))
    assert "<script>x" not in page
    assert "<b>x</b>" not in page
    assert "<i>y</i>" not in page


def test_who_has_arrived_is_not_asked_why_it_is_not_moving(viewer: Client) -> None:
    arrived = page_of(viewer, make_lead(state="PUSHED"))
    assert "Why is it not moving?" not in arrived
    assert "It is done: pushed to Instantly" in arrived
    assert "Why is it not moving?" not in page_of(viewer, make_lead(state="DROPPED"))
    assert "Why is it not moving?" in page_of(viewer, make_lead())


@pytest.mark.parametrize(
    "typed",
    [
        "locke",
        "Ida",
        "ida lock",
        "Locke, Ida",
        "acme rob",
        "robotics",
        "acme-group.example",
        "acme-gr",
        "ida.locke@acme-group.example",
        "IDA.LOCKE@ACME-GROUP.EXAMPLE",
        "ida.l",
        "Örsted",
        "örsted",
        "O'Brien",
    ],
)
def test_a_lead_is_found_by_name_company_domain_and_address(viewer: Client, typed: str) -> None:
    campaign = make_campaign()
    make_lead(
        campaign,
        first_name="Ida",
        last_name="Locke O'Brien Örsted",
        company="Acme Robotics",
        company_domain="acme-group.example",
        email="ida.locke@acme-group.example",
    )
    make_lead(
        campaign, first_name="Otto", last_name="Marsh", company="Birch", company_domain="", email="o@birch.example"
    )
    page = text_of(viewer.get(LIST, {"q": typed}))
    assert ("Acme Robotics" in page, "Birch" in page) == (True, False)


def test_the_domain_of_an_address_finds_a_lead_without_a_company(viewer: Client) -> None:
    make_lead(first_name="", last_name="", company="", company_domain="", email="otto@birch.example")
    assert "otto@birch.example" in text_of(viewer.get(LIST, {"q": "birch.example"}))


@pytest.mark.parametrize(
    "typed", ["'", "''", "' | '", "!", "&", "ida & !locke", ":*", "\\", "(", "%", "_", "." * 5000, "'x':*A", "\u202e"]
)
def test_what_is_typed_into_the_search_is_never_read_as_a_query(viewer: Client, typed: str) -> None:
    make_lead()
    assert viewer.get(LIST, {"q": typed}).status_code == 200
