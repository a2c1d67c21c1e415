"""Keys and addresses taken out of everything that may be logged, stored as evidence or shown."""

import logging
import re
from urllib.parse import quote, quote_plus

from django.conf import settings

KEY = "[key]"

# A vendor's key as it travels: MillionVerifier's in the query, the others' in a header; OpenAI repeats a refused one.
TRAVELLING = re.compile(
    r"(?i)((?:[?&]|\b)(?:api|api_?key|key|token)=|x-api-key['\"]?\s*[:=]\s*['\"]?|\bbearer\s+)[^\s&'\",;]+"
    r"|\b(?:sk|pplx)-[\w*.-]{4,}"
)
# The local part ends at 64 characters (RFC 5321), which also bounds the search on text without an @.
ADDRESS = re.compile(r"([^\s@<>\"'=&,;:(/])[^\s@<>\"'=&,;:(/]{0,63}(@|%40)(?=[\w\[])", re.IGNORECASE)

# PostgreSQL explains a refused row by quoting all of it.
ROW = re.compile(r"(Failing row contains )\(.*?\)\.?$", re.DOTALL | re.MULTILINE)

# Shorter ones are no real keys, and would blank out ordinary words.
SHORTEST_KEY = 6


def redact(text: str) -> str:
    """`text` with every configured key as `[key]`, every address as `i***@acme.test`, and no row of the database."""
    for vendor in settings.VENDORS.values():
        key = str(vendor["api_key"])
        if len(key) >= SHORTEST_KEY:
            for form in {key, quote(key, safe=""), quote_plus(key)}:
                text = text.replace(form, KEY)
    text = ROW.sub(r"\1[row]", text)
    text = TRAVELLING.sub(lambda match: f"{match.group(1) or ''}{KEY}", text)
    return ADDRESS.sub(r"\1***\2", text)


class RedactingFilter(logging.Filter):
    """For urllib3's loggers: they print whole URLs, broken headers at WARNING among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record is made safe on its way."""
        record.msg = redact(record.getMessage())
        record.args = ()
        record.exc_info = None
        record.exc_text = None
        return True
