"""Instantly posts here what became of a lead. It signs nothing: an opaque part of the path and a header with a secret
are all that tells it from a stranger.

No session, no user, no CSRF token, no count of requests: the one statement is the event's insert. What follows from an
event is the supervisor's work.
"""

import hmac
import logging

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from campaigns import outcome_intake
from campaigns.outcome_intake import SECRET_HEADER
from circuitbreakers import postgresql

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024
TRY_AGAIN = 30  # seconds


@csrf_exempt
def instantly(request: HttpRequest, opaque: str) -> HttpResponse:
    """Keep one event: 200. A stranger gets 401 whatever is wrong; 503 while PostgreSQL is away, so that Instantly tries
    again."""
    if not is_known(opaque, request.headers.get(SECRET_HEADER, "")):
        return answer(401, "Not known here.")
    if request.method != "POST":
        return answer(405, "POST an event.", Allow="POST")
    try:
        body = request.read(MOST_BYTES + 1)
    except UnreadablePostError:
        return answer(400, "The request broke off.")
    if len(body) > MOST_BYTES:
        return answer(413, f"An event has at most {MOST_BYTES:,} bytes.")
    try:
        told = outcome_intake.told_by_webhook(outcome_intake.parse(body))
    except outcome_intake.PayloadRefused as refused:
        return answer(400, str(refused))
    try:
        outcome_intake.store([told])
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        if postgresql.away(error):
            postgresql.Availability.failed(error)
        else:
            logger.error("An event of Instantly could not be stored: %s", type(error).__name__)
        return answer(503, "Try again.", **{"Retry-After": str(TRY_AGAIN)})
    postgresql.Availability.answered(wrote=True)
    return answer(200, "")


def is_known(opaque: str, secret: str) -> bool:
    """Say whether both parts are ours, in a time that does not tell how much of them is; nobody is known while they are
    not configured."""
    ours = (settings.INSTANTLY_WEBHOOK_PATH, settings.INSTANTLY_WEBHOOK_SECRET)
    same = [
        hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())
        for given, own in zip((opaque, secret), ours, strict=True)
    ]
    return all(same) and all(ours)


def answer(status: int, detail: str, **headers: str) -> HttpResponse:
    """Return an answer that Django does not write into the log: its line would hold the path."""
    response = JsonResponse({"status": "error", "detail": detail} if detail else {"status": "ok"}, status=status)
    for name, value in headers.items():
        response[name] = value
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
