from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings

from campaigns import cancel_job, jobs
from campaigns.endings import END_JOBS, END_LEADS
from campaigns.leads.addresses import domain_and_parents, domain_of
from campaigns.leads.suppression import (
    MANY,
    SUFFIXES,
    LiftRefused,
    check,
    lift,
    suppress,
    suppressed_among,
)
from campaigns.models import JobRow, Lead, Suppression
from campaigns.moves import MoveRefused
from campaigns.statements import _claim
from circuitbreakers.events import WORKER, Actor
from circuitbreakers.models import Event
from tests.breakers import Beside
from tests.builders import is_suppressed, make_campaign, make_job, make_jobs, make_lead
from tests.campaigns.test_addresses import IDA, residues

pytestmark = pytest.mark.django_db
OPERATOR = Actor("olga", "admin")
# One address in notations that must not get round the list, at any door.
ROUND_THE_LIST = [
    "Ida@B\u00dcRO.example",
    "IDA@XN--BRO-HOA.EXAMPLE",
    "i\u200bda@b\u00fcro.example",
    "\ufeffida@b\u00fcro.example",
    "%20ida@b\u00fcro.example",
    '"ida@b\u00fcro.example"',
    "'ida@b\u00fcro.example",
    "Ida Locke <ida@b\u00fcro.example>",
    "mailto:ida@b\u00fcro.example",
    "\uff49da\uff20b\u00fcro.example",
]


def test_an_address_a_domain_and_a_parent_domain_are_suppressed() -> None:
    suppress(["Ida@acme.example", "birch.example"], "asked us to stop", OPERATOR)
    assert is_suppressed("ida@acme.example")
    assert is_suppressed(" IDA@Acme.example ")
    assert is_suppressed("tom@birch.example")
    assert is_suppressed("tom@mail.eu.birch.example")
    assert not is_suppressed("tom@acme.example")
    assert not is_suppressed("tom@notbirch.example")
    assert is_suppressed('"Tom B"@birch.example')
    assert not is_suppressed("nonsense\x00\ud800")


def test_values_are_normalised_and_told_apart() -> None:
    result = suppress(
        ["https://www.acme.example/", "@birch.example", "*.cobalt.example", "BÜRO.example", "ida@acme.example"],
        "",
        OPERATOR,
    )
    assert result.added == 5
    assert list(Suppression.objects.values_list("value", flat=True)) == [
        "acme.example",
        "birch.example",
        "cobalt.example",
        "ida@acme.example",
        "xn--bro-hoa.example",
    ]


@pytest.mark.parametrize("reason", ["a\x00b\ud800", "x" * 2000])
def test_no_reason_keeps_somebody_on_the_way_to_the_list(reason: str) -> None:
    assert suppress(["ida@acme.example"], reason, OPERATOR).added == 1
    assert Suppression.objects.get().reason in ("ab", "x" * 300)


def test_repeating_adds_nothing_and_says_so() -> None:
    suppress(["ida@acme.example"], "first", OPERATOR)
    result = suppress(["IDA@acme.example", "tom@acme.example", "tom@acme.example"], "second", OPERATOR)
    assert (result.added, result.already, result.refused) == (1, 2, [])
    assert Suppression.objects.get(value="ida@acme.example").reason == "first"


@pytest.mark.parametrize("value", ["", "com", "example", "nobody", "ida@", "a b.example", "\x00", "=1+1"])
def test_what_is_neither_address_nor_domain_is_refused(value: str) -> None:
    result = suppress([value], "x", OPERATOR)
    assert (result.added, result.refused) == (0, [value])


def test_each_new_value_leaves_one_event() -> None:
    suppress(["ida@acme.example", "birch.example"], "r" * 600, OPERATOR)
    suppress(["ida@acme.example"], "again", OPERATOR)
    events = Event.objects.filter(subject_type="suppression", verb="suppressed")
    assert {event.after and event.after["value"] for event in events} == {"ida@acme.example", "birch.example"}
    assert {(event.actor, event.door) for event in events} == {("olga", "admin")}


