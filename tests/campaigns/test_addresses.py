import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.addresses import domain_and_parents, normalise, normalise_domain


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ida@acme.example", "ida@acme.example"),
        ("  Ida.Locke@ACME.Example \n", "ida.locke@acme.example"),
        ("ida+holdfast@acme.example", "ida+holdfast@acme.example"),
        ("mailto:Ida@acme.example", "ida@acme.example"),
        ("Ida Locke <Ida@acme.example>", "ida@acme.example"),
        ('"ida@acme.example"', "ida@acme.example"),
        ("ida@acme.example.", "ida@acme.example"),
        ("\u200bida@acme.example\ufeff", "ida@acme.example"),
        ("<ida@www.acme.example>", "ida@www.acme.example"),
        ("ida@Büro.example", "ida@xn--bro-hoa.example"),
        ("ida@straße.example", "ida@xn--strae-oqa.example"),
        ("o'connor-weiss_1@a-b.co.example", "o'connor-weiss_1@a-b.co.example"),
    ],
)
def test_an_address_has_one_form(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "n/a",
        "ida",
        "ida@",
        "@acme.example",
        "ida@localhost",
        "ida@@acme.example",
        "a@b.example, c@d.example",
        "a@b.example;c@d.example",
        "ida locke@acme.example",
        ".ida@acme.example",
        "ida..locke@acme.example",
        '"ida locke"@acme.example',
        "jürgen@acme.example",
        "\u212aim@acme.example",  # the Kelvin sign, whose lower case is an ordinary k
        "ida@127.0.0.1",
        "ida@-acme.example",
        "ida@acme.example/../x",
        f"{'i' * 65}@acme.example",
        f"ida@{'a' * 64}.example",
        f"ida@{'a.' * 130}example",
        "ida\x00@acme.example",
        "ida@acme\x00.example",
        "x" * 100_000,
        "@" * 100_000,
    ],
)
def test_what_is_no_address_is_none(raw: str) -> None:
    assert normalise(raw) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://www.Acme.example/about?x=1", "acme.example"),
        ("acme.example", "acme.example"),
        ("//acme.example:8080", "acme.example"),
        ("http://user:secret@acme.example\\@other.example", "acme.example"),
        ("http://münchen.example", "xn--mnchen-3ya.example"),
        ("acme", None),
        ("javascript:alert(1)", None),
        ("http://[::1]/", None),
        ("", None),
    ],
)
def test_the_domain_of_a_website(raw: str, expected: str | None) -> None:
    assert normalise_domain(raw) == expected


def test_parents_end_above_the_top_level() -> None:
    assert domain_and_parents("a.mail.acme.example") == ["a.mail.acme.example", "mail.acme.example", "acme.example"]


@given(
    st.text(max_size=80) | st.builds("{}@{}.{}".format, st.text(max_size=20), st.text(max_size=20), st.text(max_size=9))
)
def test_normalising_never_raises_and_is_stable(raw: str) -> None:
    address = normalise(raw)
    if address is not None:
        assert normalise(address) == address
        assert address.isascii()
        assert len(address) <= 254


@pytest.mark.django_db
@settings(max_examples=50, deadline=None)
@given(st.lists(st.emails() | st.builds("{}@{}.example".format, st.text(min_size=1), st.text(min_size=1)), max_size=50))
def test_postgresql_agrees_that_it_is_lower_case(raws: list[str]) -> None:
    addresses = [address for raw in raws if (address := normalise(raw))]
    with connection.cursor() as cursor:
        cursor.execute("SELECT a FROM unnest(%s::text[]) AS a WHERE a <> lower(a)", [addresses])
        assert cursor.fetchall() == []
