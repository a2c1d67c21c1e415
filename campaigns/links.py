"""Links in a text are found here, in whatever form a mail program or a reader would follow it.

A text is first read as a mail program shows it: entities decoded, full-width letters and dots made plain, invisible
characters gone, and what is written around filters (hxxp, evil[.]example) written out. Then URLs, addresses, names that
end in a top-level domain, and numeric addresses are links. Everything here takes time in proportion to the text.
"""

import html
import ipaddress
import re
import socket
import unicodedata
from functools import lru_cache

import tldextract

from campaigns.leads.addresses import normalise_domain

# The list that comes with the package; nothing is ever fetched. Names under `example` are for tests and manuals.
SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
RESERVED = frozenset({"example"})

TIMES_ENCODED = 3
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
IDEOGRAPHIC_STOP = re.compile("(?<=[A-Za-z0-9])[\u3002\uff61](?=[A-Za-z0-9])")
HIDDEN_DOT = re.compile(r"(?i)(?<=\w) ?[\[({<] ?(?:\.|dot|punkt) ?[\])}>] ?(?=\w)")
HIDDEN_AT = re.compile(r"(?i)(?<=\w) ?[\[({<] ?(?:@|at) ?[\])}>] ?(?=[\w\[])")
HIDDEN_COLON = re.compile(r"[\[({] ?: ?[\])}](?=//)")

