"""Scripts get their tokens here: made with user and password, hashed at rest, named, expiring, revocable."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import break_glass, second_factor
from api.frame.permissions import EVERYBODY, LOGIN
from api.frame.throttling import Logins
from api.frame.views import ApiView
from api.models import ApiToken
from circuitbreakers import events

# The same words for a wrong user, a wrong password and a user that was switched off.
WRONG = "Wrong user name or password."
LOCKED = "Too many wrong passwords. Try again later."


class TooManyTokens(Exception):
    """The user has as many tokens as one may have; the text says what to do."""


class TokenRequest(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, style={"input_type": "password"})
    code = serializers.CharField(
        max_length=20, required=False, default="", allow_blank=True, help_text="Where the login has a second factor."
    )
    name = serializers.CharField(max_length=100, default="API token", help_text="Which script or machine uses it.")
    days = serializers.IntegerField(
        min_value=1, max_value=3650, required=False, help_text="Until it expires; at most what the settings allow."
    )


class TokenInfo(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ("token_key", "name", "created", "expiry")
        read_only_fields = fields


class NewToken(TokenInfo):
    token = serializers.CharField(read_only=True, help_text="Shown once; only its hash is kept.")

    class Meta(TokenInfo.Meta):
        fields = ("token", *TokenInfo.Meta.fields)  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class Revoked(serializers.Serializer):
    token_key = serializers.CharField()
    action = serializers.CharField()


class TokenView(ApiView):
    """POST: an API token for a user's name and password. DELETE: revoke the token that this request came with."""

    required = {"POST": EVERYBODY, "DELETE": LOGIN}
    refusals = {TooManyTokens: 409}
    doing = "logging in"
    serializer_class = TokenRequest

    def get_authenticators(self) -> Any:
        # A login needs no login; with none there is also no session that a foreign page could make use of.
        return [] if self.request is None or self.request.method == "POST" else super().get_authenticators()

    def get_authenticate_header(self, request: Request) -> str:
        return "Token"  # without it a wrong password would be 403

    def get_throttles(self) -> Any:
        return [Logins()] if self.request.method == "POST" else super().get_throttles()

    @extend_schema(
        tags=["auth"],
        operation_id="create_token",
        request=TokenRequest,
        responses={201: OpenApiResponse(NewToken, description="Send it as `Authorization: Token hf_...`.")},
        examples=[
            OpenApiExample("Log in", {"username": "ann", "password": "...", "name": "nightly"}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.body()
        user = self.user_of(request._request, body["username"], body["password"])
        self.require_second_factor(request._request, user, body["code"])
        break_glass.tell(user, request._request, door="api")
        actor = events.Actor(user.get_username(), "api", user.pk)
        row, token = make(user, name=body["name"], days=body.get("days"), actor=actor)
        return Response({"token": token, **TokenInfo(row).data}, status=status.HTTP_201_CREATED)

    @staticmethod
    def user_of(request: HttpRequest, username: str, password: str) -> AbstractBaseUser:
        """Return the user; raises AuthenticationFailed, or Throttled after too many wrong passwords."""
        user = authenticate(request, username=username, password=password)
        if getattr(request, "axes_locked_out", None):
            request.axes_locked_out = False  # type: ignore[attr-defined]  # else the middleware answers in its own words
            raise Throttled(settings.AXES_COOLOFF_TIME.total_seconds(), LOCKED)
        if user is None:
            raise AuthenticationFailed(WRONG)
        return user

    @staticmethod
    def require_second_factor(request: HttpRequest, user: AbstractBaseUser, code: str) -> None:
        """Raise AuthenticationFailed for a missing or wrong code, or for a second factor that is still to be set up."""
        if second_factor.missing(user):
            raise AuthenticationFailed("Set up your second factor in the console first.")
        try:
            second_factor.require(user, code, request)
        except second_factor.CodeRefused as refusal:
            request.axes_locked_out = False  # type: ignore[attr-defined]  # else the middleware answers in its own words
            raise AuthenticationFailed(str(refusal)) from None

    @extend_schema(tags=["auth"], operation_id="revoke_this_token", request=None, responses={200: Revoked})
    def delete(self, request: Request) -> Response:
        if not isinstance(request.auth, ApiToken):
            raise AuthenticationFailed("This request came without a token.")
        return revoke(request.auth, self.actor)


def tokens_of(user: Any) -> QuerySet[ApiToken]:
    """Return a user's tokens that have not expired: no more than TOKEN_LIMIT_PER_USER, give or take a race."""
    return ApiToken.objects.filter(user=user, expiry__gt=timezone.now())


def make(user: Any, *, name: str, days: int | None, actor: events.Actor) -> tuple[ApiToken, str]:
    """Make a token that lives so many days, at most what the settings allow: its row, and its text, which nobody keeps.

    Raises TooManyTokens.
    """
    refuse_too_many(user)
    longest = timedelta(days=settings.TOKEN_DAYS)
    expiry = min(timedelta(days=days), longest) if days else longest
    row, token = ApiToken.objects.create(user=user, expiry=expiry, name=name)
    events.record("token", row.token_key, "created", actor=actor, after={"name": row.name})
    return row, token


def refuse_too_many(user: AbstractBaseUser) -> None:
    """Raise TooManyTokens for a user who may not have another one."""
    most: Any = settings.REST_KNOX["TOKEN_LIMIT_PER_USER"]
    if tokens_of(user).count() >= most:
        raise TooManyTokens(f"You have {most} tokens, and no more are given out: delete one that is not needed.")


def revoke(row: ApiToken, actor: events.Actor) -> Response:
    events.record("token", row.token_key, "revoked", actor=actor, before={"name": row.name})
    key = row.token_key
    row.delete()
    return Response({"token_key": key, "action": "token_revoked"})


class Tokens(ApiView):
    """One's own tokens that have not expired."""

    required = {"GET": LOGIN}
    serializer_class = TokenInfo

    @extend_schema(tags=["auth"], operation_id="list_tokens", responses={200: TokenInfo(many=True)})
    def get(self, request: Request) -> Response:
        return Response(TokenInfo(tokens_of(request.user), many=True).data)


class TokenOne(ApiView):
    """DELETE: revoke one of one's own tokens."""

    required = {"DELETE": LOGIN}
    serializer_class = TokenInfo

    @extend_schema(tags=["auth"], operation_id="revoke_token", request=None, responses={200: Revoked})
    def delete(self, request: Request, token_key: str) -> Response:
        return revoke(get_object_or_404(ApiToken, user=request.user, token_key=token_key), self.actor)
