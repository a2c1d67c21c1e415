"""The login page has the API's limit on logins from one IP address, against trying few passwords on many names."""

import math
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from accounts import second_factor
from api.frame.throttling import Logins
from circuitbreakers.switch import RedisUnavailable


class SignInForm(AuthenticationForm):
    """The login asks for a code beside the password where any user has a second factor."""

    code = forms.CharField(
        required=False,
        max_length=20,
        label="Code",
        help_text="Of your authenticator app, if your login has a second factor; or a recovery code.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "class": " ".join(BASE_INPUT_CLASSES)}
        ),
    )

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.company = settings.COMPANY_LOGIN is not None
        if not second_factor.anybody():
            del self.fields["code"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean()
        user = self.get_user()
        if user is not None:
            try:
                second_factor.require(user, data.get("code", ""), self.request)
            except second_factor.CodeRefused as refusal:
                raise ValidationError(str(refusal)) from None
        return data


def login(request: HttpRequest) -> HttpResponseBase:
    """Show Django's login page, or answer 429 after too many attempts from one IP address, those for tokens included.

    While Redis does not answer nothing is counted: users have to get in just then, and the lock on a user's name after
    wrong passwords is in PostgreSQL.
    """
    return (too_many(request) if request.method == "POST" else None) or admin.site.login(request)


def too_many(request: HttpRequest) -> HttpResponse | None:
    """Count one attempt to log in from this IP address; the answer when it is one too many."""
    limit = Logins()
    try:
        allowed = limit.allow_request(Request(request), None)
    except RedisUnavailable:
        allowed = True
    if allowed:
        return None
    return HttpResponse(
        "Too many logins from this address. Try again later.",
        content_type="text/plain",
        status=429,
        headers={"Retry-After": str(math.ceil(limit.wait()))},
    )
