import csv
import io

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns.leads import exporting
from campaigns.leads.exporting import COLUMNS, defuse, export_csv, undefuse
from campaigns.models import Campaign, Lead


def exported(campaign: Campaign) -> list[dict[str, str]]:
    text = b"".join(export_csv(campaign)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.django_db
def test_every_lead_comes_with_what_became_of_it() -> None:
    campaign = Campaign.objects.create(name="Autumn")
    Lead.objects.create(campaign=campaign, email="ida@acme.example", first_name="Ida", data={"city": "Zürich"})
    Lead.objects.create(
        campaign=campaign,
        state="DROPPED",
        end_reason="no e-mail",
        ended_at=timezone.now(),
        mail_subject="Hi",
        mail_body="One\ntwo",
    )
    Lead.objects.create(campaign=Campaign.objects.create(name="Other"), email="tom@acme.example")
    first, second = exported(campaign)
    assert (first["Email"], first["City"], first["Lead State"]) == ("ida@acme.example", "Zürich", "OPEN")
    assert (second["Email"], second["Lead State"], second["Lead Reason"]) == ("", "DROPPED", "no e-mail")
    assert (second["Mail Subject"], second["Mail Body"]) == ("Hi", "One\ntwo")


@pytest.mark.django_db
def test_what_came_back_stands_beside_the_state() -> None:
    campaign, now = Campaign.objects.create(name="Autumn"), timezone.now()
    ended = {"state": "PUSHED", "ended_at": now, "sent_at": now}
    Lead.objects.create(campaign=campaign, email="ida@acme.example", **ended)
    Lead.objects.create(campaign=campaign, email="tom@acme.example", **ended, bounced_at=now)
    Lead.objects.create(campaign=campaign, email="may@acme.example")
    rows = [(row["Lead State"], row["Lead Outcome"]) for row in exported(campaign)]
    assert rows == [("PUSHED", "SENT"), ("PUSHED", "BOUNCED"), ("OPEN", "")]


@pytest.mark.django_db
def test_a_campaign_without_leads_is_a_header() -> None:
    pieces = list(export_csv(Campaign.objects.create(name="Empty")))
    assert pieces == [b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"]


@pytest.mark.django_db
def test_batches_miss_nothing_and_repeat_nothing(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries) -> None:
    monkeypatch.setattr(exporting, "BATCH", 3)
    campaign = Campaign.objects.create(name="Seven")
    Lead.objects.bulk_create(Lead(campaign=campaign, email=f"p{n}@acme.example") for n in range(7))
    with django_assert_num_queries(4):
        rows = exported(campaign)
    assert [row["Email"] for row in rows] == [f"p{n}@acme.example" for n in range(7)]


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "'="])
def test_no_cell_begins_a_formula(start: str) -> None:
    hostile = f'{start}HYPERLINK("https://trap.example")'
    campaign = Campaign.objects.create(name="Hostile")
    Lead.objects.create(
        campaign=campaign,
        email="=1+1@acme.example",
        first_name=hostile,
        title=hostile,
        data={"city": hostile, "keywords": [hostile]},
        mail_subject=hostile,
        mail_body=hostile,
        research=hostile,
    )
    (row,) = exported(campaign)
    for name in ("First Name", "Title", "City", "Keywords", "Mail Subject", "Mail Body", "Research", "Email"):
        assert row[name].startswith("'"), name


@given(st.text() | st.from_regex(r"'*[=+@\t\r-].*"))
def test_defusing_can_be_undone_exactly(text: str) -> None:
    assert undefuse(defuse(text)) == text
    assert defuse(text)[:1] not in {*"=+-@\t\r"}
