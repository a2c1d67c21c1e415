import csv
import hashlib
import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from campaigns.leads import importing, rows
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.exporting import export_csv
from campaigns.leads.importing import ImportReport, import_csv
from campaigns.leads.preview import sniff
from campaigns.leads.suppression import suppress
from campaigns.models import Campaign, Lead
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from tests.breakers import at_once

pytestmark = pytest.mark.django_db
OPERATOR = Actor("olga", "command")
SAMPLE = Path(settings.BASE_DIR) / "samples" / "people.csv"


def make_campaign(**fields: Any) -> Campaign:
    return Campaign.objects.create(name="Autumn", **fields)


def load(content: bytes | str, campaign: Campaign | None = None, **options: Any) -> ImportReport:
    data = content.encode() if isinstance(content, str) else content
    return import_csv(campaign or make_campaign(), io.BytesIO(data), actor=OPERATOR, **options)


def refusal(content: bytes | str, **options: Any) -> str:
    """The text of the refusal; nothing was written."""
    with pytest.raises(ImportRefused) as caught:
        load(content, **options)
    assert not Lead.objects.exists()
    assert not Event.objects.exists()
    return str(caught.value)


# --- what becomes a lead ----------------------------------------------------------------------------------------------


def test_apollos_columns_become_a_lead() -> None:
    report = load(
        "First Name,Last Name,Title,Company Name,Company Name for Emails,Email,Email Status,Seniority,# Employees,"
        "Industry,Keywords,Person Linkedin Url,Website,City,State,Country,Apollo Contact Id,Work Direct Phone\n"
        'Ida,Locke,CTO,"Acme Holdings, Inc.",Acme,Ida@Acme.example,Verified,C suite,120,machinery,"a, b",'
        "http://www.linkedin.example/in/ida,https://www.acme.example/x,Leeds,England,United Kingdom,"
        "65f0aa65f0aa65f0aa65f0aa,'+44 113\n"
    )
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name, lead.title) == ("Ida", "Locke", "CTO")
    assert (lead.company, lead.company_domain, lead.email) == ("Acme", "acme.example", "ida@acme.example")
    assert (lead.apollo_id, lead.state, lead.stage) == ("65f0aa65f0aa65f0aa65f0aa", "OPEN", "")
    assert lead.data == {
        "email_status": "Verified",
        "seniority": "C suite",
        "linkedin_url": "http://www.linkedin.example/in/ida",
        "city": "Leeds",
        "state": "England",
        "country": "United Kingdom",
        "industry": "machinery",
        "keywords": "a, b",
        "employees": "120",
    }
    assert (report.rows, report.taken, report.skipped) == (1, 1, {})
    assert report.recognised["Company Name for Emails"] == "company"
    assert report.ignored == ["Work Direct Phone"]


def test_headers_are_found_whatever_their_case_and_blanks() -> None:
    load("E-MAIL ;first_name; LASTNAME;Company\nida@acme.example;Ida;Locke;Acme\n")
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name, lead.company) == ("Ida", "Locke", "Acme")


def test_a_full_name_is_split_where_there_are_no_parts() -> None:
    load("Name,Email\nIda van der Locke,ida@acme.example\n")
    assert (Lead.objects.get().first_name, Lead.objects.get().last_name) == ("Ida", "van der Locke")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_endings(delimiter: str, ending: str) -> None:
    lines = ["First Name,Title,Email", 'Zoë,"VP,\nSales; ""EMEA""\t",zoe@acme.example', "Tom,CTO,tom@acme.example"]
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=delimiter, lineterminator=ending).writerows(csv.reader(lines[:1] + lines[2:]))
    csv.writer(content, delimiter=delimiter, lineterminator=ending).writerow(next(csv.reader(lines[1:2])))
    report = load(content.getvalue())
    assert (report.taken, report.delimiter) == (2, delimiter)
    assert Lead.objects.get(first_name="Zoë").title == 'VP, Sales; "EMEA"'


