"""Importing in the browser: the preview maps columns, the import streams its progress and hands back skipped rows."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns import feed
from campaigns.leads.csvfile import HEAD
from campaigns.leads.preview import Preview, sniff
from campaigns.models import Campaign, Lead, Suppression
from tests.builders import ago, make_campaign, make_lead

PEOPLE = "Vorname;Kontakt\nJürgen;juergen@acme.example\nNobody;\n=1+1;second@acme.example\n"


def upload(client: Client, page: str, campaign: Campaign, content: bytes, **data: Any) -> Any:
    address = reverse(f"admin:campaigns_campaign_{page}", args=[campaign.pk])
    return client.post(address, {"file": SimpleUploadedFile("people.csv", content), **data})


def steps_of(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]


def test_the_preview_recognises_columns_and_guesses_latin_1(operator: Client) -> None:
    text = upload(operator, "preview", make_campaign("CREATED"), PEOPLE.encode("latin-1")).content.decode()
    assert "Jürgen" in text
    assert "a guess" in text
    assert '<option value="first_name" selected>' in text


def test_the_preview_shows_a_hostile_cell_as_text(operator: Client) -> None:
    text = upload(operator, "preview", make_campaign("CREATED"), b"Email,Name\na@b.example,<script>x</script>\n")
    assert b"<script>x" not in text.content


def test_the_preview_reads_no_more_than_the_head_of_a_file(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_on: list[int] = []

    def counted(stream: io.BytesIO, **chosen: Any) -> Preview:
        handed_on.append(stream.getbuffer().nbytes)
        return sniff(stream, **chosen)

    monkeypatch.setattr("console.imports.sniff", counted)
    rows = b"Email\n" + b"a@b.example\n" * 80_000
    assert "a@b.example" in upload(operator, "preview", make_campaign("CREATED"), rows).content.decode()
    assert handed_on == [HEAD]


@pytest.mark.django_db(transaction=True)
def test_an_import_with_a_mapping_reports_and_hands_back_what_it_skipped(operator: Client) -> None:
    campaign = make_campaign("CREATED")
    mapping = json.dumps({"Vorname": "first_name", "Kontakt": "email"})
    steps = steps_of(
        upload(operator, "import_run", campaign, PEOPLE.encode("latin-1"), mapping=mapping, encoding="latin-1")
    )
    assert steps[-1]["report"]["taken"] == 2
    assert steps[-1]["report"]["skipped"] == {"no address": 1}
    assert "Nobody" in "".join(step.get("skipped", "") for step in steps)
    assert {"rows": 3}.items() <= next(step for step in steps if "rows" in step).items()
    assert set(Lead.objects.values_list("first_name", flat=True)) == {"Jürgen", "=1+1"}


@pytest.mark.django_db(transaction=True)
def test_the_report_is_the_same_at_every_door(operator: Client, tmp_path: Path) -> None:
    text = "Notes\nVorname;Kontakt;Hobby\nJ\u00fcrgen;juergen@acme.example;chess\nNobody;;\n"
    by_page = steps_of(upload(operator, "import_run", make_campaign("CREATED"), text.encode()))[-1]["report"]
    api = APIClient()
    api.force_authenticate(User.objects.get(username="operator"))
    leads = f"/api/v1/campaigns/{make_campaign('CREATED').pk}/leads"
    answer = api.post(leads, {"csv": SimpleUploadedFile("people.csv", text.encode())}, format="multipart")
    by_api = answer.json()["data"]["report"]
    file, out = tmp_path / "people.csv", io.StringIO()
    file.write_text(text)
    call_command("campaign", "import", str(make_campaign("CREATED").pk), str(file), "--json", stdout=out)
    by_command = json.loads(out.getvalue())
    assert by_page["examples"] == [[4, "no address"]]
    assert by_page == by_api == {name: by_command[name] for name in by_page}


@pytest.mark.django_db(transaction=True)
def test_a_file_without_addresses_is_refused_in_words(operator: Client) -> None:
    steps = steps_of(upload(operator, "import_run", make_campaign("CREATED"), b"A,B\n1,2\n"))
    assert "No column holds e-mail addresses" in steps[-1]["refused"]


def test_a_guessed_column_is_shown_to_be_confirmed(operator: Client) -> None:
    text = upload(operator, "preview", make_campaign("CREATED"), PEOPLE.encode("latin-1")).content.decode()
    assert "Guessed from the cells: Kontakt." in text
    assert '<option value="email" selected>' in text
    assert (
        "Guessed" not in upload(operator, "preview", make_campaign("CREATED"), b"Email\na@b.example\n").content.decode()
    )


def test_what_stands_above_the_column_names_is_left_out(operator: Client) -> None:
    text = upload(operator, "preview", make_campaign("CREATED"), b"A list\n\nEmail,Name\na@b.example,Ida\n")
    assert "The column names are in row 3" in text.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_delimiter_can_be_chosen(operator: Client) -> None:
    campaign, content = make_campaign("CREATED"), b"Email~First Name\nida@acme.example~Ida\n"
    assert 'data-header="First Name"' not in upload(operator, "preview", campaign, content).content.decode()
    shown = upload(operator, "preview", campaign, content, delimiter="~")
    assert 'data-header="First Name"' in shown.content.decode()
    steps = steps_of(upload(operator, "import_run", campaign, content, delimiter="~"))
    assert steps[-1]["report"]["taken"] == 1
    assert Lead.objects.get().first_name == "Ida"
    steps = steps_of(upload(operator, "import_run", campaign, content, delimiter="ab"))
    assert "cannot separate columns" in steps[-1]["refused"]


def test_the_form_offers_delimiters(operator: Client) -> None:
    address = reverse("admin:campaigns_campaign_import", args=[make_campaign("CREATED").pk])
    text = operator.get(address).content.decode()
    assert all(f"<option>{name}</option>" in text for name in ("comma", "semicolon", "tab", "pipe"))


@pytest.mark.parametrize("page", ["preview", "import_run"])
def test_a_viewer_may_not_import(viewer: Client, page: str) -> None:
    assert upload(viewer, page, make_campaign("CREATED"), b"Email\na@b.example\n").status_code == 403


@pytest.mark.parametrize("mapping", ["[1]", "{", "[" * 100_000])
def test_a_mapping_that_is_no_mapping_is_refused(operator: Client, mapping: str) -> None:
    answer = upload(operator, "import_run", make_campaign("CREATED"), b"Email\na@b.example\n", mapping=mapping)
    assert answer.status_code == 400


@pytest.mark.django_db(transaction=True)
def test_the_preview_says_before_anything_is_paid_who_is_new_suppressed_or_in_a_conversation(operator: Client) -> None:
    first = make_campaign()
    for name in ("ida", "bob"):
        make_lead(first, email=f"{name}@acme.example")
    feed.feed()
    Lead.objects.filter(email="bob@acme.example").update(state="PUSHED", ended_at=ago(1))
    Suppression.objects.create(value="eva@acme.example")
    text = b"Email\nida@acme.example\nbob@acme.example\neva@acme.example\nmax@acme.example\n"
    campaign = make_campaign("CREATED")
    page = " ".join(upload(operator, "preview", campaign, text).content.decode().split())
    assert "Of its 4 rows, 1 would be new leads." in page
    for skipped in (
        "1 suppressed",
        f"1 in conversation by campaign {first.pk}",
        f"1 written to by campaign {first.pk} in the last 90 days",
    ):
        assert skipped in page
    # The count of the whole file, the import itself and the API's dry run say the same.
    counted = steps_of(upload(operator, "import_run", campaign, text, dry_run="1"))[-1]
    assert counted["dry_run"] is True
    assert not campaign.leads.exists()
    api = APIClient()
    api.force_authenticate(User.objects.get(username="operator"))
    leads = f"/api/v1/campaigns/{campaign.pk}/leads"
    answer = api.post(leads, {"csv": SimpleUploadedFile("p.csv", text), "dry_run": "true"}, format="multipart")
    assert answer.json()["data"]["report"] == counted["report"]
    assert not campaign.leads.exists()
    assert steps_of(upload(operator, "import_run", campaign, text))[-1]["report"] == counted["report"]
    assert [lead.email for lead in campaign.leads.all()] == ["max@acme.example"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "cp1252"])
def test_the_preview_foretells_the_top_of_a_file_in_any_encoding(operator: Client, encoding: str) -> None:
    rows = "Email,Name\n" + "".join(f"ida{number}@acme.example,J\u00fcrgen\n" for number in range(20_000))
    page = upload(operator, "preview", make_campaign("CREATED"), rows.encode(encoding)).content.decode()
    text = " ".join(page.split())
    assert "Of the first" in text
    assert "\u201cOnly count\u201d says it of the whole file." in text
