"""Files as other programs export them: through the command, and as the console's preview shows them."""

import io
from pathlib import Path
from typing import Any

import pytest

from campaigns.leads.preview import sniff
from campaigns.leads.suppression import suppress
from campaigns.models import Campaign, Lead
from circuitbreakers.models import Event
from tests.breakers import ANN
from tests.campaigns.conftest import Ran

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


@pytest.fixture
def create(manage: Any, tmp_path: Path) -> Any:
    """`campaign create` with a file of this content."""

    def run(content: str, *arguments: str, encoding: str = "utf-8") -> Ran:
        path = tmp_path / "people.csv"
        path.write_text(content, encoding, newline="")
        return manage("campaign", "create", "Autumn", "--csv", path, "--json", *arguments)

    return run


def lead() -> dict[str, Any]:
    """The one lead's columns."""
    return dict(
        Lead.objects.values("email", "first_name", "last_name", "title", "company", "company_domain", "data").get()
    )


IDA = {"email": "ida@acme.example", "first_name": "Ida", "last_name": "Locke", "title": "CTO", "company": "Acme"}
LINE = "Ida,Locke,ida@acme.example,CTO,Acme"

EXPORTS = {
    "Outlook": "First Name,Middle Name,Last Name,Title,Suffix,E-mail Address,Company,Job Title,Department\n"
    "Ida,,Locke,Ms.,,ida@acme.example,Acme,CTO,Data\n",
    "HubSpot": "Record ID,First Name,Last Name,Email,Job Title,Associated Company,Website URL,Country/Region\n"
    "1,Ida,Locke,ida@acme.example,CTO,Acme,acme.example,UK\n",
    "Hunter": "Email address,Domain name,Organization,Confidence score,Type,First name,Last name,Position\n"
    "ida@acme.example,acme.example,Acme,98,personal,Ida,Locke,CTO\n",
    "Seamless.AI": "Contact Full Name,Title,Company Name,Email 1,Email 1 Validation,Email 2,Contact LI Profile URL\n"
    "Ida Locke,CTO,Acme,ida@acme.example,valid,,http://l.example\n",
    "RocketReach": "Name,Current Title,Current Employer,Recommended Email,Personal Email,Location\n"
    "Ida Locke,CTO,Acme,ida@acme.example,ida@home.example,Leeds\n",
    "Clay": "Find people,Full Name,Job Title,Company Name,Company Domain,Work Email,LinkedIn Profile\n"
    "x,Ida Locke,CTO,Acme,acme.example,ida@acme.example,http://l.example\n",
    "Pipedrive": "Person - Name,Person - Email - Work,Person - Job title,Organization - Name,Person - Owner\n"
    "Ida Locke,ida@acme.example,CTO,Acme,Olga\n",
    "Pipedrive, no work address": "Person - Name,Person - Email - Work,Person - Email - Other,Person - Job title,"
    "Organization - Name\nIda Locke,,ida@acme.example,CTO,Acme\n",
    "Lusha": "First Name,Last Name,Job Title,Company Name,Company Domain,Work Email,Private Email\n"
    "Ida,Locke,CTO,Acme,acme.example,ida@acme.example,ida@home.example\n",
    "ZoomInfo": "Last Name,First Name,Job Title,Management Level,Email Address,Company Name,Website,Primary Industry\n"
    "Locke,Ida,CTO,C-Level,ida@acme.example,Acme,www.acme.example,Machines\n",
    "Salesforce": "FirstName,LastName,Title,Account.Name,Email,HasOptedOutOfEmail\n"
    "Ida,Locke,CTO,Acme,ida@acme.example,false\n",
    "German": "Anrede;Vorname;Nachname;Firma;Position;E-Mail-Adresse;Webseite;Straße\n"
    "Frau;Ida;Locke;Acme;CTO;ida@acme.example;acme.example;x\n",
    "German, the last name alone": "Vorname;Name;Unternehmen;Berufsbezeichnung;E-Mail\n"
    "Ida;Locke;Acme;CTO;ida@acme.example\n",
    "French": "Prénom,Nom de famille,Société,Poste,Adresse e-mail\nIda,Locke,Acme,CTO,ida@acme.example\n",
    "Google Contacts": "First Name,Last Name,Organization Name,Organization Title,E-mail 1 - Label,E-mail 1 - Value\n"
    "Ida,Locke,Acme,CTO,* Work,ida@acme.example\n",
    "Google Contacts, before": "Given Name,Family Name,Organization 1 - Name,Organization 1 - Title,E-mail 1 - Value\n"
    "Ida,Locke,Acme,CTO,ida@acme.example\n",
    "LinkedIn": 'Notes:\n"When exporting, some addresses may be missing."\n\n'
    "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
    "Ida,Locke,https://l.example/in/ida,ida@acme.example,Acme,CTO,01 Jan 2024\n",
    "bars": "First Name|Last Name|Email|Company|Title\nIda|Locke|ida@acme.example|Acme|CTO\n",
    "bars, unknown names": "Ansprache|Wer|Kontakt\nHallo|Ida Locke|ida@acme.example\n",
    "only a secondary address": "First Name,Last Name,Title,Company Name,Email,Email Status,Secondary Email\n"
    "Ida,Locke,CTO,Acme,,Unavailable,ida@acme.example\n",
    "a locked first address": "First Name,Last Name,Title,Company Name,Email,Secondary Email\n"
    "Ida,Locke,CTO,Acme,email_not_unlocked@domain.com,ida@acme.example\n",
    "a title line and an exporter": "Autumn list\nExported by: olga@home.example,today\n\n"
    f"First Name,Last Name,Email,Title,Company\n{LINE}\n",
    "an unknown header": f"Rufname,Zuname,Kontakt,Title,Company\n{LINE}\n",
}  # fmt: skip