def test_excels_separator_line_is_a_hint() -> None:
    assert load("sep=;\r\nEmail;Title\r\nida@acme.example;VP, Sales\r\n").taken == 1
    assert Lead.objects.get().title == "VP, Sales"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_recognised(encoding: str) -> None:
    load("First Name,Email\nנועה 🚀,noa@acme.example\n".encode(encoding))
    assert Lead.objects.get().first_name == "נועה 🚀"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_other_encodings_are_taken_when_chosen(encoding: str) -> None:
    report = load("First Name,Email\nZoë,zoe@acme.example\n".encode(encoding), encoding=encoding)
    assert Lead.objects.get().first_name == "Zoë"
    assert report.encoding == encoding


def test_nul_bytes_control_characters_and_quoted_newlines_become_blanks() -> None:
    load(b'First Name,Title,Email\nI\x00da,"Head\r\nof\tSales\x07\xe2\x80\xae",ida@acme.example\n')
    assert (Lead.objects.get().first_name, Lead.objects.get().title) == ("I da", "Head of Sales")


def test_what_is_too_long_is_cut_and_counted() -> None:
    row = ["N" * 201, "T" * 600, "C" * 301, "K" * 5000, "W" * 400, "ida@acme.example", "not an Apollo id!"]
    header = "First Name,Title,Company,Keywords,Website,Email,Apollo Contact Id\n"
    report = load(header + ",".join(row) + "\n")
    lead = Lead.objects.get()
    assert (len(lead.first_name), len(lead.title), len(lead.company)) == (200, 500, 300)
    assert (len(lead.data["keywords"]), lead.company_domain, lead.apollo_id) == (1000, "", "")
    assert report.shortened == {"first_name": 1, "title": 1, "company": 1, "keywords": 1}


def test_lengths_are_those_of_the_model() -> None:
    assert {name: getattr(Lead._meta.get_field(name), "max_length", None) for name in rows.LENGTHS} == rows.LENGTHS


def test_a_mapping_beats_what_is_recognised() -> None:
    content = "Mail,Private mail,Who\nida@acme.example,ida@home.example,Ida Locke\n"
    report = load(content, mapping={"Private mail": "email", "Who": "name", "Mail": ""})
    assert (Lead.objects.get().email, Lead.objects.get().first_name) == ("ida@home.example", "Ida")
    assert report.ignored == ["Mail"]


# --- what is skipped, and why -----------------------------------------------------------------------------------------


def test_each_skipped_row_has_its_reason() -> None:
    campaign = make_campaign()
    Lead.objects.create(campaign=campaign, email="known@acme.example")
    suppress(["birch.example", "no@acme.example"], "", OPERATOR)
    skipped = io.StringIO(newline="")
    report = load(
        "Email,Title\n"
        "ida@acme.example,CTO\n"
        ",CEO\n"
        "\n"
        "n/a,CEO\n"
        "IDA@acme.example ,CTO\n"
        "known@acme.example,CTO\n"
        "tom@mail.birch.example,CTO\n"
        "no@acme.example,=1+1\n"
        "x@acme.example,VP, Sales\n"
        "tom@acme.example\n",
        campaign,
        skipped_to=skipped,
    )
    assert (report.rows, report.taken) == (9, 2)
    assert report.skipped == {
        "no address": 1,
        "malformed address": 1,
        "duplicate in file": 1,
        "already in campaign": 1,
        "suppressed": 2,
        "more cells than columns": 1,
    }
    assert report.examples[:3] == [(3, "no address"), (5, "malformed address"), (6, "duplicate in file")]
    written = list(csv.reader(io.StringIO(skipped.getvalue(), newline="")))
    assert written[0] == ["Row", "Reason", "Email", "Title"]
    assert written[3] == ["6", "duplicate in file", "IDA@acme.example ", "CTO"]
    assert written[6] == ["9", "suppressed", "no@acme.example", "'=1+1"]


def test_the_skipped_rows_can_be_mended_and_imported() -> None:
    skipped = io.StringIO(newline="")
    load("Email,First Name\nida@acme,Ida\n", skipped_to=skipped)
    assert load(skipped.getvalue().replace("ida@acme", "ida@acme.example")).taken == 1
    assert Lead.objects.get().first_name == "Ida"


