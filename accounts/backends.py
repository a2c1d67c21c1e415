"""Who comes by the company's provider gets in here, and passwords are refused where they are closed."""

import hmac
import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from accounts import access, provider
from accounts.models import Identity

logger = logging.getLogger(__name__)


class LoginRefused(Exception):
    """The company's login did not let the person in; the text may be shown to the person."""


class PasswordsClosed:
    """Before Django looks at a password: where company logins are on, only the break-glass login has one."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **kwargs: Any) -> None:
        if settings.COMPANY_LOGIN is not None and username is not None and username != settings.BREAK_GLASS_USER:
            raise PermissionDenied


class CompanyBackend(OIDCAuthenticationBackend):
    """The library's code flow with PKCE; what it leaves open is checked here: audience, issuer, expiry, whom it binds.

    It raises LoginRefused instead of returning nobody, so that no failure of the provider locks out an IP address.
    """

    def __init__(self) -> None:
        """Ask nobody yet: Django makes one of these for each login, by password too."""
        self.UserModel = User

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    OIDC_RP_CLIENT_ID = property(lambda self: provider.company().client_id)
    OIDC_RP_CLIENT_SECRET = property(lambda self: provider.company().client_secret)

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        if settings.COMPANY_LOGIN is None or "nonce" not in kwargs:
            return None  # a password's login, which is not for us
        try:
            return super().authenticate(request, **kwargs)
        except provider.ProviderAway as error:
            logger.error("Company login: %s", error)
            raise LoginRefused("The company's login does not answer. Try again in a moment.") from error
        except provider.ProviderRefused as error:
            logger.warning("Company login refused: %s", error)
            raise LoginRefused("The company's login was not accepted. Try again.") from error

    def get_user(self, user_id: Any) -> User | None:
        user = super().get_user(user_id)
        return user if user is not None and user.is_active else None

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        form = {name: value for name, value in payload.items() if name not in ("client_id", "client_secret")}
        self.tokens = provider.token_of(form)
        return self.tokens

    def verify_token(self, token: Any, **kwargs: Any) -> dict[str, Any]:
        claims = provider.claims_of(str(token))
        nonce = str(kwargs.get("nonce") or "")
        if not nonce or not hmac.compare_digest(nonce.encode(), str(claims.get("nonce", "")).encode()):
            raise provider.ProviderRefused("The nonce is of another login")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        claims = provider.person_of(payload, access_token)
        roles = provider.roles_of(claims)
        bound = Identity.objects.filter(issuer=payload["iss"], subject=payload["sub"]).select_related("user").first()
        if roles is None:
            logger.error("Company login: no claim %r; do its scopes bring it?", provider.company().claim)
        if not roles:
            if bound:
                access.end(bound.user, reason="none of the groups that are let in")
            raise LoginRefused("Your account is in none of the groups that are let in here.")
        if bound and not bound.user.is_active:
            raise LoginRefused("Your account is switched off here.")
        try:
            with transaction.atomic():
                identity = bound or bind(claims)
                refresh_token = str(self.tokens.get("refresh_token") or "")
                session_id = str(claims.get("sid") or "")[:255]
                access.welcome(identity, roles, refresh_token=refresh_token, session_id=session_id)
        except IntegrityError as error:
            raise LoginRefused("Somebody has just signed in with that name. Try again.") from error
        return identity.user


def bind(claims: dict[str, Any]) -> Identity:
    """Bind a subject that is new here, to the one user of its verified address, or to a new user of that name."""
    email = str(claims.get("email") or "").strip()
    if not email or claims.get("email_verified") not in (True, "true"):
        raise LoginRefused("Your e-mail address is not verified at the company's login.")
    users = list(User.objects.filter(email__iexact=email)[:2])
    if len(users) > 1:
        raise LoginRefused("Several accounts here have your e-mail address. An Admin must leave it to one of them.")
    if users:
        user = users[0]
        if not user.is_active:
            raise LoginRefused("Your account is switched off here.")
        # These would give whoever administers the provider more than any group does.
        if user.is_superuser or user.get_username() == settings.BREAK_GLASS_USER:
            raise LoginRefused("That account signs in with its password only.")
        if Identity.objects.filter(user=user).exists():
            raise LoginRefused("Your e-mail address belongs to another account of the company's login.")
        access.end_sessions(user)  # its password is no way in from now on
    else:
        user = User.objects.create_user(email.lower()[:150], email=email[:254])
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    return Identity.objects.create(user=user, issuer=claims["iss"], subject=claims["sub"])


def setting(name: str, *default: Any) -> Any:
    """Answer the library's questions for its settings, from the four variables and the provider's own description."""
    if name == "OIDC_OP_AUTHORIZATION_ENDPOINT":
        return provider.description()["authorization_endpoint"]
    values = {
        "OIDC_RP_CLIENT_ID": lambda: provider.company().client_id,
        "OIDC_RP_SCOPES": provider.scopes,
        "OIDC_USE_PKCE": lambda: True,
        "OIDC_AUTHENTICATION_CALLBACK_URL": lambda: "console:company-callback",
        "LOGIN_REDIRECT_URL": lambda: "admin:index",
    }
    if name in values:
        return values[name]()
    return OIDCAuthenticationBackend.get_settings(name, *default)
