"""Keys and addresses are taken out of everything that may be logged, stored as evidence or shown."""

import logging
import re
from urllib.parse import quote, quote_plus

from django.conf import settings

KEY = "[key]"

# What is called so is secret: alone, at the end of a longer name (OPENAI_API_KEY, x-auth-token) or before an ending of
# one (password2, csrfmiddlewaretoken). Not `tokens`, `max_tokens=800`, `token_count`: those are numbers.
NAME = (
    r"(?:passw(?:or)?d|passphrase|(?<![a-z])(?:pwd|pass)(?=\W|_)|secret(?!ar)|credentials?|csrf|signature|session[_-]?id"
    r"|(?:api|access|private|auth|signing|encryption|license|account|master|service|shared)[_-]?key(?!word)"
    r"|token(?!s|[_-]?(?:count|type|limit|url|in|out)\b))[a-z0-9_-]{0,24}"
    r"|(?<![a-z])(?:key|api|sig|sid|jwt|otp|pin|session|auth)"
)
# `name=value`, `name: value`, `"name": "value"`, `{'name': b'value'}`, `\"name\": \"value\"`, `name%3Dvalue`.
IS = (
    r"(?:\[\w{0,20}\])?(?:\\{0,8}[\"'])?\]?\s{0,4}"
    r"(?:=>|:=|[:=]|%3D|%3A|(?<=[\"']),(?=\s{0,4}b?[\"']))\s{0,4}"
)
QUOTED = r"b?(?:\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|(?P<escaped>\\+[\"'])(?:(?!(?P=escaped)).)*(?P=escaped)?)"
NAMED = re.compile(rf"((?:{NAME}){IS})(?:{QUOTED}|[^\s&\"'<>]*[^\s&\"'<>,;)\]}}])", re.IGNORECASE | re.DOTALL)
# Whole headers: what they hold has a form of its own, and only its end is known.
SCHEMES = r"(?:bearer|basic|token|apikey|api-key|digest|negotiate|ntlm|hmac|signature)\s+"
REST = (
    r"(?:[a-z][\w-]{0,40}\s+)?(?:[^\s\"']|\"[^\"\n]*\")+"
    r"(?:(?<=[;,])\s*[\w.-]{1,60}=(?:\"[^\"\n]*\"|[^\s\"';,]*)[;,]?)*"
)
HEADER = re.compile(rf"((?:authorization|cookie2?){IS}(?:{SCHEMES})?)(?:{QUOTED}|{REST})", re.IGNORECASE | re.DOTALL)
# A scheme and what proves it, without the header's name. Prose ("Basic authentication") has no digit, capital or sign.
SCHEME = re.compile(
    r"\b((?i:bearer)\s+)[^\s&'\",;]+"
    rf"|\b((?i:{SCHEMES}))"
    r"(?=[\w.~+/=-]*[0-9A-Z+/=])[\w.~+/-]{8,}=*"
)
# Keys that are known by how they begin, and a JSON Web Token.
KNOWN = re.compile(r"\b(?:sk|pplx|hf)[-_][\w*.-]{4,}|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
# postgres://user:password@host, redis://:password@host.
IN_URL = re.compile(r"(://[^\s:@/]*:)[^\s/@]+(?=@)")
# The local part ends at 64 characters (RFC 5321), which also bounds the search on text without an @.
ADDRESS = re.compile(r"([^\s@<>\"'=&,;:(/])[^\s@<>\"'=&,;:(/]{0,63}(@|%40)(?=[\w\[])", re.IGNORECASE)

# PostgreSQL explains a refused row by quoting all of it.
ROW = re.compile(r"(Failing row contains )\(.*?\)\.?$", re.DOTALL | re.MULTILINE)

# Shorter ones are no real keys, and would blank out ordinary words.
SHORTEST_KEY = 6


def redact(text: str) -> str:
    """Return `text` with every configured key as `[key]`, every address as `i***@acme.test`, and no row of the
    database."""
    keys = [str(vendor["api_key"]) for vendor in settings.VENDORS.values()]
    for key in (*keys, settings.INSTANTLY_WEBHOOK_PATH, settings.INSTANTLY_WEBHOOK_SECRET):
        if len(key) >= SHORTEST_KEY:
            for form in {key, quote(key, safe=""), quote_plus(key)}:
                text = text.replace(form, KEY)
    text = ROW.sub(r"\1[row]", text)
    text = IN_URL.sub(rf"\1{KEY}", text)
    for pattern in (HEADER, NAMED):
        text = pattern.sub(rf"\1{KEY}", text)
    text = SCHEME.sub(lambda match: f"{match.group(1) or match.group(2)}{KEY}", text)
    text = KNOWN.sub(KEY, text)
    return ADDRESS.sub(r"\1***\2", text)


class RedactingFilter(logging.Filter):
    """This filter makes urllib3's loggers safe: they print whole URLs, broken headers at WARNING among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True always; the record is made safe on its way."""
        record.msg = redact(record.getMessage())
        record.args = ()
        record.exc_info = None
        record.exc_text = None
        return True
