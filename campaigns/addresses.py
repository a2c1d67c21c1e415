"""Addresses and domains in one form. Every door normalises before it stores or compares.

What comes out is ASCII in lower case, so that PostgreSQL's lower() under any locale agrees with it.
"""

import re

import idna

# Dot-atoms as in Django's EmailValidator. Quoted local parts ("a b"@acme.example) and non-ASCII ones are legal on
# paper; the verifier and the sender take neither.
ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = rf"(?:{LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"
DOMAIN = re.compile(HOST)
ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){ATOM}(?:\.{ATOM})*@{HOST}")

MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3 less the brackets
MAX_DOMAIN = 253
MAX_RAW = 1000  # what is longer is no address in any notation; the parsers below need not see it

NAMED = re.compile(r"[^<>]*<([^<>]+)>")  # Ida Locke <ida@acme.example>
AROUND = " \t\r\n\v\f\xa0\u200b\u200e\u200f\u2060\ufeff\"'"
AFTER = AROUND + ".,;:>"
URL_START = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


def normalise(raw: str) -> str | None:
    """The address in lower case with an ASCII domain; None if it is malformed or there is none.

    Forgives what exports do to addresses: blanks, `mailto:`, `Ida <ida@acme.example>`, a full stop behind it.
    A plus tag stays: it is part of the address.
    """
    text = raw.strip()
    if len(text) > MAX_RAW:
        return None
    if text.isascii() and len(text) <= MAX_ADDRESS and ADDRESS.fullmatch(lower := text.lower()):
        return lower
    if named := NAMED.fullmatch(text):
        text = named[1]
    text = text.strip(AROUND).rstrip(AFTER)
    if text[:7].lower() == "mailto:":
        text = text[7:].lstrip()
    local, _, host = text.rpartition("@")
    # Before lower-casing: the Kelvin sign would become an ordinary k.
    if not local.isascii():
        return None
    address = f"{local.lower()}@{_ascii_host(host)}"
    return address if len(address) <= MAX_ADDRESS and ADDRESS.fullmatch(address) else None


def normalise_domain(raw: str) -> str | None:
    """The host of a URL or domain as one writes it, without `www.`, in ASCII; None if there is none in it."""
    text = raw.strip(AROUND)
    if len(text) > MAX_RAW * 4:
        return None
    if start := URL_START.match(text):
        text = text[start.end() :]
    host = re.split(r"[/?#\\]", text, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    host = _ascii_host(host.rstrip(".")).removeprefix("www.")
    return host if len(host) <= MAX_DOMAIN and DOMAIN.fullmatch(host) else None


def domain_of(address: str) -> str:
    """The domain of a normalised address."""
    return address.rpartition("@")[2]


def domain_and_parents(domain: str) -> list[str]:
    """`mail.acme.example` -> [`mail.acme.example`, `acme.example`]; a top-level domain alone is not among them."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def _ascii_host(host: str) -> str:
    """In lower case, by IDNA 2008 with the mappings of UTS 46; '' where these refuse. Says nothing about its form."""
    if host.isascii():
        return host.lower()
    if len(host) > MAX_DOMAIN:  # the library's checks are quadratic
        return ""
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return ""
