"""The page of one person: found, handed out and erased by those who may, and the address is in no URL."""

import pytest
from django.test import Client

from campaigns.models import Erasure, Lead
from tests.builders import make_job, make_lead
from tests.console.conftest import client_of, text_of

pytestmark = pytest.mark.django_db

PAGE = "/admin/person/"
IDA = "ida@acme.example"


def erased(client: Client, **form: str) -> str:
    return text_of(
        client.post(PAGE, {"address": IDA, "do": "erase", "confirmation": IDA, "reason": "a letter", **form})
    )


def test_an_address_is_found_however_it_is_written(viewer: Client) -> None:
    make_lead(email=IDA)
    text = text_of(viewer.post(PAGE, {"address": " <IDA@Acme.Example> "}))
    assert IDA in text
    assert '<td>leads</td><td class="hf-right">1</td>' in text
    assert "Erase for good" not in text


def test_what_is_no_address_is_said(viewer: Client) -> None:
    answer = viewer.post(PAGE, {"address": "<script>"})
    assert "is no address" in text_of(answer)
    assert "<script>'" not in answer.content.decode()


def test_all_that_is_known_comes_as_a_file_that_nobody_keeps(viewer: Client) -> None:
    lead = make_lead(email=IDA)
    answer = viewer.post(PAGE, {"address": IDA, "do": "export"})
    assert answer["Content-Disposition"] == 'attachment; filename="person.json"'
    assert "no-store" in answer["Cache-Control"]
    assert [row["id"] for row in answer.json()["leads"]] == [lead.pk]


def test_an_erasure_ends_in_a_receipt_that_says_what_was_not_reached(boss: Client) -> None:
    make_lead(email=IDA)
    text = erased(boss)
    receipt = Erasure.objects.get()
    assert (receipt.erased_by, receipt.reason) == ("boss", "a letter")
    assert f"Receipt {receipt.pk}: erased" in text
    assert "Backups of the database hold it" in text
    assert not Lead.objects.filter(email=IDA).exists()


@pytest.mark.parametrize("confirmation", ["", "bob@acme.example"])
def test_an_erasure_wants_the_address_once_more(boss: Client, confirmation: str) -> None:
    make_lead(email=IDA)
    assert "Nothing was erased: type the address once more" in erased(boss, confirmation=confirmation)
    assert Lead.objects.filter(email=IDA).exists()


def test_an_erasure_waits_for_no_call_but_says_so(boss: Client) -> None:
    make_job(lead=make_lead(email=IDA), status="PROCESSING")
    assert "A call about this person is under way" in erased(boss)
    assert Lead.objects.filter(email=IDA).exists()


def test_who_may_what(viewer: Client, operator: Client) -> None:
    make_lead(email=IDA)
    assert client_of(None).get(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302
    for client in (viewer, operator):
        form = {"address": IDA, "do": "erase", "confirmation": IDA, "reason": "x"}
        assert client.post(PAGE, form).status_code == 403
    assert Lead.objects.filter(email=IDA).exists()
    assert f'href="{PAGE}"' in viewer.get("/admin/").content.decode()
