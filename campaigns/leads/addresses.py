"""Addresses and domains are brought into one form here. Every door normalises before it stores or compares.

What comes out is ASCII in lower case, so that PostgreSQL's lower() under any locale agrees with it.
"""

import re

import idna

from campaigns.leads.residue import ENCODED, bare, decoded

# Dot-atoms as in Django's EmailValidator. Quoted local parts ("a b"@acme.example) and non-ASCII ones are legal on
# paper; the verifier and the sender take neither.
ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = rf"(?:{LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"
DOMAIN = re.compile(HOST)
ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){ATOM}(?:\.{ATOM})*@{HOST}")
# What nearly every cell holds: nothing in it could be residue, so nothing needs to be taken off.
CLEAN = re.compile(rf"(?!u00)(?=[^@]{{1,64}}@)[a-z0-9_][a-z0-9_+-]*(?:\.[a-z0-9_+-]+)*@{HOST}")

MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3 less the brackets
MAX_DOMAIN = 253
MAX_RAW = 1000  # characters; what is longer is no address in any notation, and the parsers below need not see it

# Between two addresses, or an address and its name or label. A blank alone is none: see `in_piece`.
SEPARATOR = re.compile(
    r"([,;|\n\r<>()\[\]{}\"`\u00ab\u00bb\u201c-\u201f\u2039\u203a\u3008-\u3011]|:\s"
    r"|\s[-=*/>\u2010-\u2015\u2022\u00b7]+\s)"
)
AROUND_AT = re.compile(r"\s*@\s*")
AND = frozenset({"", "and", "or", "und", "oder", "et", "ou", "y", "o", "e", "en", "&", "+"})

# In place of an address that is not paid for, Apollo writes `email_not_unlocked@domain.com`, or a word. Letters only.
LOCKED = re.compile(
    r".*notunlocked.*|(?:e?mail|address)*(?:is)?(?:locked|not(?:yet)?available|unavailable)(?:e?mail|address)*"
)
PLACEHOLDER_HOST = "domain.com"
PERHAPS_LOCKED = re.compile(r"lock|avail|@domain\.com$")
URL_START = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
HOST_END = re.compile(r"[/?#\\]")


def normalise(raw: str) -> str | None:
    """Return the address in lower case with an ASCII domain; None if it is malformed, a placeholder, several, or
    missing.

    Forgives what exports do to addresses (`residue`), so that residue neither makes another address nor gets around the
    suppression list. A plus tag stays: it is part of the address.
    """
    addresses = addresses_in(raw)
    return addresses[0] if len(addresses) == 1 else None


def addresses_in(raw: str) -> list[str]:
    """Find all addresses in a cell, each once, normalised, in their order; none for a placeholder of Apollo's."""
    text = raw.strip()
    if len(text) <= MAX_ADDRESS and CLEAN.fullmatch(lower := text.lower()) and text.isascii():
        return [] if PERHAPS_LOCKED.search(lower) and is_locked(lower) else [lower]
    if len(text) > MAX_RAW:
        return []
    addresses: dict[str, None] = {}
    parts = SEPARATOR.split(decoded(text))
    for place in range(0, len(parts), 2):
        if "@" in parts[place] and not is_torn(parts, place):
            addresses |= dict.fromkeys(in_piece(parts[place]))
    return [address for address in addresses if not is_locked(address)]


def is_torn(parts: list[str], place: int) -> bool:
    """Say whether a mistyped separator cut this piece out of an address: `ida,locke@acme.example`, `ida@acme.co,uk`."""
    piece = parts[place]
    before, joint = parts[place - 2 : place] if place else ("", "")
    if (
        joint
        and joint in ',;|>)]}"`'
        and before[-1:].isalnum()
        and bare(before)
        and "@" not in before
        and not piece[0].isspace()
    ):
        return True
    joint, after = parts[place + 1 : place + 3] if place + 2 < len(parts) else ("", "")
    return bool(joint) and joint in ",;|" and after[:1].isalnum() and "@" not in after and not piece[-1].isspace()


def in_piece(piece: str) -> list[str]:
    """Find the addresses in a piece that has no separator. None in `ida locke@acme.example`: which is it?"""
    piece = AROUND_AT.sub("@", piece)
    if piece.count("@") == 1:
        address = exact(bare(piece))
        return [address] if address else []
    words = re.split(r"\s+|/", piece.strip())
    if any("@" not in word and word.lower() not in AND for word in words):
        return []
    return [address for word in words if (address := exact(bare(word)))]


def exact(text: str) -> str | None:
    """Read an address that has nothing around it."""
    local, _, host = text.rpartition("@")
    # Before lower-casing: the Kelvin sign would become an ordinary k.
    if not local.isascii() or ENCODED.search(local):
        return None
    address = f"{local.rstrip(chr(39)).lower()}@{_ascii_host(host)}"
    return address if len(address) <= MAX_ADDRESS and ADDRESS.fullmatch(address) else None


def is_locked(text: str) -> bool:
    """Say whether this address or word is what Apollo shows in place of an address that was not paid for."""
    local, at, host = text.lower().rpartition("@")
    letters = re.sub(r"[^a-z]+", "", local if at else host)
    return LOCKED.fullmatch(letters) is not None or (host == PLACEHOLDER_HOST and letters.startswith("email"))


def holds_locked(raw: str) -> bool:
    """Say whether a placeholder of Apollo's stands in this cell, with residue or without."""
    return len(raw) <= MAX_RAW and any(is_locked(bare(piece)) for piece in SEPARATOR.split(decoded(raw)))


def normalise_domain(raw: str) -> str | None:
    """Return the host of a URL or domain as one writes it, without `www.`, in ASCII; None if there is none in it."""
    text = raw.strip()
    if not text or len(text) > MAX_RAW * 4:
        return None
    host = _host_of(text)
    return host or (_host_of(bare(decoded(text)).lstrip(".")) if len(text) <= MAX_RAW else None)


def _host_of(text: str) -> str | None:
    if start := URL_START.match(text):
        text = text[start.end() :]
    host = HOST_END.split(text, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    host = _ascii_host(host.rstrip(".")).removeprefix("www.")
    return host if len(host) <= MAX_DOMAIN and DOMAIN.fullmatch(host) else None


def domain_of(address: str) -> str:
    """Return the domain of a normalised address."""
    return address.rpartition("@")[2]


def domain_and_parents(domain: str) -> list[str]:
    """Return a domain with its parents: `mail.acme.example` -> [`mail.acme.example`, `acme.example`]; a top-level
    domain alone is not among them."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def _ascii_host(host: str) -> str:
    """Return a host in lower case, by IDNA 2008 with the mappings of UTS 46; '' where these refuse. Says nothing about
    its form."""
    if host.isascii():
        return host.lower()
    if len(host) > MAX_DOMAIN:  # the library's checks are quadratic
        return ""
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return ""