END = r"[^\s<>\"”“»«]"
URL = re.compile(
    r"(?i:\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.|\b(?:mailto|tel|sms|callto|skype|javascript|vbscript|data|file):)"
    + END
    + "+"
)
EMAIL = re.compile(r"[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
# Whatever is dotted is taken whole, up to the most labels that a host has, and judged then: nothing is tried twice.
NAME = re.compile(rf"(?<![\w-])([\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,126}})(:\d{{1,5}}(?!\d))?([/?#]{END}*)?")
NUMERIC = re.compile(
    rf"(?<![\w.-])((?:0[xX][0-9A-Fa-f]{{1,8}}|\d{{1,12}})(?:\.(?:0[xX][0-9A-Fa-f]{{1,8}}|\d{{1,12}})){{0,3}})"
    rf"(?![\w-]|\.\w)(:\d{{1,5}}(?![\d:]))?(/{END}*)?"
)
SIXTH = re.compile(r"(?<![\w:.])[0-9A-Fa-f:.]{2,45}(?![\w:])")
TRAILING = ".,;:!?)]}'\u2019*_"

# Endings that are written with a capital behind a full stop ("today.It is") far less often than in a link.
PLAIN = frozenset(["com", "org", "info", "biz", "io", "shop", "online", "site"])
# What has the form of a name under a top-level domain, and is not one to anybody who reads it.
ABBREVIATIONS = frozenset({"dr.med"})
FRAMEWORKS = frozenset({"asp.net", "vb.net", "ado.net", "ml.net"})
CODE = frozenset({"md", "py", "sh", "rs", "pl"})
FILES = frozenset({"readme", "changelog", "contributing", "license", "setup", "main", "manage", "install", "deploy"})
HOURS = frozenset({"am", "pm"})
DATE = re.compile(r"[0-3]?\d\.[01]?\d\.(?:19|20)\d\d")
LEAST_IN_DIGITS = 9  # of an address that is one number and no hexadecimal one: below, it is a number


def links(text: str) -> set[str]:
    """Find every link and address in a text, in one form: `https://acme.example/demo` and `Acme.example/demo/` are
    equal."""
    shown = as_shown(text)
    all_links = _links(INVISIBLE.sub("", shown))
    if INVISIBLE.search(shown):
        all_links |= _links(INVISIBLE.sub(" ", shown))
    return all_links


def as_shown(text: str) -> str:
    """Return the text without entities, full-width letters and dots, and ways around filters; invisible characters
    stay."""
    for _ in range(TIMES_ENCODED):
        if "&" not in text:
            break
        text = html.unescape(text)
    text = IDEOGRAPHIC_STOP.sub(".", unicodedata.normalize("NFKC", text))
    return HIDDEN_COLON.sub(":", HIDDEN_AT.sub("@", HIDDEN_DOT.sub(".", text)))


def canonical(link: str) -> str:
    """Return a link without its scheme, `www.` and final slash, its host in lower case and ASCII."""
    text = link.rstrip(TRAILING)
    text = re.sub(r"(?i)^https?://", "", text)
    text = re.sub(r"(?i)^(?:www\.|mailto:(?=[^:]*@))", "", text)
    host, slash, path = text.partition("/")
    if not host.isascii() and not re.search("[@:]", host):
        host = normalise_domain(host) or host
    return f"{host.lower()}{slash}{path}".rstrip("/")


def _links(text: str) -> set[str]:
    canonical_links: set[str] = set()
    for pattern in (URL, EMAIL):
        canonical_links.update(canonical(match) for match in pattern.findall(text))
        text = pattern.sub(" ", text)
    for name, port, path in NAME.findall(text):
        if host := _host(name, bool(port or path)):
            canonical_links.add(canonical(host + port + path if host == name.strip("-_") else host))
    for number, port, path in NUMERIC.findall(text):
        if _is_address(number, bool(port), path):
            canonical_links.add(canonical(number + port + path))
    canonical_links.update(
        match[0]
        for match in SIXTH.finditer(text)
        if _is_sixth(match[0], text[match.start() - 1 : match.start()] == "[")
    )
    return canonical_links - {""}


def _host(name: str, led_on: bool) -> str:
    """Return the part of a dotted name that is a host: `evil.com.Then` is `evil.com`; "" if there is none. `led_on`: a
    port or a path follows."""
    labels = name.strip("-_").split(".")
    for count in range(len(labels), 1, -1):
        stem, ending = labels[: count - 1], labels[count - 1].rstrip("-_")
        if led_on and count == len(labels):
            if _is_suffix(ending.lower()) or (ending.isalpha() and ending.islower() and ending != "js"):
                return ".".join([*stem, ending])
        elif _is_written_as_link(stem, ending):
            return ".".join([*stem, ending])
    return ""


def _is_written_as_link(stem: list[str], ending: str) -> bool:
    low = ending.lower()
    if not _is_suffix(low):
        return False
    if ending != low and not ending.isupper() and low not in PLAIN:
        return False
    name = f"{stem[-1].lower()}.{low}"
    if name in ABBREVIATIONS or (name in FRAMEWORKS and ending != low):
        return False
    if low in HOURS and all(part.isdigit() for part in stem):
        return False
    return not (len(stem) == 1 and low in CODE and stem[0].lower() in FILES)


@lru_cache(4096)
def _is_suffix(ending: str) -> bool:
    if len(ending) < 2 or ending[0].isdigit():
        return False
    return ending in RESERVED or bool(SUFFIXES(f"a.b.{ending}").suffix)


def _is_address(number: str, has_port: bool, path: str) -> bool:
    """Say whether a dotted number is an IPv4 address in any notation that browsers take, and is meant as one."""
    parts = number.split(".")
    hexadecimal = "x" in number.lower()
    if len(parts) == 1:
        digits = len(number) - 2 if hexadecimal else len(number) if path[1:2].isalpha() else 0
        if digits < (6 if hexadecimal else LEAST_IN_DIGITS):
            return False
    elif not hexadecimal:
        if len(parts) < (3 if path or has_port else 4) or DATE.fullmatch(number):
            return False
        if not (path or has_port) and any(len(part) > 1 and part[0] == "0" for part in parts):
            return False
    try:
        socket.inet_aton(number)
    except OSError:
        return False
    return True


def _is_sixth(text: str, in_brackets: bool) -> bool:
    """Say whether this is an IPv6 address and not a time or `a::b`."""
    if text.count(":") < 2:
        return False
    text = text.rstrip(".")
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return in_brackets or (any(letter.isdigit() for letter in text) and any(len(g) > 2 for g in re.split("[:.]", text)))
