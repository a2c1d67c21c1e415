"""All requests to the vendors go out here: each goes out once, under a total deadline, and an Answer or a VendorError
comes back. Nothing is retried and no redirect is followed; what an answer means is each vendor's `classify`."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any

import requests
from django.conf import settings
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as TLSError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from integrations import deadline, ratelimits, reading
from integrations.answers import Answer
from integrations.deadline import MAX_BODY, PermitEnded, TooLarge, exchange
from integrations.errors import FailureType, VendorError
from integrations.redaction import RedactingFilter, redact
from integrations.results import Usage

CHUNK = 65_536
PROBE_DEADLINE = 10.0  # seconds; a health call that takes longer is not health

logger = logging.getLogger(__name__)

# Forms of Retry-After that could not be read and have been told, digits aside.
told_forms: set[tuple[str, str]] = set()
DIGITS = re.compile(r"\d+")
LONGEST_FORM = 60  # characters
MOST_FORMS = 100

Classify = Callable[[Answer], FailureType | None]
Params = Sequence[tuple[str, str | int]]

for name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(name).addFilter(RedactingFilter())


def call(
    service: str,
    classify: Classify,
    method: str,
    path: str,
    *,
    params: Params = (),
    json: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    longest: float | None = None,
    billed: Callable[[Answer], Usage] | None = None,
    advice: Callable[[Answer], str] | None = None,
) -> Answer:
    """Make one request and return its answer, if `classify` finds nothing wrong with it; otherwise raises VendorError.

    `longest` shortens the service's deadline (seconds); `billed` reads what a failed answer was charged all the same,
    `advice` says what to do about one, where the vendor's own words do not.
    """
    answer = send(service, method, path, params=params, json=json, headers=headers, longest=longest)
    failure = classify(answer)
    if failure is not None:
        usage = billed(answer) if billed and answer.ok else None
        raise failed(service, failure, answer, advice(answer) if advice else "", usage)
    return answer


def call_as_bearer(service: str, classify: Classify, method: str, path: str, **request: Any) -> Answer:
    """Make a `call` of a service that takes its key as a bearer token."""
    headers = {"Authorization": f"Bearer {settings.VENDORS[service]['api_key']}"}
    return call(service, classify, method, path, headers=headers, **request)


def failed(
    service: str, failure: FailureType, answer: Answer, message: str = "", usage: Usage | None = None
) -> VendorError:
    """Make the error for an answer that came but will not do; without a `message` the vendor's own words are kept."""
    tell_unread(service, ratelimits.unread(answer.headers))
    return VendorError(
        service=service,
        failure_type=failure,
        message=f"HTTP {answer.status}: {message or answer.explanation}",
        http_status=answer.status,
        retry_after=ratelimits.retry_after(answer.headers),
        request_id=answer.request_id,
        usage=usage,
    )


def tell_unread(service: str, value: str) -> None:
    """Say, once for each form of it, that a vendor's wish to wait could not be read; "" is none."""
    form = (service, DIGITS.sub("0", value)[:LONGEST_FORM])
    if value and form not in told_forms and len(told_forms) < MOST_FORMS:
        told_forms.add(form)
        logger.warning(
            "%s wishes to be called later, in a form that cannot be read: Retry-After: %s",
            service,
            redact(reading.line(value))[:LONGEST_FORM],
        )


def send(
    service: str,
    method: str,
    path: str,
    *,
    params: Params = (),
    json: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    longest: float | None = None,
) -> Answer:
    """Return whatever the vendor answered, whole and unjudged. Raises VendorError when no whole answer came in time,
    and PermitEnded when the request was not sent at all (see deadline.sent_by)."""
    vendor: Mapping[str, Any] = settings.VENDORS[service]
    key = str(vendor["api_key"])
    if not key or not key.isascii() or not key.isprintable():
        raise VendorError(
            service=service, failure_type=FailureType.AUTH, message="The key is missing or unusable", sent=False
        )
    total = min(float(vendor["deadline"]), longest or float(vendor["deadline"]))
    timeouts = (float(vendor["connect_timeout"]), min(float(vendor["read_timeout"]), total))
    exchange.begin(connect_timeout=timeouts[0], read_timeout=timeouts[1], deadline=total)
    # The error is raised outside the except clause: a chained exception would carry the URL, and with it the key.
    try:
        request = requests.Request(
            method,
            f"{vendor['base_url']}{path}",
            params=list(params),
            json=json,
            headers={
                "User-Agent": settings.USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                **(headers or {}),
            },
        ).prepare()
    except (UnicodeError, requests.exceptions.InvalidJSONError):
        failure, message = FailureType.INVALID_REQUEST, "The request holds text that cannot be encoded"
    except RequestException as error:
        failure, message = FailureType.CONNECTION, f"The base URL is unusable ({type(error).__name__})"
    else:
        try:
            return _exchange(request, timeouts)
        except PermitEnded:
            raise
        except (RequestException, HTTPError, HTTPException, OSError, ValueError, TooLarge) as error:
            failure, message = judge(error)
    raise VendorError(service=service, failure_type=failure, message=message, sent=exchange.sent)


def _exchange(request: requests.PreparedRequest, timeouts: tuple[float, float]) -> Answer:
    # The adapter without requests' Session: a session reads a redirect's whole body whatever its size, keeps cookies,
    # and takes proxies and passwords from the environment.
    response = deadline.adapter.send(request, stream=True, timeout=timeouts)
    try:
        body = bytearray()
        while chunk := response.raw.read(CHUNK, decode_content=True):
            body += chunk
            if len(body) > MAX_BODY:
                raise TooLarge
        return Answer(response.status_code, response.headers, bytes(body))
    finally:
        response.close()


def judge(error: BaseException) -> tuple[FailureType, str]:
    """Return the failure type and a message that quotes nothing: the libraries' own texts carry the URL."""
    causes = list(_causes(error))
    root = causes[-1]
    kind = type(root).__name__
    if any(isinstance(cause, TimeoutError | HTTPTimeout) for cause in causes):
        return FailureType.TIMEOUT, "No complete answer in time"
    if isinstance(root, TooLarge):
        return FailureType.MALFORMED, f"The answer is larger than {MAX_BODY} bytes"
    # RemoteDisconnected is a BadStatusLine too, and RequestException an OSError.
    if isinstance(root, OSError | TLSError):
        return FailureType.CONNECTION, f"The connection failed ({kind})"
    return FailureType.MALFORMED, f"The answer is not proper HTTP ({kind})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what the libraries wrapped in it, outermost first."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)
