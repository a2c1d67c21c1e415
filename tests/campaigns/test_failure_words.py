"""What differs between two errors that say the same is taken out of them; what they say stays."""

import uuid
from datetime import datetime

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.django_db

SAID = {
    "HTTP 503": "HTTP <n>",
    "HTTP 422: lead 4711 is unknown": "HTTP <n>: lead <n> is unknown",
    "No answer within 30.5 s, tried 1,000 times at 10:31": "No answer within <n> s, tried <n> times at <n>",
    "Request req_8f3Kd0 of 2026-11-27 failed": "Request <id> of <id> failed",
    "job 0b0a5a3e-5b7e-4a53-9f9c-0f8a8f4c2e11 is gone": "job <id> is gone",
    "i***@acme.example was refused": "<email> was refused",
    "mail <ida.locke+ok@acme.example> was refused": "mail <<email>> was refused",
    "see https://api.acme.example/v1/errors/17?a=b#c for more": "see <url> for more",
    'the name "Ida Locke" is not allowed': "the name <text> is not allowed",
    "the vendor's word 'quota' is not ours": "the vendor's word <text> is not ours",
    "Unexpected `}` at “line 3”": "Unexpected <text> at <text>",
    "  two\n lines\t": "two lines",
    "": "",
}


def words(text: str | None) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT failure_words(%s)", [text])
        return str(cursor.fetchone()[0])


def key(error: str | None, service: str = "openai", failure_type: str = "timeout") -> uuid.UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT failure_key(%s, %s, %s)", [service, failure_type, error])
        found: uuid.UUID = cursor.fetchone()[0]
        return found


@pytest.mark.parametrize(("error", "said"), SAID.items())
def test_numbers_ids_addresses_links_and_what_is_quoted_are_taken_out(error: str, said: str) -> None:
    assert words(error) == said


def test_a_job_without_an_error_has_no_words() -> None:
    assert words(None) == ""


def test_words_are_cut_and_a_page_of_html_costs_no_more_than_its_beginning() -> None:
    assert words("a word " * 1000) == ("a word " * 1000)[:200].strip()
    assert words("x" * 1000 + "beyond") == "x" * 200


# What errors are made of, and what the function writes itself, in any order.
PIECES = st.one_of(
    st.sampled_from(
        [*"<>\"'`“”@:/.,-_ \n\t(", "<n>", "<id>", "<text>", "<url>", "<email>", "https://", "ida@acme.example"]
    ),
    st.sampled_from(["HTTP", "vendor's", "503", "req_1", "é", "ß", "日本"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_words_of_words_are_the_same_words(text: str) -> None:
    once = words(text)
    assert words(once) == once
    assert len(once) <= 200
    assert not any(character.isascii() and character.isdigit() for character in once)


ADDRESSES = st.from_regex(r"[a-z*][a-z0-9.+_*-]{0,10}@[a-z]{1,8}\.(com|example)", fullmatch=True)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.uuids(), ADDRESSES, st.datetimes(), st.integers(100, 599)),
        min_size=2,
        max_size=2,
    )
)
def test_two_errors_that_differ_in_ids_alone_are_one_group(
    different: list[tuple[int, uuid.UUID, str, datetime, int]],
) -> None:
    first, second = (
        key(f"HTTP {status}: lead {number} ({ident}) of {address} is bad, since {at.isoformat()}")
        for number, ident, address, at, status in different
    )
    assert first == second


def test_another_service_another_type_and_other_words_are_other_groups() -> None:
    known = {key("is bad"), key("is bad", "apollo"), key("is bad", failure_type="malformed"), key("is worse")}
    assert len(known) == 4
