"""Exports, spreadsheets, web pages and mail programs leave something in and around an address, which is taken off here.
Pure."""

import html
import re
import unicodedata
from urllib.parse import unquote

# Full-width and small forms (U+FF20 is an @) to the ASCII that they stand for. Not all of NFKC: it would make an
# ordinary k of the Kelvin sign, which is another address.
FORMS = {
    point: plain
    for point in (*range(0xFE50, 0xFE70), *range(0xFF01, 0xFF5F))
    if (plain := unicodedata.normalize("NFKC", chr(point))).isascii()
} | {0x3002: ".", 0xFF61: "."}
FORMS |= dict.fromkeys([0x2018, 0x2019, 0x201A, 0x201B, 0x2032, 0xB4, 0x2BC], "'")  # quotation marks and primes
# What has no width: format characters, and those that only look like letters, marks or symbols.
INVISIBLE = dict.fromkeys(
    [point for point in range(0x10000) if unicodedata.category(chr(point)) == "Cf"]
    + [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0, 0xFFFC]
    + [*range(0xFE00, 0xFE10), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE0200)]
)
# Such characters and quotation marks in UTF-8 that somebody read as Windows-1252 or Latin-1.
MISREAD = re.compile("ï»¿|Â(?=[\\s\xad])|â[€\x80][^A-Za-z0-9_@]?")
ENTITY = re.compile(r"&#?[0-9A-Za-z]{2,8};")
ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|[nrt])")
TIMES = 3  # "%252520"; what is encoded more often is no accident

TAG = re.compile(r"</?[A-Za-z][^<>@]*>")
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()]*)\)")  # markdown
QUERY = re.compile(r"\?[A-Za-z-]+=[^<>()\[\]{}\"]*")  # of a mailto, up to what encloses it
# Also a bracket, quotation mark or blank in JSON that has lost its backslash.
SCHEME = re.compile(
    r"(?:(?:mailto|smtp|sip|im|https?|e-?mail|mail|to):|u00(?:3[ce]|2[027]|a0)(?!@))+[/\\\s]*", re.IGNORECASE
)


def decoded(text: str) -> str:
    """Return the text without invisible characters, encodings and markup, in ASCII as far as it stands for ASCII."""
    for _ in range(TIMES):
        before = text
        if "&" in text:
            text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
        if "%" in text and ENCODED.search(text):
            text = unquote(text, errors="replace")
        if "\\" in text:
            text = ESCAPE.sub(character, text)
        if not text.isascii():
            text = MISREAD.sub(" ", text).translate(INVISIBLE).translate(FORMS)
        if text == before:
            break
    text = TAG.sub(" ", text)
    text = LINK.sub(lambda link: f" <{link[2] if '@' in link[2] else link[1]}> ", text)
    return QUERY.sub(" ", text)


def character(escape: re.Match[str]) -> str:
    """Return what an escape of JSON or of a program stands for."""
    code = escape[1] or escape[2]
    char = chr(int(code, 16)) if code else " "
    return " " if "\ud800" <= char <= "\udfff" else char


def bare(piece: str) -> str:
    """Return an address without what stands before and behind it. A dot in front stays: it is part of a mistyped
    address."""
    text, end = piece, len(piece)
    while end and not text[end - 1].isalnum():
        end -= 1
    emphasised = text[end:].startswith("_")  # _ida@acme.example_
    text = text[:end]
    while True:
        start = 0
        while start < len(text) and not text[start].isalnum() and text[start] not in ("." if emphasised else "._"):
            start += 1
        scheme = SCHEME.match(text, start)
        text = text[scheme.end() if scheme else start :]
        if not scheme:
            return text