@pytest.mark.parametrize("program", EXPORTS)
def test_an_export_becomes_the_lead_that_it_means(create: Any, program: str) -> None:
    unknown = "unknown" in program
    ran = create(EXPORTS[program])
    assert ran.status == 0, ran.err
    known = {"email": IDA["email"]} if unknown else IDA
    assert {name: value for name, value in lead().items() if name in known} == known


@pytest.mark.parametrize("program", EXPORTS)
def test_the_preview_means_the_same_as_the_import(create: Any, program: str) -> None:
    made = create(EXPORTS[program]).data["import"]
    seen = sniff(io.BytesIO(EXPORTS[program].encode()))
    assert {name: field for name, field in seen.mapping.items() if field} == made["recognised"]
    assert (seen.guessed_columns, seen.header_row, seen.delimiter) == (
        made["guessed"],
        made["header_row"],
        made["delimiter"],
    )


def test_what_is_known_of_the_company_is_kept(create: Any) -> None:
    create(
        "Email,Associated Company,Website URL,Country/Region,State/Region\nida@acme.example,Acme,acme.example,UK,Kent\n"
    )
    assert (lead()["company"], lead()["company_domain"]) == ("Acme", "acme.example")
    assert lead()["data"] == {"country": "UK", "state": "Kent"}


# --- titles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("salutation", ["Ms.", "Mr", "Dr.", "Prof. Dr.", "Frau", "Herr Dr."])
def test_a_salutation_is_nobodys_job(create: Any, salutation: str) -> None:
    rows = f"ida@acme.example,{salutation}\ntom@acme.example,{salutation}\nzoe@acme.example,CTO\n"
    report = create(f"Email,Title\n{rows}").data["import"]
    assert set(Lead.objects.values_list("title", flat=True)) == {""}
    assert report["ignored"] == ["Title"]
    create(f"Email,Title\nida@acme.example,{salutation}\ntom@acme.example,CTO\nzoe@acme.example,Doctor\n")
    assert list(Campaign.objects.latest("pk").leads.order_by("email").values_list("title", flat=True)) == [
        *("", "CTO", "Doctor")
    ]


# --- addresses --------------------------------------------------------------------------------------------------------


def test_a_locked_address_is_skipped_for_a_reason_of_its_own(create: Any) -> None:
    report = create(
        "First Name,Email,Email Status\nIda,email_not_unlocked@domain.com,Unavailable\n"
        "Tom,'Email_Not_Unlocked@domain.com,\n"
        "Bob,Unavailable,\nZed,zed@oak.example,Verified\n"
    ).data["import"]
    assert (report["taken"], report["skipped"]) == (1, {"address locked at Apollo": 3})


def test_residue_makes_no_second_lead_and_does_not_get_around_the_list(create: Any) -> None:
    suppress(["no@acme.example"], "", ANN)
    addresses = [
        "{}",
        "'{}",
        "%20{}",
        "//{}",
        "mailto:{}?subject=Hello",
        "[{0}](mailto:{0})",
        "\u200b{}",
        "<{}>",
        "{}\u00a0",
    ]
    rows = [shape.format(address) for address in ("ida@acme.example", "no@acme.example") for shape in addresses]
    report = create("Email\n" + "".join(f"{row}\n" for row in rows)).data["import"]
    assert report["taken"] == 1
    assert report["skipped"] == {"duplicate in file": len(addresses) - 1, "suppressed": len(addresses)}


