"""A number, a date or a name of a mail that stands in neither record, research nor template is found, no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.claims import without_source
from campaigns.models import Lead

TEMPLATE = "Say that we save 30 % of the time, as at Initech."


def mail(body: str, subject: str = "A question") -> Lead:
    record = {"first_name": "Ida", "last_name": "Locke", "company": "Acme Robotics", "title": "CTO"}
    research = "It opened a plant in Graz in May with 1,200 people."
    return Lead(mail_subject=subject, mail_body=body, research=research, **record)


@pytest.mark.parametrize(
    ("body", "claims"),
    [
        ("Hello Ida, you opened a plant in Graz in May.", []),
        ("Hello Ida, you have 1200 people there.", []),
        ("Hello Ida, you have 1,300 people there.", ["1,300"]),
        ("We save 30 % of the time, as at Initech.", []),
        ("We save 40 % of the time, as at Globex.", ["40", "Globex"]),
        ("You spoke with Otto Marsh last week.", ["Otto Marsh"]),
        ("It was opened in June.", ["June"]),
        ("Growth came in Q3 already.", ["Q3", "3"]),
        ("Robotics is hard. Could we talk?\n\nKind regards", []),
        ("At Acme Robotics I think that I'm right.", []),
        ("You have 7, 7 and 7.", ["7"]),
        ("", []),
    ],
)
def test_what_has_no_source_is_found_and_nothing_else(body: str, claims: list[str]) -> None:
    assert without_source(mail(body), TEMPLATE) == claims


def test_the_subject_is_read_as_well() -> None:
    assert without_source(mail("Hello Ida.", subject="About the merger with Globex"), TEMPLATE) == ["Globex"]


@given(st.text(max_size=300))
def test_any_text_can_be_read_and_what_the_research_says_has_a_source(text: str) -> None:
    lead = mail(text)
    assert all(claim in f"{lead.mail_subject}.\n{text}" for claim in without_source(lead, ""))
    lead.research = f"{lead.mail_subject}.\n{text}"
    assert without_source(lead, "") == []
