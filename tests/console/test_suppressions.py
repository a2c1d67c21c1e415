"""The suppression list in the console: filtered, added to one by one and by the thousand, exported, shortened with a
reason."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from campaigns.leads.suppression import suppress
from campaigns.models import Suppression
from circuitbreakers.models import Event
from console import suppressions
from tests.breakers import ANN
from tests.builders import make_lead
from tests.campaigns.test_suppression import ROUND_THE_LIST
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/suppression/"
MANY = f"{LIST}import/"


def listed() -> set[str]:
    return set(Suppression.objects.values_list("value", flat=True))


def choose(client: Client, rows: list[Suppression], **more: Any) -> str:
    data = {"action": "lift", "_selected_action": [row.pk for row in rows], **more}
    return text_of(client.post(LIST, data, follow=True))


def row_of(value: str, cause: Suppression.Cause = Suppression.Cause.OPERATOR) -> Suppression:
    suppress([value], "asked us", ANN, cause=cause)
    return Suppression.objects.get(value=value)


def test_adding_one_ends_its_open_leads_and_says_so(operator: Client) -> None:
    lead = make_lead(email="ida@eu.acme.example")
    answer = operator.post(f"{LIST}add/", {"value": "@Acme.example", "reason": "a customer"}, follow=True)
    assert "1 open lead ended." in text_of(answer)
    lead.refresh_from_db()
    assert (lead.state, lead.end_reason) == ("DROPPED", "suppressed")
    row = Suppression.objects.get()
    assert (row.value, row.source, row.created_by, row.cause) == ("acme.example", "admin", "operator", "operator")
    assert Event.objects.get(subject_type="suppression").after == {
        "value": "acme.example",
        "cause": "operator",
        "leads": 1,
    }


@pytest.mark.parametrize("raw", ROUND_THE_LIST)
def test_no_notation_gets_round_the_form(operator: Client, raw: str) -> None:
    operator.post(f"{LIST}add/", {"value": raw, "reason": ""})
    assert listed() == {"ida@xn--bro-hoa.example"}


def test_the_list_is_filtered_by_cause_and_source(viewer: Client) -> None:
    row_of("ida@acme.example", Suppression.Cause.UNSUBSCRIBED)
    row_of("birch.example")
    page = text_of(viewer.get(f"{LIST}?cause__exact=unsubscribed"))
    assert "ida@acme.example" in page
    assert "birch.example" not in page
    assert "ida@acme.example" not in text_of(viewer.get(f"{LIST}?source=api"))
    assert "ida@acme.example" in text_of(viewer.get(f"{LIST}?source=command"))
    assert "birch.example" not in text_of(viewer.get(f"{LIST}?q=ida@"))
    assert "ida@acme.example" in text_of(viewer.get(f"{LIST}?q=%20IDA@Acme"))


def test_pasted_values_are_taken_and_the_report_is_shown(operator: Client) -> None:
    make_lead(email="ida@acme.example")
    pasted = "IDA@acme.example\nbirch.example; nobody\n<script>alert(1)</script>"
    answer = operator.post(MANY, {"values": pasted, "reason": "customers", "cause": "not_interested"})
    assert listed() == {"ida@acme.example", "birch.example"}
    assert set(Suppression.objects.values_list("cause", "reason", "created_by")) == {
        ("not_interested", "customers", "operator")
    }
    page = text_of(answer)
    assert "2 added, 0 already there, 2 refused; 1 open lead ended." in page
    assert "nobody" in page
    assert "<script>alert" not in page


def test_an_uploaded_file_is_taken(operator: Client) -> None:
    file = SimpleUploadedFile("optouts.csv", b"Name;Email\nIda;ida@acme.example\nTom;nobody\n")
    page = text_of(operator.post(MANY, {"file": file, "reason": "", "cause": "operator"}))
    assert listed() == {"ida@acme.example"}
    assert "1 added, 0 already there, 1 refused" in page
    assert "<td>3</td>" in page.replace("<td> 3 </td>", "<td>3</td>")


def test_the_form_is_empty_at_first_and_after_a_report(operator: Client) -> None:
    for page in (operator.get(MANY), operator.post(MANY, {"values": "ida@acme.example", "cause": "bounced"})):
        assert '<textarea name="values" rows="8"></textarea>' in text_of(page)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "Paste addresses or domains"),
        ({"values": "ida@acme.example", "cause": "erased"}, "Choose a cause"),
        ({"values": "ida@acme.example", "reason": "x" * 501}, "at most 500 characters"),
        ({"file": SimpleUploadedFile("a.csv", b"Name,City\nIda,Berlin\n")}, "No column holds addresses or domains"),
    ],
)
def test_what_is_refused_as_a_whole_says_why_and_changes_nothing(
    operator: Client, form: dict[str, Any], why: str
) -> None:
    page = text_of(operator.post(MANY, {"cause": "operator", "reason": "", **form}))
    assert why in page
    assert listed() == set()
    assert form.get("values", "") in page


def test_a_file_of_too_many_rows_is_left_to_the_command(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppressions, "MOST", 1)
    file = SimpleUploadedFile("list.txt", b"a@acme.example\nb@acme.example\n")
    page = text_of(operator.post(MANY, {"file": file, "cause": "operator"}))
    assert "manage.py suppression import FILE" in page
    assert listed() == set()


def test_only_who_may_add_sees_the_way_to_paste(viewer: Client, operator: Client) -> None:
    assert viewer.post(MANY, {"values": "ida@acme.example", "cause": "operator"}).status_code == 403
    assert "Paste or upload many" not in text_of(viewer.get(LIST))
    assert "Paste or upload many" in text_of(operator.get(LIST))
    assert listed() == set()


def test_the_export_has_the_rows_of_the_list_and_no_formula(viewer: Client) -> None:
    suppress(["ida@acme.example"], '=HYPERLINK("http://evil.example")', ANN, cause=Suppression.Cause.BOUNCED)
    row_of("birch.example")
    answer = viewer.get(f"{LIST}export/?cause__exact=bounced")
    assert answer["Content-Disposition"] == 'attachment; filename="suppressions.csv"'
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]
    assert [(row["value"], row["reason"]) for row in rows] == [
        ("ida@acme.example", '\'=HYPERLINK("http://evil.example")')
    ]


def test_lifting_asks_for_a_reason_and_leaves_an_event(boss: Client) -> None:
    row = row_of("ida@acme.example")
    address = reverse("admin:campaigns_suppression_verb", args=[row.pk, "lift"])
    assert "A reason is needed" in text_of(boss.post(address, {"confirmed": "1", "reason": " "}))
    assert listed() == {"ida@acme.example"}
    page = text_of(boss.post(address, {"confirmed": "1", "reason": "a customer again"}, follow=True))
    assert "ida@acme.example is off the list." in page
    assert listed() == set()
    event = Event.objects.filter(subject_type="suppression").latest("id")
    assert (event.verb, event.actor, event.door, event.reason) == ("lifted", "boss", "admin", "a customer again")


def test_lifting_many_says_how_many_it_did_and_skipped(boss: Client) -> None:
    wish = row_of("ida@acme.example", Suppression.Cause.UNSUBSCRIBED)
    others = [row_of("birch.example"), row_of("tom@acme.example", Suppression.Cause.BOUNCED)]
    asked = choose(boss, [wish, *others])
    assert "Take off the list: 3 suppressions?" in asked
    page = choose(boss, [wish, *others], confirmed="1", reason="a new start")
    assert "Take off the list: 2 done." in page
    assert f"Take off the list: 1 skipped. {wish.why_final}" in page
    assert listed() == {"ida@acme.example"}


@pytest.mark.parametrize("final", Suppression.FINAL)
def test_a_persons_own_wish_is_lifted_by_nobody(boss: Client, final: Suppression.Cause) -> None:
    row = row_of("ida@acme.example", final)
    page = text_of(boss.get(reverse("admin:campaigns_suppression_change", args=[row.pk])))
    assert row.why_final in page
    assert "Take off the list…" not in page
    for name in ("verb", "delete"):
        arguments = [row.pk, "lift"] if name == "verb" else [row.pk]
        address = reverse(f"admin:campaigns_suppression_{name}", args=arguments)
        answer = boss.post(address, {"confirmed": "1", "reason": "please", "post": "yes"}, follow=True)
        assert "nobody can take that off the list." in text_of(answer)
    assert listed() == {"ida@acme.example"}


def test_who_may_not_delete_is_not_offered_to_lift(operator: Client) -> None:
    row = row_of("ida@acme.example")
    assert "Take off the list" not in text_of(operator.get(LIST))
    address = reverse("admin:campaigns_suppression_verb", args=[row.pk, "lift"])
    assert operator.post(address, {"confirmed": "1", "reason": "please"}).status_code == 403
    choose(operator, [row], confirmed="1", reason="please")
    assert listed() == {"ida@acme.example"}
