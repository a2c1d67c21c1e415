"""The login page has the API's limit on logins from one IP address, against trying few passwords on many names."""

import math

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request

from api.frame.throttling import Logins
from circuitbreakers.switch import RedisUnavailable


def login(request: HttpRequest) -> HttpResponseBase:
    """Show Django's login page, or answer 429 after too many attempts from one IP address, those for tokens included.

    While Redis does not answer nothing is counted: users have to get in just then, and the lock on a user's name after
    wrong passwords is in PostgreSQL.
    """
    if request.method == "POST":
        limit = Logins()
        try:
            allowed = limit.allow_request(Request(request), None)
        except RedisUnavailable:
            allowed = True
        if not allowed:
            return HttpResponse(
                "Too many logins from this address. Try again later.",
                content_type="text/plain",
                status=429,
                headers={"Retry-After": str(math.ceil(limit.wait()))},
            )
    return admin.site.login(request)
