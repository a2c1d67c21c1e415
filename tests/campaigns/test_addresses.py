import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.leads.addresses import addresses_in, domain_and_parents, holds_locked, normalise, normalise_domain


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


IDA = "ida.locke+x@acme.example"
INVISIBLE = "\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u034f\u061c\u2063\u115f\u180e\u2800\u3164\ufe0f"
IN_FRONT = [
    "'",
    "''",
    '"',
    "%20",
    "%22",
    "//",
    "/",
    "- ",
    "\u2022 ",
    "* ",
    "**",
    "=",
    "+",
    "#",
    "\u2018",
    "\u201c",
    "\u00ab",
    "(",
    "<",
    "[",
    " ",
    "\t",
    "\xa0",
    "\u3000",
    "mailto:",
    "MailTo: ",
    "mailto://",
    "Email: ",
    "E-Mail:",
    "SMTP:",
    "&lt;",
    "&nbsp;",
    "&#39;",
    "u003c",
    "u003e",
    "\\u003c",
    "\\n",
    "\xef\xbb\xbf",
    "\xc2\xa0",
    "Ida Locke <",
    "Locke, Ida <",
    '"Locke, Ida" <',
    "\x00",
    "\u2709",
    "http://",
]
BEHIND = [
    "'",
    '"',
    "%20",
    "%0A",
    ".",
    ",",
    ";",
    ":",
    "!",
    "/",
    "\\n",
    "\u2019",
    "\u201d",
    "\u00bb",
    ")",
    ">",
    ">;",
    "]",
    " ",
    "\t",
    "\n",
    "\xa0",
    "&gt;",
    "&quot;",
    "?subject=Hello",
    "?subject=Hi%20there&cc=tom@acme.example",
    " (work)",
    "\\u003e",
    "**",
    "\x00",
]


@st.composite
def residues(draw: st.DrawFn) -> str:
    """The same address as exports, pages and mail programs may leave it in a cell."""
    text = draw(st.sampled_from([IDA, IDA.upper(), IDA.title()]))
    form = draw(st.sampled_from(["plain", "link", "full width", "encoded", "spaced"]))
    if form == "link":
        text = f"[{text}](mailto:{text})"
    elif form == "full width":
        text = "".join(chr(ord(char) + 0xFEE0) for char in text)
    elif form == "encoded":
        text = text.replace(
            "@", draw(st.sampled_from(["%40", "%2540", "&#64;", "&commat;", "\\u0040", "\uff20", "\ufe6b"]))
        )
    elif form == "spaced":
        text = text.replace("@", " @ ")
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        if not (form == "encoded" and "@" not in text):  # not into the middle of an escape
            text = text[:place] + draw(st.sampled_from(INVISIBLE)) + text[place:]
    front = "".join(draw(st.lists(st.sampled_from(IN_FRONT), max_size=2)))
    return front + text + draw(st.sampled_from(["", *BEHIND])) + draw(st.sampled_from(["", *BEHIND]))


@settings(max_examples=500, deadline=None)
@given(residues())
def test_residue_around_an_address_makes_no_other_address(raw: str) -> None:
    assert normalise(raw) == IDA.lower()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("o'brien@acme.example", "o'brien@acme.example"),
        ("o\u2019brien@acme.example", "o'brien@acme.example"),
        ("_ida@acme.example", "_ida@acme.example"),
        ("_ida@acme.example_", "ida@acme.example"),
        ("[Ida](mailto:ida@acme.example?subject=x)", "ida@acme.example"),
        ('<a href="mailto:ida@acme.example">Write</a>', "ida@acme.example"),
        ("ida%40acme.example", "ida@acme.example"),
        ("ida@acme\uff0eexample", "ida@acme.example"),
        ("ida@acme.example, Ida@acme.example", "ida@acme.example"),
        ("ida@acme.example, n/a", "ida@acme.example"),
        ("u003@acme.example", "u003@acme.example"),
        ("100%ida@acme.example", "100%ida@acme.example"),
    ],
)
def test_what_belongs_to_an_address_stays_and_the_rest_goes(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "a@b.example, c@d.example",
        "a@b.example;c@d.example",
        "a@b.example / c@d.example",
        "a@b.example/c@d.example",
        "a@b.example\nc@d.example",
        "a@b.example c@d.example",
        "a@b.example and c@d.example",
        "a@b.example | c@d.example",
        "A <a@b.example>, C <c@d.example>",
        "mailto:a@b.example,c@d.example",
    ],
)
def test_two_addresses_in_a_cell_are_found_in_their_order(raw: str) -> None:
    assert addresses_in(raw) == ["a@b.example", "c@d.example"]
    assert normalise(raw) is None


@pytest.mark.parametrize(
    "raw", ["ida,locke@acme.example", "ida;locke@acme.example", "ida@acme.co,uk", "(ida)locke@acme.example",
            "ida locke@acme.example", "http://user:secret@acme.example", '"ida"locke@acme.example']
)  # fmt: skip
def test_half_an_address_is_none(raw: str) -> None:
    assert addresses_in(raw) == []


LOCKED = [
    "email_not_unlocked@domain.com",
    "Email_Not_Unlocked@Domain.com",
    "'email_not_unlocked@domain.com",
    "email_not_unlocked_2@domain.com",
    "email_not_unlocked+7@acme.example",
    "not_unlocked@domain.com",
    "e-mail.not.unlocked@x.example",
    "mailto:email_not_unlocked@domain.com",
    "email%5Fnot_unlocked%40domain.com",
    "email_not_\u200bunlocked@domain.com",
    "email_locked@domain.com",
    "unavailable@domain.com",
    "email_not_available@acme.example",
]


@pytest.mark.parametrize("raw", LOCKED)
def test_a_placeholder_for_a_locked_address_is_no_address(raw: str) -> None:
    assert addresses_in(raw) == []
    assert holds_locked(raw)


@pytest.mark.parametrize("raw", ["Unavailable", "Locked", "Not unlocked", "email not unlocked"])
def test_words_for_a_locked_address_are_known(raw: str) -> None:
    assert holds_locked(raw)


@pytest.mark.parametrize("raw", ["blocklock@acme.example", "ida@domain.com", "ida@locked.example", "n/a", ""])
def test_no_other_address_is_taken_for_a_placeholder(raw: str) -> None:
    assert not holds_locked(raw)