def test_duplicates_across_batches_are_told_from_leads_that_were_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    campaign = make_campaign()
    content = "Email,Apollo Contact Id\n" + "".join(f"p{n % 5}@acme.example,\n" for n in range(11))
    content += "other@acme.example,aaaaaaaaaaaa\nmoved@acme.example,aaaaaaaaaaaa\n"
    assert load(content, campaign).skipped == {"duplicate in file": 7}
    assert load(content, campaign).skipped == {"already in campaign": 13}
    assert Lead.objects.count() == 6


def test_the_same_file_twice_adds_nothing() -> None:
    campaign = make_campaign()
    first = load(SAMPLE.read_bytes(), campaign)
    before = list(Lead.objects.order_by("pk").values())
    second = load(SAMPLE.read_bytes(), campaign)
    assert second.taken == 0
    assert second.rows == first.rows == 500
    assert list(Lead.objects.order_by("pk").values()) == before


def test_another_campaign_takes_the_same_people() -> None:
    assert load("Email\nida@acme.example\n").taken == load("Email\nida@acme.example\n").taken == 1


# --- what is refused: nothing is written, and the text says what to do -----------------------------------------------


def test_a_file_without_an_address_column_names_its_columns() -> None:
    text = refusal("First Name,Phone\nIda,1\n")
    assert "No column holds e-mail addresses" in text
    assert "“First Name”, “Phone”" in text


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \r\n", b"\xff\xfe", "\ufeff,,\n,,\n".encode()])
def test_an_empty_file_is_refused(content: bytes) -> None:
    assert "empty" in refusal(content)


def test_a_header_without_rows_is_refused() -> None:
    assert "no rows" in refusal("Email,Title\n\n,\n")


def test_a_broken_encoding_names_line_and_byte() -> None:
    good = "Email,Title\n" + "ida@acme.example,CTO\n" * 100_000
    text = refusal(good.encode() + "zoe@acme.example,Zoë\n".encode("cp1252"))
    assert f"line 100,002, byte {len(good) + 20:,} (0xEB)" in text
    assert "cp1252" in text


def test_a_character_cut_in_half_at_the_end_is_refused() -> None:
    assert "not valid UTF-8" in refusal("Email,Name\nida@acme.example,Zoë".encode()[:-1])


