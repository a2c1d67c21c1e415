"""Files and pasted texts come onto the suppression list whole, or with each refusal named by its row."""

import csv
import io
from typing import Any

import pytest

from campaigns.leads import suppression_file
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.exporting import suppressions_csv
from campaigns.leads.suppression import suppress
from campaigns.leads.suppression_file import ListReport, suppress_file, suppress_text
from campaigns.models import Suppression
from tests.breakers import ANN
from tests.builders import make_lead
from tests.campaigns.test_suppression import ROUND_THE_LIST

pytestmark = pytest.mark.django_db


def load(text: str | bytes, **details: Any) -> ListReport:
    content = text if isinstance(text, bytes) else text.encode()
    return suppress_file(io.BytesIO(content), "opted out", ANN, **details)


def listed() -> set[str]:
    return set(Suppression.objects.values_list("value", flat=True))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("ida@acme.example\n\nbirch.example\n", {"ida@acme.example", "birch.example"}),
        ("acme.example\nbirch.example\n", {"acme.example", "birch.example"}),
        ("Email\nida@acme.example\n", {"ida@acme.example"}),
        ("Unsubscribed in 2026\n\nName;E-Mail\nIda;ida@acme.example\n", {"ida@acme.example"}),
        ("Name,Email,Website\nIda,ida@acme.example,acme.example\n", {"ida@acme.example"}),
        ("Ida,ida@acme.example,acme.example\n", {"ida@acme.example"}),
        ("Company,Domain\nAcme,acme.example\n", {"acme.example"}),
        ("Email,Secondary Email\nida@acme.example,i@home.example\n", {"ida@acme.example", "i@home.example"}),
        ("id,bl_value\n1,acme.example\n2,ida@birch.example\n", {"acme.example", "ida@birch.example"}),
        ("\ufeffvalue\nIDA@acme.example\n", {"ida@acme.example"}),
    ],
)
def test_the_values_are_found_in_a_plain_list_and_in_a_table(text: str, values: set[str]) -> None:
    report = load(text)
    assert listed() == values
    assert (report.values, report.added, report.refused) == (len(values), len(values), 0)


def test_the_report_counts_and_names_each_refusal_by_its_row() -> None:
    suppress(["old@acme.example"], "", ANN)
    make_lead(email="ida@acme.example")
    report = load("Email\nida@acme.example\nold@acme.example\nnobody\n co.uk\nIDA@acme.example\n")
    assert (report.values, report.added, report.already, report.refused, report.leads) == (5, 1, 2, 2, 1)
    assert [(row, value) for row, value, _ in report.refusals] == [(4, "nobody"), (5, "co.uk")]
    assert "public suffix" in report.refusals[1][2]
    assert report.columns == ["Email"]
    assert report.summary == "1 added, 2 already there, 2 refused; 1 open lead ended."


def test_the_same_file_again_adds_nothing() -> None:
    text = "Email\nida@acme.example\ntom@acme.example\n"
    assert load(text).added == 2
    again = load(text)
    assert (again.added, again.already) == (0, 2)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"Name,City\nIda,Berlin\n", "No column holds addresses or domains"),
        (b"PK\x03\x04", "an Excel workbook"),
        (b"Email\nida@b\xfcro.example\n", "not valid UTF-8"),
        (b"Email\n", "no rows below it"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(content: bytes, why: str) -> None:
    with pytest.raises(ImportRefused, match=why):
        load(content)
    assert listed() == set()


def test_more_rows_than_a_door_takes_are_refused_before_anything_is_written() -> None:
    with pytest.raises(ImportRefused, match="more than 2 rows"):
        load("a@acme.example\nb@acme.example\nc@acme.example\n", most=2)
    assert listed() == set()


def test_the_list_that_was_exported_can_be_imported_with_its_causes() -> None:
    suppress(["ida@acme.example"], "=1+1", ANN, cause=Suppression.Cause.UNSUBSCRIBED)
    suppress(["acme.example"], "a customer", ANN)
    exported = b"".join(suppressions_csv(Suppression.objects.all()))
    rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"))))
    assert [(row["value"], row["cause"], row["reason"], row["source"]) for row in rows] == [
        ("ida@acme.example", "unsubscribed", "'=1+1", "command"),
        ("acme.example", "operator", "a customer", "command"),
    ]
    Suppression.objects.all().delete()
    assert load(exported).added == 2
    assert dict(Suppression.objects.values_list("value", "cause")) == {
        "ida@acme.example": "unsubscribed",
        "acme.example": "operator",
    }


def test_a_pasted_text_holds_one_value_a_line_or_several() -> None:
    report = suppress_text("ida@acme.example, birch.example\n\nTom <tom@acme.example>; nobody\t@c.example", "", ANN)
    assert listed() == {"ida@acme.example", "birch.example", "tom@acme.example", "c.example"}
    assert [(row, value) for row, value, _ in report.refusals] == [(3, "nobody")]


@pytest.mark.parametrize("raw", ROUND_THE_LIST)
def test_no_notation_gets_round_the_list_in_a_file_or_a_paste(raw: str) -> None:
    quoted = io.StringIO()
    csv.writer(quoted).writerow([raw])
    for report in (load(f"Email\n{quoted.getvalue()}"), load(quoted.getvalue()), suppress_text(raw, "", ANN)):
        assert (report.added + report.already, report.refused) == (1, 0)
    assert listed() == {"ida@xn--bro-hoa.example"}


def test_refusals_are_counted_to_the_end_and_named_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_file, "KEPT", 2)
    report = suppress_text("\n".join(["ida@acme.example", *(f"no{number}" for number in range(5))]), "", ANN)
    assert (report.refused, len(report.refusals)) == (5, 2)
