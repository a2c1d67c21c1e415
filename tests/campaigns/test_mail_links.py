"""A written mail links to nothing that was not given, in whatever form the link is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.links import links
from campaigns.mailcheck import check_mail
from tests.builders import make_lead

pytestmark = pytest.mark.django_db

BODY = "Hello Ida, this is a question about arms and about what you do with them.\n\nKind regards"


def problems(text: str, template: str = "Link to https://ours.example/demo.", **fields: Any) -> str:
    return " ".join(check_mail("A question", f"{BODY} {text}", make_lead(**fields), template))


@pytest.mark.parametrize(
    "link",
    [
        # Rare endings, and names of files that are domains too.
        *("acme.lol/x", "bit.do", "evil.zip", "evil.mov", "evil.museum", "t.me/x", "evil.co.uk", "evil.bank"),
        *("evil.com:8080", "evil.lol?x=1", "Evil.Com", "EVIL.LOL", "Acme.AI", "evil.lol.", "evil.com.Then we"),
        *("//evil.com/x", "\\\\evil.com\\x", "see:evil.lol", "...evil.lol", "@evil.lol", "_evil.lol_", "evil.lol-"),
        # Numbers.
        *("185.12.3.4", "185.12.3.4/x", "185.12.3.4:8080", "http://185.12.3.4", "0271.014.03.04/x", "185.12.772/x"),
        *(
            "3104571140/x",
            "0xb90c0304",
            "0xb90c0304/x",
            "0xb9.0x0c.0x03.0x04",
            "http://3104571140",
            "0XB9.12.3.4",
            "026104401404/x",
        ),
        *("[2001:db8::1]/x", "2001:db8::1", "http://[::1]/x", "[::ffff:185.12.3.4]"),
        # Names that are not ASCII, and the same in ASCII.
        *("münchen.de", "пример.рф", "xn--e1afmkfd.xn--p1ai", "аcme.example", "evil.xn--p1ai/x", "例え.jp"),
        # Entities of HTML, once or twice.
        *(
            "&#104;ttp://evil.lol",
            "evil&period;com",
            "evil&#46;lol",
            "evil&#x2e;lol",
            "evil&amp;#46;lol",
            "evil&#46lol",
        ),
        # A dot or a letter that hides.
        *("evil\u200b.lol", "evil.\u2060lol", "ev\u00adil.lol", "evil\uff0elol", "evil\u3002lol", "evil\uff61lol"),
        *(
            "ｅｖｉｌ．ｌｏｌ",
            "evil\u2024lol",
            "𝐞𝐯𝐢𝐥.𝐥𝐨𝐥",
            "evil.lol\u200bx",
            "acme.example\u200b.evil.lol",
            "evil\U000e0020.lol",
        ),
        # Written so that no filter finds it.
        *(
            "hxxp://evil.lol",
            "hXXps://evil.lol",
            "evil[.]lol",
            "evil(.)lol",
            "evil[dot]lol",
            "evil (dot) lol",
            "evil{.}lol",
        ),
        *("hxxps[:]//evil[.]lol", "mallory[@]evil.lol", "mallory[at]evil[.]lol", "mallory@[185.12.3.4]"),
        *("vbscript:x", "sms:+4915112345", "file:///etc/passwd", "skype:mallory"),
    ],
)
def test_a_link_is_found_in_every_form(link: str) -> None:
    assert "link that was not given" in problems(link)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "e.g. this",
            "i.e. now",
            "a.m.",
            "z.B. dies",
            "d.h. so",
            "e.V.",
            "p.s.",
            "S.p.A.",
            "d.o.o.",
            "U.S.A.",
            "J.P. Lee",
        ),
        *("Node.js", "Vue.js/React", "three.js", "ASP.NET", "VB.NET", ".NET 8", "C++", "C#", "Ph.D.", "B.Sc.", "M.Sc."),
        *("report.pdf", "slides.pptx", "data.csv", "notes.txt", "index.html", "config.yaml", "README.md", "setup.py"),
        *(
            "3.11",
            "10.30",
            "10.30 a.m.",
            "v2.0.1",
            "1.2.3",
            "version 3.11.4",
            "10.5k",
            "2.5x",
            "10.000,00",
            "12.05.2026",
        ),
        *("10.pm", "5.30pm", "$1.5M", "1.5m", "9.30 Uhr", "§ 5.2", "No.1", "192.168", "06.12.34.56.78", "10:30:00"),
        *(
            "today.Please",
            "works.It is",
            "Dr.No",
            "Co.Ltd",
            "done...in time",
            "wait…in a week",
            "and/or",
            "24/7",
            "w/o",
        ),
        *(
            "std::move",
            "a::b",
            "10::30",
            "ratio 3:1",
            "Note: this",
            "Subject:matter",
            "AT&T",
            "R&D",
            "Q&A",
            "5 < 6 > 4",
        ),
        *("30.000/Jahr", "2026/27", "1234567/8", "+49.30.123456", "#12", "👩\u200d💻", "100 % sure", "x.y", "0x1F"),
        *(
            "ありがとうございます。世界",
            "привет.Как дела",
            "St. Gallen",
            "St.Gallen",
            "usw.usf.",
            "bzw.",
            "…",
            "l.o.l",
            "Dr.med. Lee",
            "Dipl.-Ing. Lee",
            "dipl.-ing.",
        ),
    ],
)
def test_what_only_looks_like_a_link_passes(text: str) -> None:
    assert problems(text) == ""
    assert problems(f"({text})") == ""


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("acme.example", {}),
        ("ACME.example", {}),
        ("acme.example.Then we", {}),
        ("Xn--mnchen-3ya.de", {"company_domain": "münchen.de"}),
        ("münchen.de", {"company_domain": "xn--mnchen-3ya.de"}),
        ("www.MÜNCHEN.de/", {"company_domain": "münchen.de"}),
        ("ida@acme.example", {"email": "ida@acme.example"}),
        ("https://ours.example/demo", {}),
        ("https://ours.example/demo.", {}),
        ("ours.example&sol;demo", {}),
    ],
)
def test_a_given_link_passes_in_every_form(text: str, fields: dict[str, Any]) -> None:
    assert problems(text, **fields) == ""


def test_a_number_or_an_entity_of_the_template_is_given() -> None:
    template = "Link to http://185.12.3.4/x and https://ours.example/?a=1&copy=2 and acme.lol"
    assert problems("185.12.3.4/x https://ours.example/?a=1&copy=2 acme.lol", template) == ""
    assert "185.12.3.4/y" in problems("185.12.3.4/y", template)


@given(st.text(max_size=200) | st.text("a.:/@[]&#;0x1c ﹒．", max_size=200))
def test_any_text_has_links_or_none(text: str) -> None:
    assert all(link.strip() for link in links(text))


def test_links_are_looked_for_in_linear_time() -> None:
    pieces = (
        "a.",
        ".",
        "a",
        "1.",
        "1:",
        ":",
        "[",
        "[.",
        "[dot",
        "&",
        "&#",
        "&amp;",
        "0x",
        "a@",
        "//",
        "\u200b",
        "(",
        "1/",
        "￿",
    )
    for piece in (*pieces, "http://", "www.", "a[.]", "ﷺ", "é.", "xn--", "a-", "2001:", "mailto:", " dot ", "( "):
        links(piece * 20_000)