def test_an_unknown_encoding_is_refused() -> None:
    assert "Choose one of: utf-8" in refusal("Email\nida@acme.example\n", encoding="zip")


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"PK\x03\x04\x14\x00", "Excel workbook or a ZIP"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"\x1f\x8b\x08", "gzip"),
        ("Email\nida@acme.example\n".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_csv_is_recognised(start: bytes, name: str) -> None:
    assert name in refusal(start + b"\x00" * 100)


def test_a_quote_that_is_never_closed_swallows_no_rows_in_silence() -> None:
    rest = "".join(f"p{n}@acme.example,CTO\n" for n in range(100))
    assert "never closed" in refusal(f'Email,Title\nida@acme.example,"CTO\n{rest}')
    assert "cannot be read" in refusal(f'Email,Title\nida@acme.example,"CTO\n{rest * 100}')


def test_limits_are_kept(settings: Settings) -> None:
    settings.IMPORT_MAX_ROWS, settings.IMPORT_MAX_COLUMNS, settings.IMPORT_MAX_BYTES = 2, 3, 100 * 2**20
    assert "more than 2 rows" in refusal("Email\n" + "ida@acme.example\n" * 3)
    assert "4 columns" in refusal("Email,a,b,c\nida@acme.example\n")
    settings.IMPORT_MAX_BYTES = 1000
    assert "larger than" in refusal("Email\n" + "ida@acme.example\n" * 100)


def test_one_endless_line_is_refused_without_reading_it_all() -> None:
    assert "longer than" in refusal("Email," + "a" * 3_000_000)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_finished_campaign_takes_nobody(status: str) -> None:
    campaign = make_campaign(status=status, started_at=timezone.now(), finished_at=timezone.now())
    assert f"is {status}" in refusal("Email\nida@acme.example\n", campaign=campaign)


@pytest.mark.parametrize("mapping", [{"Email": "password"}, {"Nobody": "email"}])
def test_a_mapping_that_does_not_fit_is_refused(mapping: dict[str, str]) -> None:
    assert "There is no" in refusal("Email\nida@acme.example\n", mapping=mapping)


# --- events, progress, interruption -----------------------------------------------------------------------------------


def test_one_event_holds_the_counts() -> None:
    report = load("Email\nida@acme.example\n\nx\n")
    event = Event.objects.get()
    assert (event.verb, event.subject_type, event.actor, event.door) == (
        "leads_imported",
        "campaign",
        "olga",
        "command",
    )
    assert event.after == {"rows": report.rows, "taken": 1, "skipped": {"malformed address": 1}}


def test_progress_is_bytes_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    content = "Email\n" + "".join(f"p{n}@acme.example\n" for n in range(25))
    seen: list[tuple[int, int]] = []
    load(content, progress=lambda done, count: seen.append((done, count)))
    assert [count for _, count in seen] == [10, 20, 25]
    assert seen[-1][0] == len(content)


def test_an_import_that_broke_off_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    campaign = make_campaign()
    content = "Email\n" + "".join(f"p{n}@acme.example\n" for n in range(35))

    def stop(done: int, count: int) -> None:
        if count == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(content, campaign, progress=stop)
    assert Lead.objects.count() == 20
    assert Event.objects.get().after == {"rows": 20, "taken": 20, "skipped": {}, "interrupted": True}
    report = load(content, campaign)
    assert (report.taken, report.skipped) == (15, {"already in campaign": 20})


def test_a_campaign_that_ends_meanwhile_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    campaign = make_campaign()

    def end(done: int, count: int) -> None:
        now = timezone.now()
        Campaign.objects.filter(pk=campaign.pk).update(status="CANCELLED", started_at=now, finished_at=now)

    with pytest.raises(ImportRefused, match="CANCELLED"):
        load("Email\n" + "".join(f"p{n}@acme.example\n" for n in range(25)), campaign, progress=end)
    assert Lead.objects.count() == 10


def test_a_pipe_is_read_as_well() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: int) -> int:
            raise io.UnsupportedOperation

    assert import_csv(make_campaign(), Pipe(b"Email\nida@acme.example\n"), actor=OPERATOR).taken == 1


# --- the sample -------------------------------------------------------------------------------------------------------


def test_the_sample_has_500_rows_and_real_datas_blemishes() -> None:
    report = load(SAMPLE.read_bytes())
    assert report.rows == 500
    assert report.taken == Lead.objects.count() >= 450
    assert set(report.skipped) == {"no address", "malformed address", "duplicate in file"}
    assert report.shortened == {}
    assert Lead.objects.exclude(email__endswith=".example").count() == 0
    assert max(len(lead.title) for lead in Lead.objects.all()) == 300
    assert Lead.objects.filter(title__startswith="=").exists()
    assert Lead.objects.filter(first_name__contains="🚀").exists()
    assert Lead.objects.filter(email__regex="^(info|sales|office|contact|hello)@").exists()


