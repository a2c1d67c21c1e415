"""A request has an id, by which proxy, client and log find it again: that of its `X-Request-ID`, else a new one."""

import re
import secrets
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from telemetry import ids

HEADER = "X-Request-ID"
# What a stranger sends is repeated in a header and in the log.
PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RequestId:
    """This middleware stands before all others, and does not take the id back: Django logs a refusal when the
    middlewares have ended. `forget` does, when the answer is closed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.headers.get(HEADER, "")
        request_id = sent if PLAIN.fullmatch(sent) else secrets.token_hex(16)
        ids.begin(request=request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        return response


def forget(**_: Any) -> None:
    """Name nothing any more: the receiver of `request_finished`."""
    ids.begin()
