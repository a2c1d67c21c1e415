"""`manage.py suppression`: exit statuses, what it prints for people and for programs, and who did it."""

from pathlib import Path
from typing import Any

import pytest

from campaigns.leads.suppression import suppress
from campaigns.models import Suppression
from circuitbreakers.models import Event
from tests.breakers import ANN
from tests.builders import make_lead
from tests.campaigns.test_suppression import ROUND_THE_LIST

pytestmark = pytest.mark.django_db


def test_values_are_added_and_their_leads_end(manage: Any) -> None:
    make_lead(email="ida@acme.example")
    ran = manage("suppression", "add", "Ida@acme.example", "@birch.example", "--reason", "asked us", "--actor", "olga")
    assert (ran.status, ran.out) == (0, "2 added, 0 already there, 0 refused; 1 open lead ended.\n")
    event = Event.objects.filter(subject_type="suppression").first()
    assert event
    assert (event.actor, event.door, event.reason) == ("olga", "command", "asked us")
    assert set(Suppression.objects.values_list("source", "cause")) == {("command", "operator")}


def test_a_refused_value_is_named_and_the_others_are_taken(manage: Any) -> None:
    ran = manage("suppression", "add", "co.uk", "ida@acme.example", "--json")
    assert ran.status == 1
    assert (ran.data["added"], [one["value"] for one in ran.data["refused"]]) == (1, ["co.uk"])
    assert "public suffix" in manage("suppression", "add", "co.uk").out


def test_a_file_is_imported_with_a_report(manage: Any, tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_text("Email\nida@acme.example\nnobody\n")
    ran = manage("suppression", "import", file, "--reason", "old opt-outs", "--cause", "unsubscribed")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "2 values: 1 added, 0 already there, 1 refused; 0 open leads ended.",
        "Read from: Email",
        "  row 3: nobody: This is neither an address nor a domain such as acme.example.",
    ]
    assert Suppression.objects.get().cause == "unsubscribed"
    again = manage("suppression", "import", file, "--json")
    assert (again.data["already"], again.data["refusals"][0][:2]) == (1, [3, "nobody"])


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("import", "nowhere.csv"), 1),
        (("export", "--json"), 2),
        (("add",), 2),
        (("add", "a@b.example", "--cause", "erased"), 2),
        (("remove", "ida@acme.example"), 2),
        (("remove", "tom@acme.example", "--reason", "x"), 1),
        (("remove", "tom@birch.example", "--reason", "x"), 1),
    ],
)
def test_what_cannot_be_done_has_its_status_and_changes_nothing(
    manage: Any, arguments: tuple[str, ...], status: int
) -> None:
    suppress(["ida@acme.example", "birch.example"], "asked us", ANN)
    assert manage("suppression", *arguments).status == status
    assert Suppression.objects.count() == 2


def test_the_list_is_exported_to_a_file(manage: Any, tmp_path: Path) -> None:
    suppress(["ida@acme.example"], "asked us", ANN)
    file = tmp_path / "list.csv"
    assert manage("suppression", "export", file).out == f"1 suppressions written to {file}\n"
    assert b"ida@acme.example,operator,asked us,command" in file.read_bytes()


def test_a_check_says_whether_anybody_writes_there_and_why_not(manage: Any) -> None:
    suppress(["acme.example"], "a customer", ANN)
    checked = manage("suppression", "check", "IDA@acme.example", "tom@birch.example", "--json").data
    assert [(one["value"], one["suppressed"], one["by"]) for one in checked] == [
        ("ida@acme.example", True, "acme.example"),
        ("tom@birch.example", False, None),
    ]
    shown = manage("suppression", "check", "ida@acme.example", "tom@birch.example").out
    assert "nobody writes there" in shown
    assert "may be written to" in shown


def test_a_value_is_removed_with_a_reason(manage: Any) -> None:
    suppress(["ida@acme.example"], "bounced", ANN, cause=Suppression.Cause.BOUNCED)
    ran = manage("suppression", "remove", "IDA@acme.example", "--reason", "the mailbox is back")
    assert (ran.status, ran.out) == (0, "ida@acme.example is off the list. What had ended stays ended.\n")
    assert not Suppression.objects.exists()
    assert Event.objects.latest("id").reason == "the mailbox is back"


@pytest.mark.parametrize("final", Suppression.FINAL)
def test_a_persons_own_wish_cannot_be_removed(manage: Any, final: Suppression.Cause) -> None:
    suppress(["ida@acme.example"], "a click", ANN, cause=final)
    ran = manage("suppression", "remove", "ida@acme.example", "--reason", "please")
    assert ran.status == 1
    assert "nobody can take that off the list." in ran.err
    assert Suppression.objects.exists()


@pytest.mark.parametrize("raw", ROUND_THE_LIST)
def test_no_notation_gets_round_the_command(manage: Any, raw: str) -> None:
    assert manage("suppression", "add", raw).status == 0
    assert Suppression.objects.get().value == "ida@xn--bro-hoa.example"
    assert manage("suppression", "check", raw, "--json").data[0]["suppressed"]
    assert manage("suppression", "remove", raw, "--reason", "a test").status == 0
