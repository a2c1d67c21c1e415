import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings

from campaigns.leads.suppression import SUFFIXES, is_suppressed, suppress, suppressed_among
from campaigns.models import Suppression
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from tests.campaigns.test_addresses import IDA, residues

pytestmark = pytest.mark.django_db
OPERATOR = Actor("olga", "admin")


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