def test_a_batch_is_one_query() -> None:
    suppress(["acme.example"], "", OPERATOR)
    addresses = [f"p{number}@{'acme' if number % 2 else 'birch'}.example" for number in range(1000)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = suppressed_among(addresses)
    assert len(queries) == 1
    assert found == {address for address in addresses if address.endswith("@acme.example")}


@settings(max_examples=200, deadline=None)
@given(residues())
def test_residue_does_not_get_around_the_list(raw: str) -> None:
    suppress([IDA], "asked us to stop", OPERATOR)
    assert is_suppressed(raw)
    assert suppress([raw], "again", OPERATOR).added == 0


def test_one_of_two_addresses_is_enough() -> None:
    suppress(["tom@acme.example"], "", OPERATOR)
    assert is_suppressed("ida@acme.example, tom@acme.example")
    assert not is_suppressed("ida@acme.example, zoe@acme.example")


def test_nobody_is_written_to_at_a_placeholder() -> None:
    assert is_suppressed("email_not_unlocked@domain.com")


@pytest.mark.parametrize(
    "value",
    [
        "co.uk",
        "CO.UK",
        "@co.uk",
        "*.co.uk",
        "https://www.co.uk/",
        "'co.uk",
        "github.io",
        "com",
        "foo.ck",
        "\u516c\u53f8.cn",
    ],
)
def test_a_public_suffix_is_refused_for_it_would_silence_a_country(value: str) -> None:
    result = suppress([value, "acme.co.uk", "acme.github.io", "ida@co.uk", "city.kawasaki.jp"], "x", OPERATOR)
    assert (result.added, result.refused) == (4, [value])
    assert "is a public suffix" in result.reasons[0]
    assert not is_suppressed("tom@other.co.uk")


def test_each_refusal_has_its_reason() -> None:
    result = suppress(["co.uk", "nobody", "a@acme.example, b@acme.example"], "x", OPERATOR)
    assert result.refused == ["co.uk", "nobody", "a@acme.example, b@acme.example"]
    for reason, words in zip(result.reasons, ["public suffix", "neither an address", "2 addresses"], strict=True):
        assert words in reason


def test_the_list_of_suffixes_is_the_librarys_own() -> None:
    assert SUFFIXES.suffix_list_urls == ()
    assert not SUFFIXES._cache.enabled


def open_job(email: str, **fields: Any) -> JobRow:
    """A waiting job of an open lead at that address."""
    return make_job(lead=make_lead(email=email), **fields)


def ends(job: JobRow) -> tuple[str, str, str]:
    """The lead's state, why it ended, and the job's status."""
    job.refresh_from_db()
    assert job.lead
    job.lead.refresh_from_db()
    return job.lead.state, job.lead.end_reason, job.status


def test_suppressing_an_address_ends_its_open_leads_in_every_campaign() -> None:
    jobs = [open_job("ida@acme.example", kind=kind) for kind in ("verify", "research", "push")]
    other = open_job("tom@acme.example")
    result = suppress([" IDA@acme.example"], "asked us to stop", OPERATOR)
    assert result.leads == 3
    assert {ends(job) for job in jobs} == {("DROPPED", "suppressed", "CANCELLED")}
    assert JobRow.objects.filter(status="CANCELLED", error="suppressed", completed_at__isnull=False).count() == 3
    assert ends(other) == ("OPEN", "", "PENDING")


def test_suppressing_a_domain_ends_the_open_leads_at_it_and_below_it() -> None:
    below = [open_job(email) for email in ("ida@acme.example", "tom@eu.acme.example", "zoe@mail.eu.acme.example")]
    beside = [
        open_job(email)
        for email in (
            "a@notacme.example",
            "b@acme.example.test",
            "c@acme-eu.example",
            "d@x-acme.example",
            "e@example.test",
        )
    ]
    assert suppress(["@Acme.example"], "a customer", OPERATOR).leads == 3
    assert {ends(job) for job in below} == {("DROPPED", "suppressed", "CANCELLED")}
    assert {ends(job) for job in beside} == {("OPEN", "", "PENDING")}


def test_a_lead_that_an_address_and_its_domain_hold_ends_once() -> None:
    open_job("ida@acme.example")
    assert suppress(["ida@acme.example", "acme.example"], "", OPERATOR).leads == 1
    events = Event.objects.filter(subject_type="suppression").values_list("after", flat=True)
    assert sum(after["leads"] for after in events if after) == 1


def test_what_had_ended_stays_as_it_was() -> None:
    pushed, failed = (make_lead(email="ida@acme.example", state=state) for state in ("PUSHED", "FAILED"))
    assert suppress(["ida@acme.example"], "", OPERATOR).leads == 0
    for lead, state in ((pushed, "PUSHED"), (failed, "FAILED")):
        lead.refresh_from_db()
        assert lead.state == state


def test_a_call_in_flight_is_left_to_its_worker_and_its_lead_moves_no_more() -> None:
    job = open_job("ida@acme.example", status="PROCESSING")
    before = JobRow.objects.filter(pk=job.pk).values().get()
    suppress(["ida@acme.example"], "", OPERATOR)
    assert JobRow.objects.filter(pk=job.pk).values().get() == before
    done = jobs.Done(lead={"verdict": "ok"}, next_kind="research")
    assert jobs.complete(job, done, None)
    assert ends(job) == ("DROPPED", "suppressed", "COMPLETED")
    assert job.lead
    assert (job.lead.verdict, list(job.lead.job_rows.values_list("kind", flat=True))) == ("ok", ["verify"])


def test_the_event_says_how_many_leads_ended_also_for_a_value_that_was_listed() -> None:
    suppress(["acme.example"], "a customer", OPERATOR)
    open_job("ida@acme.example")
    result = suppress(["acme.example"], "again", OPERATOR)
    assert (result.added, result.already, result.leads) == (0, 1, 1)
    event = Event.objects.filter(subject_type="suppression").latest("id")
    assert (event.before, event.after) == (
        {"cause": "operator"},
        {"value": "acme.example", "cause": "operator", "leads": 1},
    )


@pytest.mark.django_db(transaction=True)
def test_cancelling_a_job_and_suppressing_its_lead_do_not_lock_each_other_out() -> None:
    job = open_job("ida@acme.example")
    lead: dict[str, Any] = {"addresses": ["ida@acme.example"], "domains": [], "why": "suppressed"}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(END_LEADS, lead)
        beside = Beside(lambda: cancel_job.cancel(job.pk, actor=OPERATOR))
        beside.until_it_waits()
        cursor.execute(END_JOBS, {"leads": [job.lead_id], "why": "suppressed"})
    assert isinstance(beside.result(), MoveRefused)
    assert ends(job) == ("DROPPED", "suppressed", "CANCELLED")


@pytest.mark.parametrize("final", Suppression.FINAL)
def test_a_persons_own_wish_takes_the_place_of_another_cause_and_leaves_an_event(final: Suppression.Cause) -> None:
    suppress(["ida@acme.example"], "a hunch", OPERATOR)
    result = suppress(["IDA@acme.example"], "a webhook", WORKER, cause=final)
    assert (result.added, result.already, result.raised) == (0, 1, 1)
    row = Suppression.objects.get()
    assert (row.cause, row.reason, row.source, row.created_by) == (final, "a webhook", WORKER.door, WORKER.name)
    event = Event.objects.filter(subject_type="suppression").latest("id")
    assert (event.before, event.after and event.after["cause"]) == ({"cause": "operator"}, final)


@pytest.mark.parametrize("weaker", ["operator", "bounced", "wrong_person", "not_interested"])
def test_no_weaker_cause_takes_the_place_of_a_persons_own_wish(weaker: str) -> None:
    suppress(["ida@acme.example"], "a click", WORKER, cause=Suppression.Cause.UNSUBSCRIBED)
    result = suppress(["ida@acme.example"], "later", OPERATOR, cause=Suppression.Cause(weaker))
    assert (result.added, result.already, result.raised) == (0, 1, 0)
    assert Suppression.objects.values_list("cause", "reason").get() == ("unsubscribed", "a click")


@pytest.mark.parametrize("final", Suppression.FINAL)
def test_a_persons_own_wish_cannot_be_lifted(final: Suppression.Cause) -> None:
    suppress(["ida@acme.example"], "a click", WORKER, cause=final)
    row = Suppression.objects.get()
    with pytest.raises(LiftRefused, match=f"on {row.created_at:%Y-%m-%d}: nobody can take that off the list"):
        lift(row, actor=OPERATOR, reason="please")
    assert Suppression.objects.exists()


def test_a_wish_that_came_meanwhile_cannot_be_lifted_either() -> None:
    suppress(["ida@acme.example"], "a hunch", OPERATOR)
    read_before = Suppression.objects.get()
    suppress(["ida@acme.example"], "a click", WORKER, cause=Suppression.Cause.UNSUBSCRIBED)
    with pytest.raises(LiftRefused):
        lift(read_before, actor=OPERATOR, reason="please")


@pytest.mark.parametrize("cause", [cause for cause in Suppression.Cause if cause not in Suppression.FINAL])
def test_any_other_can_be_lifted_with_a_reason_and_leaves_an_event(cause: Suppression.Cause) -> None:
    suppress(["ida@acme.example"], "bounced twice", WORKER, cause=cause)
    row = Suppression.objects.get()
    with pytest.raises(ValidationError, match="A reason is needed"):
        lift(row, actor=OPERATOR, reason=" ")
    lift(row, actor=OPERATOR, reason="the mailbox is back")
    assert not Suppression.objects.exists()
    event = Event.objects.filter(subject_type="suppression").latest("id")
    assert (event.verb, event.reason, (event.before or {})["cause"]) == ("lifted", "the mailbox is back", cause)


def test_a_check_names_the_row_that_stands_in_the_way() -> None:
    suppress(["ida@acme.example", "birch.example"], "asked us", OPERATOR)
    given = [" IDA@acme.example", "tom@acme.example", "tom@mail.birch.example", "eu.birch.example", "nonsense"]
    checked = check(given)
    assert [(one.value, one.suppressed, one.row and one.row.value) for one in checked] == [
        ("ida@acme.example", True, "ida@acme.example"),
        ("tom@acme.example", False, None),
        ("tom@mail.birch.example", True, "birch.example"),
        ("eu.birch.example", True, "birch.example"),
        ("nonsense", False, None),
    ]


@pytest.mark.parametrize("raw", ROUND_THE_LIST)
def test_no_notation_gets_round_the_list(raw: str) -> None:
    assert suppress([raw], "", OPERATOR).refused == []
    assert is_suppressed("ida@xn--bro-hoa.example")
    assert check([raw])[0].suppressed


def test_the_keys_in_sql_are_those_of_the_code() -> None:
    for address in ("ida@acme.example", "a@b.c.d.example", "ida@localhost"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT suppression_keys(%s)", [address])
            assert cursor.fetchone()[0] == [address, *domain_and_parents(domain_of(address))]


def test_many_new_values_are_told_to_the_planner() -> None:
    with CaptureQueriesContext(connection) as queries:
        suppress((f"p{number}@acme.example" for number in range(MANY)), "", OPERATOR)
        suppress(["one@acme.example"], "", OPERATOR)
    assert [query["sql"] for query in queries].count("ANALYZE (SKIP_LOCKED) suppressions") == 1


@pytest.mark.parametrize("rows", [MANY, 20_000])
def test_a_claim_and_the_ending_of_leads_read_by_indexes_only(rows: int) -> None:
    make_jobs(make_campaign(), 1)
    campaign = make_campaign()
    Lead.objects.bulk_create(
        Lead(campaign=campaign, email=f"p{number}@acme{number}.example") for number in range(5_000)
    )
    suppress((f"p{number}@birch.example" for number in range(rows)), "", OPERATOR)
    statements: list[tuple[str, dict[str, Any]]] = [
        (_claim(once=False), {"job": 1, "worker": "", "lease": timedelta(seconds=1)}),
        (END_LEADS, {"addresses": ["p1@acme1.example"], "domains": ["acme2.example"], "why": ""}),
    ]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads")
        plans = []
        for sql, parameters in statements:
            cursor.execute(f"EXPLAIN {sql}", parameters)
            plans += [line for (line,) in cursor.fetchall()]
    assert [line for line in plans if "Seq Scan on suppressions" in line or "Seq Scan on leads" in line] == []
    assert any("Index Only Scan using suppressions_value_key" in line for line in plans)
    assert any("lead_domain" in line for line in plans)
