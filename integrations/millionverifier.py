"""MillionVerifier says whether an address can be written to. A credit for a good or bad verdict, none for a risky one.

Facts: developer.millionverifier.com (API 3.1.0). Three surprises: every error is a 200 with a text in `error`, the key
travels in the URL, and the texts differ by source, so they are matched by keyword.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast, get_args

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import causes, http, prices, probing, reading
from integrations.answers import EXPLAINED, OUR_FAULT, Answer, by_status
from integrations.errors import FailureType
from integrations.results import Outlook, Usage, Verdict, VerdictResult

SERVICE = "millionverifier"

VERDICTS = frozenset(get_args(VerdictResult))
CODES = {1: "ok", 2: "catch_all", 3: "unknown", 4: "error", 5: "disposable", 6: "invalid"}
NOT_DONE = frozenset({"error", "unverified", "reverify"})
WORD = re.compile(r"[a-z]+")
KEY = re.compile(r"api ?keys?|\bkeys?\b")
REFUSED = frozenset({"unauthorized", "unauthorised", "denied", "forbidden", "token", "credentials", "permission"})
# "No email specified", "invalid_email", "Email address is not valid", and then at most the address, which is taken out.
ADDRESS = re.compile(r"[^\s@]{1,64}@\S{1,255}")
BAD_ADDRESS = re.compile(
    r"(?:(?:no|invalid|missing|empty|malformed|bad|wrong|incorrect) (?:\w+ ?:? )?)?"
    r"e-?mail(?: address| parameter| format| syntax)*(?: (?:is|was))?"
    r"(?: (?:not )?(?:valid|specified|provided|given|missing|required|invalid|empty|malformed|set))?\W*"
)
CHARGED = frozenset({"ok", "disposable", "invalid"})

# How long the vendor waits for the recipient's server: 2 to 60 s, and well below our own read timeout.
SHORTEST_WAIT, LONGEST_WAIT, SPARE = 2, 60, 10


def classify(answer: Answer) -> FailureType | None:
    """Say what went wrong, None if nothing did. A 403 without JSON is the edge's, not the key's."""
    body = answer.body
    if body is None or answer.status == 408 or answer.status >= 500:
        return by_status(answer)
    error = _error(body)
    if answer.status == 429:
        return FailureType.QUOTA_EXHAUSTED if "credit" in error else by_status(answer)
    if error and (answer.ok or body.get("error")):
        # An error that no keyword fits is not taken for one lead's fault, whatever the status.
        unclear = answer.ok or answer.status in OUR_FAULT
        return _by_words(error) or (FailureType.SERVER_ERROR if unclear else by_status(answer))
    if answer.ok and "result" in body:
        result = _result(body)
        if result in NOT_DONE:
            return FailureType.SERVER_ERROR
        if result not in VERDICTS:
            return FailureType.MALFORMED
    return by_status(answer)


def _error(body: dict[str, Any]) -> str:
    """Return the text of an error in lower case and without addresses, whose own words ("credit@keys.example") say
    nothing; "" if there is no error. What is there and no text is an error all the same."""
    error = body.get("error")
    error = error.strip() if isinstance(error, str) else error
    if not error and reading.text(body.get("result")) in VERDICTS:
        return ""
    said = error if isinstance(error, str) else reading.mapping(error).get("message") or body.get("message")
    text = ADDRESS.sub(" ", reading.text(said)[:EXPLAINED].lower().replace("_", " ")).strip()
    return text or ("an error without words" if error else "")


def _by_words(error: str) -> FailureType | None:
    """Say what an error's text means; None for one that no keyword fits. Hardly any has been captured live.

    Only a text that is about the address and nothing else is the lead's own fault: "email" occurs in others too. A
    blocked IP is nothing that a retry cures, so it stops the system like a refused key.
    """
    if "credit" in error:
        return FailureType.QUOTA_EXHAUSTED
    words = set(WORD.findall(error))
    if KEY.search(error) or words & REFUSED or ("ip" in words and "block" in error):
        return FailureType.AUTH
    if BAD_ADDRESS.fullmatch(error):
        return FailureType.INVALID_REQUEST
    return causes.by_words(error)


def verify(email: str) -> Verdict:
    """Ask for the verdict on one address. Asking again charges again, and drifts towards `unknown`. Raises
    VendorError."""
    answer = _call("/api/v3/", [("email", email), ("timeout", _wait())])
    body = answer.body or {}
    result = _result(body)
    if result not in VERDICTS:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no verdict in the answer")
    spent = Decimal(1 if result in CHARGED else 0)
    return Verdict(
        result=cast(VerdictResult, result),
        subresult=reading.text(body.get("subresult")),
        did_you_mean=reading.text(body.get("didyoumean")),
        free=body.get("free") is True,
        role=body.get("role") is True,
        credits_left=reading.whole(body.get("credits")),
        usage=Usage(credits=spent, cost_usd=prices.cost(SERVICE, credits=spent)),
        request_id=answer.request_id,
        http_status=answer.status,
        limits=None,
    )


def probe() -> ProbeResult:
    """Make the free health call, which says how many credits are left. None left is a failure, for nothing could be
    verified."""

    def ask() -> str:
        answer, left = _credits()
        if left <= 0:
            raise http.failed(SERVICE, FailureType.QUOTA_EXHAUSTED, answer, "the key is accepted, no credit is left")
        return f"The key is accepted, {left} credits left"

    return probing.probed("the key is valid and has credits; not that addresses are being verified", ask)


def outlook() -> Outlook:
    """Tell how many credits are left; free. Raises VendorError."""
    return Outlook(left=max(Decimal(_credits()[1]), Decimal(0)), unit="credits")


def _credits() -> tuple[Answer, int]:
    answer = _call("/api/v3/credits", [], longest=http.PROBE_DEADLINE)
    left = reading.whole((answer.body or {}).get("credits"))
    if left is None:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no credits in the answer")
    return answer, left


def needs() -> list[tuple[str, Callable[[], object]]]:
    """List nothing: keys have no scopes, so the probe shows all."""
    return []


def _call(path: str, params: list[tuple[str, str | int]], **request: Any) -> Answer:
    key = str(settings.VENDORS[SERVICE]["api_key"])
    return http.call(SERVICE, classify, "GET", path, params=[("api", key), *params], **request)


def _wait() -> int:
    ours = int(cast(float, settings.VENDORS[SERVICE]["read_timeout"])) - SPARE
    return min(max(ours, SHORTEST_WAIT), LONGEST_WAIT)


def _result(body: dict[str, Any]) -> str:
    """Read `result`, or its number. Never `quality`: the vendor's own example calls an invalid address good."""
    return reading.text(body.get("result")) or CODES.get(reading.whole(body.get("resultcode")) or 0, "")
