"""A vendor's answer as a value, and what its status means where no vendor says otherwise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from requests.structures import CaseInsensitiveDict

from integrations import reading
from integrations.errors import FailureType

TAG = re.compile(r"<[^<>]{0,500}>")
EXPLAINED = 2_000  # characters of a text that are looked at

# Where the five put their words, first one wins: `error` alone is a text at Apollo and Instantly, `message` is the
# longer one of Instantly's two.
WORDS = ("error_message", "message", "detail", "error")

OUR_FAULT = frozenset({400, 411, 413, 414, 415, 422})
GONE = frozenset({404, 405, 410})


@dataclass(frozen=True)
class Answer:
    """Status, headers (any case) and the decompressed body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", CaseInsensitiveDict(self.headers))

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The JSON object that came, None if anything else did."""
        return reading.parse_object(self.content)

    @cached_property
    def words(self) -> str:
        """The beginning of the body in lower case, for where only prose tells."""
        return self.content[:EXPLAINED].decode("utf-8", "replace").lower()

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """Whether an edge (Cloudflare, openresty) answered in the vendor's place."""
        return "html" in self.headers.get("content-type", "") or self.words.lstrip().startswith("<")

    @property
    def explanation(self) -> str:
        """The vendor's own words on an error, without markup; to be redacted before use (VendorError does)."""
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
        """How an answer ended that says no more; a language service's refusal or empty text is `completed` too."""
        body = self.body or {}
        reason = reading.text(reading.mapping(body.get("incomplete_details")).get("reason"))
        status = reading.text(body.get("status"))
        nothing = "no usable text" if "output" in body else "and nothing was done"
        return f"status {status}{f', {reason}' if reason else ''}, {nothing}" if status else "no explanation"

    @property
    def request_id(self) -> str:
        """The vendor's (else its edge's) name for this call, "" if it has none."""
        named = self.headers.get("x-request-id", "") or reading.identifier((self.body or {}).get("request_id"))
        return reading.text(named or self.headers.get("cf-ray", ""))


def _plain(words: str) -> str:
    return " ".join(reading.line(TAG.sub(" ", words[:EXPLAINED])).split())


def by_status(answer: Answer) -> FailureType | None:
    """What a status means where the vendor's own fields do not tell; None for 2xx with a JSON object.

    Whatever is unknown counts as the vendor's fault: it is retried, and enough of it stops the system. A 401 or 403
    without JSON is the edge's, not a refused key.
    """
    status = answer.status
    if status == 429:
        return FailureType.RATE_LIMIT
    if status >= 500:
        return FailureType.SERVER_ERROR
    if status == 408:
        return FailureType.TIMEOUT
    if answer.body is None or not (answer.ok or status >= 400):
        return FailureType.MALFORMED
    if answer.ok:
        return None
    if status in (401, 403) or status in GONE:
        return FailureType.AUTH
    if status == 402:
        return FailureType.QUOTA_EXHAUSTED
    return FailureType.INVALID_REQUEST if status in OUR_FAULT else FailureType.SERVER_ERROR
