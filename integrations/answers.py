"""A vendor's answer is a value, and its status says what went wrong where no vendor says otherwise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from requests.structures import CaseInsensitiveDict

from integrations import causes, reading
from integrations.errors import FailureType

TAG = re.compile(r"<[^<>]{0,500}>")
EXPLAINED = 2_000  # characters of a text that are looked at

# Where the five put their words, first one wins: `error` alone is a text at Apollo and Instantly, `message` is the
# longer one of Instantly's two.
WORDS = ("error_message", "message", "detail", "error")

PHRASES = {int(status): status.phrase for status in HTTPStatus}

OUR_FAULT = frozenset({400, 411, 413, 414, 415, 422})
OF_ITS_FORM = frozenset({411, 413, 414, 415})  # about the request's form, whatever else its words speak of
GONE = frozenset({404, 405, 410})


@dataclass(frozen=True)
class Answer:
    """An answer is a status, headers (any case) and the decompressed body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", CaseInsensitiveDict(self.headers))

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """Return the JSON object that came, None if anything else did."""
        return reading.parse_object(self.content)

    @cached_property
    def words(self) -> str:
        """Return the beginning of the body in lower case, for where only prose tells."""
        return self.content[:EXPLAINED].decode("utf-8", "replace").lower()

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """Say whether an edge (Cloudflare, openresty) answered with a page in the vendor's place."""
        return "html" in self.headers.get("content-type", "") or self.words.lstrip().startswith("<")

    @property
    def is_edges(self) -> bool:
        """Say whether an edge answered, with a page or with its bare `error code: 1010`."""
        return self.is_html or self.words.lstrip().startswith("error code:")

    @property
    def names(self) -> list[str]:
        """List the codes and types of an error, wherever one of the five puts them. Any may be missing, null or a
        number."""
        body = self.body or {}
        error, details = reading.mapping(body.get("error")), reading.mapping(body.get("error_details"))
        values = (*(error.get(key) for key in ("type", "code")), details.get("code"), body.get("error_code"))
        return [name for value in values if (name := reading.identifier(value))]

    @property
    def complaint(self) -> str:
        """Return the beginning of the vendor's sentences on an error, "" if an edge answered. Not what else is in the
        body, nor a sentence that is only the status in words (Instantly's `error`)."""
        if self.body is None:
            return "" if self.is_edges else self.words
        parts = [self.body, *(reading.mapping(self.body.get(key)) for key in ("error", "error_details"))]
        said = [reading.text(part.get(key)) for part in parts for key in WORDS]
        return "\n".join(words for words in said if words and words != PHRASES.get(self.status))[:EXPLAINED]

    @property
    def explanation(self) -> str:
        """Return the vendor's own words on an error, without markup; to be redacted before use (VendorError does)."""
        if 300 <= self.status < 400:
            return "a redirect, not followed"
        if self.body is None:
            kind = "an HTML page" if self.is_html else "no JSON object"
            return f"{kind}: {_plain(self.words)}" if self.words else "an empty body"
        error = reading.mapping(self.body.get("error"))
        code = reading.identifier(error.get("code") or error.get("type") or self.body.get("error_code"))
        words = next((word for key in WORDS if (word := reading.text((error or self.body).get(key)))), "")
        return _plain(": ".join(filter(None, (code, words))) or self._hidden())

    def _hidden(self) -> str:
        """Say how an answer ended that says no more; a language service's refusal or empty text is `completed` too."""
        body = self.body or {}
        reason = reading.text(reading.mapping(body.get("incomplete_details")).get("reason"))
        status = reading.text(body.get("status"))
        nothing = "no usable text" if "output" in body else "and nothing was done"
        return f"status {status}{f', {reason}' if reason else ''}, {nothing}" if status else "no explanation"

    @property
    def request_id(self) -> str:
        """Return the vendor's (else its edge's) name for this call, "" if it has none."""
        named = self.headers.get("x-request-id", "") or reading.identifier((self.body or {}).get("request_id"))
        return reading.text(named or self.headers.get("cf-ray", ""))


def _plain(words: str) -> str:
    return " ".join(reading.line(TAG.sub(" ", words[:EXPLAINED])).split())


def by_status(answer: Answer) -> FailureType | None:
    """Say what a status means where the vendor's own fields do not tell; None for 2xx with a JSON object.

    Whatever is unknown counts as the vendor's fault: it is retried, and enough of it stops the system. A 401 or 403 of
    the edge's is no refused key. Between 400 and 499 the error's names and words may say what no retry cures.
    """
    status = answer.status
    if status >= 500:
        return FailureType.SERVER_ERROR
    if status == 408:
        return FailureType.TIMEOUT
    if status >= 400 and status not in OF_ITS_FORM and (cause := _cause(answer)):
        return cause
    if status == 429:
        return FailureType.RATE_LIMIT
    if not answer.is_edges and status in (401, 402):
        return FailureType.AUTH if status == 401 else FailureType.QUOTA_EXHAUSTED
    if answer.body is None or not (answer.ok or status >= 400):
        return FailureType.MALFORMED
    if answer.ok:
        return None
    if status == 403 or status in GONE:
        return FailureType.AUTH
    return FailureType.INVALID_REQUEST if status in OUR_FAULT else FailureType.SERVER_ERROR


def _cause(answer: Answer) -> FailureType | None:
    by_names = causes.by_names(answer.names, throttled=answer.status == 429)
    return by_names or causes.by_words(answer.complaint)
