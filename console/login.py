"""The login page, with the API's limit on logins from one address: whoever tries many names tries few on each."""

import math

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request

from api.frame.throttling import Logins
from circuitbreakers.switch import RedisUnavailable


def login(request: HttpRequest) -> HttpResponseBase:
    """Django's login page; 429 for too many attempts, of which the API's token door counts its share.

    While Redis does not answer nothing is counted: people have to get in just then, and the lock on a user's name
    after wrong passwords is in PostgreSQL.
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