@pytest.mark.parametrize("cell", ['"{}, {}"', "{};{}", "{} / {}", '"{}\n{}"', "{} {}"])
def test_of_two_addresses_the_first_is_written_to_and_the_other_kept(create: Any, cell: str) -> None:
    report = create("Name,Email\nIda Locke," + cell.format("ida@acme.example", "ida@home.example") + "\n").data[
        "import"
    ]
    assert (report["taken"], lead()["email"]) == (1, "ida@acme.example")
    assert lead()["data"] == {"other_emails": "ida@home.example"}


def test_nobody_who_asked_by_another_address_is_written_to(create: Any) -> None:
    suppress(["ida@home.example", "elsewhere.example"], "asked us", ANN)
    report = create(
        'Email,Secondary Email\n"ida@acme.example, ida@home.example",\n'
        "ida@acme.example,ida@home.example\ntom@acme.example,tom@elsewhere.example\n"
    ).data["import"]
    # A domain that is silenced says nothing about a person's other addresses.
    assert (report["skipped"], lead()["email"]) == ({"suppressed": 2}, "tom@acme.example")


def test_a_status_is_not_said_of_another_address(create: Any) -> None:
    create(EXPORTS["only a secondary address"])
    assert lead()["data"] == {}


# --- who wants no mail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "out", "takes_mail"),
    [
        ("Unsubscribed", "true", "false"),
        ("Unsubscribe", "x", ""),
        ("Email Opt Out", "Yes", "No"),
        ("Email Opt-Out", "1", "0"),
        ("Opted out", "TRUE", "n/a"),
        ("Has Opted Out of Email", "true", "FALSE"),
        ("Unsubscribed from all email", "2024-05-01", ""),
        ("Opted out of email: Marketing", "Y", "N"),
        ("Do not contact", "ja", "nein"),
        ("Person - Do Not Email", "checked", "-"),
        ("Unsubscribed At", "2024-01-01 10:00", ""),
        ("Email Permission Status", "Opted Out", "Opted In"),
        ("Subscription status", "unsubscribed", "subscribed"),
        ("subscribed", "false", "true"),
        ("UNSUB_TIME", "2024-01-01", ""),
        ("Status", "Unsubscribed", "No"),
        ("Lead Status", "Do not contact", "New"),
        ("Opt-in", "no", ""),
    ],
)
def test_who_wants_no_mail_is_skipped_and_it_is_said(create: Any, header: str, out: str, takes_mail: str) -> None:
    report = create(f"Email,{header}\nida@acme.example,{out}\ntom@acme.example,{takes_mail}\n").data["import"]
    assert (report["taken"], report["skipped"], lead()["email"]) == (1, {"opted out": 1}, "tom@acme.example")


def test_a_link_to_unsubscribe_is_no_wish(create: Any) -> None:
    report = create("Email,Unsubscribe link\nida@acme.example,https://acme.example/u\n").data["import"]
    assert (report["taken"], report["ignored"]) == (1, ["Unsubscribe link"])


# --- header, columns, delimiter ---------------------------------------------------------------------------------------


def test_rows_are_numbered_as_a_spreadsheet_shows_them(create: Any) -> None:
    report = create("A list\n\nFirst Name,Email\nIda,ida@acme.example\nTom,nobody\n").data["import"]
    assert (report["header_row"], report["examples"]) == (3, [[5, "malformed address"]])
    assert report["rows"] == 2


def test_a_file_without_a_header_loses_no_row_in_silence(create: Any) -> None:
    ran = create("ida@acme.example,Ida\ntom@acme.example,Tom\n")
    assert (ran.status, Campaign.objects.count()) == (1, 0)
    assert "first row holds an address already" in ran.err


def test_a_guessed_column_is_named_as_guessed(create: Any, manage: Any, tmp_path: Path) -> None:
    content = "Wer,Kontakt,Account Owner\nIda,ida@acme.example,olga@home.example\nTom,n/a,olga@home.example\n"
    report = create(content).data["import"]
    assert (report["guessed"], report["recognised"], lead()["email"]) == (
        ["Kontakt"],
        {"Kontakt": "email"},
        "ida@acme.example",
    )
    text = manage("campaign", "create", "Autumn", "--csv", tmp_path / "people.csv").out
    assert "Guessed from its cells: Kontakt is email." in text
    assert "Ignored columns: Wer, Account Owner" in text


def test_a_named_column_without_addresses_does_not_hide_the_one_that_has_them(create: Any) -> None:
    report = create("Email,Personal Email\n,ida@home.example\nno,tom@home.example\n").data["import"]
    assert (report["taken"], report["guessed"]) == (2, ["Personal Email"])
    create("Email,Personal Email\nida@acme.example,ida@home.example\n")
    assert Lead.objects.latest("pk").data == {}


def test_a_colleagues_address_is_not_guessed_to_be_the_leads(create: Any) -> None:
    ran = create("Name,Contact Owner\nIda,olga@home.example\n")
    assert "No column holds e-mail addresses" in ran.err