@pytest.mark.processes
def test_the_sample_is_what_its_script_writes(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text(SAMPLE.with_name("make.py").read_text("utf-8"), "utf-8")
    subprocess.run([sys.executable, script], check=True)
    written = (tmp_path / "people.csv").read_bytes()
    assert hashlib.sha256(written).digest() == hashlib.sha256(SAMPLE.read_bytes()).digest()


# --- preview ----------------------------------------------------------------------------------------------------------


def test_a_preview_shows_the_top_of_the_file() -> None:
    stream = io.BytesIO('\ufeffWer;E-Mail;Notiz\nZoë;zoe@acme.example;"a\nb"\nTom;tom@acme.example;\n'.encode())
    preview = sniff(stream, rows=1)
    assert preview.header == ["Wer", "E-Mail", "Notiz"]
    assert preview.mapping == {"Wer": "", "E-Mail": "email", "Notiz": ""}
    assert preview.rows == [["Zoë", "zoe@acme.example", "a b"]]
    assert (preview.encoding, preview.guessed, preview.delimiter) == ("utf-8", False, ";")
    assert preview.fields["email"] == "E-mail address"
    assert stream.tell() == 0


def test_a_preview_guesses_the_encoding_and_says_so() -> None:
    preview = sniff(io.BytesIO("Email,Name\nzoe@acme.example,Zoë\n".encode("cp1252")))
    assert preview.rows == [["zoe@acme.example", "Zoë"]]
    assert (preview.encoding, preview.guessed) == ("cp1252", True)


# --- any bytes --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
CELLS = TEXTS | st.sampled_from(
    ["ida@acme.example", '"', "=1", "\x00", "\r", "a@b.example\ud800".encode(errors="ignore").decode()]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A CSV with an address column and arbitrary cells, sometimes with arbitrary bytes in it."""
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=draw(st.sampled_from(",;\t")), quoting=draw(st.sampled_from([0, 1])))
    writer.writerow(["Email", *draw(st.lists(TEXTS, max_size=3))])
    writer.writerows(draw(st.lists(st.lists(CELLS, max_size=5), max_size=8)))
    data = content.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))
    cut = draw(st.integers(0, len(data)))
    return data[:cut] + draw(st.binary(max_size=6)) + data[cut:] if draw(st.booleans()) else data


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | files(), st.sampled_from([None, "utf-8", "utf-16", "cp1252", "latin-1"]))
def test_any_bytes_are_imported_or_refused(data: bytes, encoding: str | None) -> None:
    campaign = make_campaign()
    try:
        report = load(data, campaign, encoding=encoding, skipped_to=io.StringIO())
    except ImportRefused:
        assert not Lead.objects.filter(campaign=campaign).exists()
    else:
        assert report.rows == report.taken + sum(report.skipped.values())
        assert report.taken == Lead.objects.filter(campaign=campaign).count()


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | files())
def test_any_bytes_are_shown_or_refused(data: bytes) -> None:
    try:
        preview = sniff(io.BytesIO(data))
    except ImportRefused:
        return
    json.dumps([preview.header, preview.mapping, preview.rows])


VALUES = st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.from_regex(
    r"'*[=+@-][^\x00]{0,9}", fullmatch=True
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=5))
def test_what_was_exported_comes_back_the_same(people: list[tuple[str, str, str, str]]) -> None:
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerow(["Email", "First Name", "Last Name", "Title", "City", "Website"])
    writer.writerows([f"=p{n}@acme.example", *person, "acme.example"] for n, person in enumerate(people))
    first, second = make_campaign(), make_campaign()
    load(content.getvalue(), first)
    report = load(b"".join(export_csv(first)), second)
    assert report.taken == len(people)
    fields = ("email", "first_name", "last_name", "title", "company", "company_domain", "data", "apollo_id")
    assert list(first.leads.order_by("pk").values(*fields)) == list(second.leads.order_by("pk").values(*fields))


# --- two at once ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_one_file_share_the_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the import lock they deadlock: each waits for an address that the other has just inserted."""
    start, take = threading.Barrier(2), importing.take

    def take_together(*args: Any) -> int:
        start.wait(10)
        return take(*args)

    monkeypatch.setattr(importing, "take", take_together)
    campaign = make_campaign()
    forwards = [f"p{n}@acme.example\n" for n in range(4000)]
    reports = at_once(
        *(lambda lines=lines: load("Email\n" + "".join(lines), campaign) for lines in (forwards, forwards[::-1]))
    )
    assert all(isinstance(report, ImportReport) for report in reports), reports
    assert sum(report.taken for report in reports) == Lead.objects.count() == 4000


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_keeps_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    campaign = make_campaign()
    content = "Email\n" + "".join(f"p{n}@acme.example\n" for n in range(35))

    def cut(done: int, count: int) -> None:
        if count == 20:
            with connection.cursor() as cursor, pytest.raises(DatabaseError):
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseError):
        load(content, campaign, progress=cut)
    connection.close()
    assert Lead.objects.count() == 20
    assert load(content, campaign).taken == 15