def test_a_column_can_be_mapped_and_ignored(create: Any) -> None:
    ran = create(
        "a=b,Email,Note\nida@home.example,ida@acme.example,CTO\n",
        *("--map", "a=b=email", "--map", "Email=", "--map", "Note=title"),
    )
    assert (lead()["email"], lead()["title"]) == ("ida@home.example", "CTO")
    assert ran.data["import"]["ignored"] == ["Email"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--map", "Email"), 2, "is not COLUMN=FIELD"),
        (("--map", "Email=password"), 1, "There is no field 'password'"),
        (("--map", "Mail=email"), 1, "There is no column 'Mail'"),
        (("--delimiter", "ab"), 1, "cannot separate columns"),
        (("--encoding", "zip"), 1, "Choose one of: utf-8"),
        (("--delimiter", ":"), 1, "No column holds e-mail addresses"),
    ],
)
def test_what_does_not_fit_is_refused_and_makes_no_campaign(
    create: Any, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = create("Email,Title\nida@acme.example,CTO\n", *arguments)
    assert (ran.status, said in ran.err) == (status, True)
    assert not Campaign.objects.exists()
    assert not Event.objects.filter(subject_type="campaign").exists()


@pytest.mark.parametrize(
    ("delimiter", "chosen"),
    [("^", "^"), (":", ":"), ("~", "~"), ("|", "pipe"), ("\t", "tab"), ("\t", "\\t"), (";", ";")],
)
def test_a_delimiter_can_be_chosen(create: Any, delimiter: str, chosen: str) -> None:
    content = "Email,Title\nida@acme.example,CTO\n".replace(",", delimiter)
    ran = create(content, "--delimiter", chosen)
    assert (ran.data["import"]["delimiter"], lead()["title"]) == (delimiter, "CTO")
    assert sniff(io.BytesIO(content.encode()), delimiter=chosen).delimiter == delimiter


def test_an_encoding_can_be_chosen(create: Any) -> None:
    assert create("Email,First Name\nzoe@acme.example,Zoë\n", "--encoding", "cp1252", encoding="cp1252").status == 0
    assert lead()["first_name"] == "Zoë"


# --- a dry run --------------------------------------------------------------------------------------------------------

NASTY = (
    "Email,Title,Apollo Contact Id,Unsubscribed,Note\nida@acme.example,CTO,aaaaaaaaaaaa,,\nIDA@acme.example,,,,\n"
    "tom@acme.example,,aaaaaaaaaaaa,,\nknown@acme.example,,,,\nother@acme.example,,bbbbbbbbbbbb,,\nno@birch.example,,,,\n"
    "out@acme.example,,,yes,\nemail_not_unlocked@domain.com,,,,\nx,,,,\n,CTO,,,\nknown@acme.example,,,,\n"
    "zoe@acme.example,,cccccccccccc,,\nzoe@acme.example,,,,\nlast@acme.example,,,,,,too wide\n"
)


@pytest.mark.parametrize("batch", [1, 3, 5000])
def test_a_dry_run_says_what_the_import_does_and_does_nothing(
    manage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("campaigns.leads.importing.BATCH", batch)
    suppress(["birch.example"], "", ANN)
    path = tmp_path / "people.csv"
    path.write_text(NASTY)
    campaign = Campaign.objects.create(name="Autumn")
    Lead.objects.create(campaign=campaign, email="known@acme.example")
    Lead.objects.create(campaign=campaign, email="moved@acme.example", apollo_id="bbbbbbbbbbbb")
    before = Event.objects.count()
    foretold = manage("campaign", "import", campaign.pk, path, "--dry-run", "--json").data
    assert (Lead.objects.count(), Event.objects.count()) == (2, before)
    assert foretold.pop("dry_run") is True
    assert foretold == manage("campaign", "import", campaign.pk, path, "--json").data
    assert len(foretold["skipped"]) == 8


def test_a_dry_run_makes_no_campaign(create: Any, manage: Any, tmp_path: Path) -> None:
    foretold = create(NASTY, "--dry-run", "--start").data
    assert not Campaign.objects.exists()
    assert not Event.objects.filter(subject_type="campaign").exists()
    assert foretold["dry_run"] is True
    assert foretold["import"] == create(NASTY).data["import"]
    text = manage("campaign", "create", "Winter", "--csv", tmp_path / "people.csv", "--dry-run").out
    assert "would be taken" in text
    assert "  Email is email" in text
    assert "Ignored columns: Note" in text
    assert "  1 opted out" in text
    assert text.endswith("Nothing was changed.\n")
    assert manage("campaign", "create", "x" * 300, "--dry-run").status == 2
