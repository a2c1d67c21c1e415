"""Whoever came by the company's login is welcome as long as the provider says so; here that is asked and ended."""

import base64
import hashlib
import logging
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone
from knox.models import get_token_model

from accounts import provider
from accounts.models import Identity
from circuitbreakers import events

# While the provider does not answer, whom it last welcomed so long ago stays; then only break-glass is left.
GRACE = timedelta(hours=1)
# One asks at a time, and nobody sooner after a failure: a provider may take a refresh token just once.
RETRY = timedelta(seconds=30)
COMPANY = events.Actor("company login", "supervisor")

logger = logging.getLogger(__name__)


def sealed(token: str) -> str:
    """Encrypt a refresh token for the database, by SECRET_KEY."""
    return _cipher().encrypt(token.encode()).decode() if token else ""


def opened(text: str) -> str:
    """Decrypt a refresh token; '' when it was sealed with another SECRET_KEY."""
    try:
        return _cipher().decrypt(text.encode()).decode() if text else ""
    except InvalidToken:
        return ""


def _cipher() -> Fernet:
    digest = hashlib.sha256(b"refresh token:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def still_welcome(user: Any) -> bool:
    """Say whether a session or token of this user is good now; asks the provider every OIDC_CHECK_MINUTES.

    Where company logins are on, a user without one is welcome as the break-glass login only. False also ends the
    user's sessions and tokens if the provider has said no, or the user has none of our groups any more.
    """
    if settings.COMPANY_LOGIN is None:
        return True
    identity = Identity.objects.filter(user_id=user.pk).first()
    if identity is None:
        return user.get_username() == settings.BREAK_GLASS_USER
    now = timezone.now()
    if identity.check_after <= now:
        mine = Identity.objects.filter(pk=identity.pk, check_after=identity.check_after)
        if mine.update(check_after=now + RETRY):
            return _check(identity)
    return identity.checked_at > now - GRACE


def _check(identity: Identity) -> bool:
    now = timezone.now()
    token = opened(identity.refresh_token)
    if not token:
        # The provider gave nothing to ask with: the person passes by it again.
        Identity.objects.filter(pk=identity.pk).update(check_after=now)
        return False
    try:
        claims, token = provider.refreshed(token)
    except provider.ProviderAway as error:
        logger.warning("The company's provider cannot be asked: %s", error)
        return identity.checked_at > now - GRACE
    except provider.ProviderRefused as error:
        end(identity.user, reason=str(error))
        return False
    roles = provider.roles_of(claims)
    if claims.get("sub") != identity.subject or not roles:
        end(identity.user, reason="none of the groups that are let in")
        return False
    welcome(identity, roles, refresh_token=token)
    return True


def welcome(identity: Identity, roles: list[str], *, refresh_token: str, session_id: str | None = None) -> None:
    """Write down that the provider welcomes the person now, in these roles; until the next check that is believed."""
    now = timezone.now()
    values = {
        "checked_at": now,
        "check_after": now + timedelta(minutes=settings.OIDC_CHECK_MINUTES),
        "refresh_token": sealed(refresh_token),
    }
    if session_id is not None:
        values["session_id"] = session_id
    with transaction.atomic():
        Identity.objects.filter(pk=identity.pk).update(**values)
        set_roles(identity.user, roles)


def set_roles(user: User, roles: list[str]) -> None:
    """Give the user just these roles, and put it on record if they were others."""
    before = sorted(user.groups.values_list("name", flat=True))
    if before == roles:
        return
    user.groups.set(Group.objects.filter(name__in=roles))
    details = {"before": {"roles": before}, "after": {"roles": roles}}
    events.record("user", user.get_username()[:60], "roles_changed", actor=COMPANY, **details)


def end_sessions(user: User) -> None:
    """End every session of the user: each holds a hash of the password, and another unusable one is another hash."""
    user.set_unusable_password()
    user.save(update_fields=["password"])


def end(user: User, *, reason: str) -> None:
    """End the user's sessions, API tokens and roles, and put it on record. The next login may bring them back."""
    with transaction.atomic():
        end_sessions(user)
        tokens, _ = get_token_model().objects.filter(user=user).delete()
        Identity.objects.filter(user=user).update(refresh_token="", check_after=timezone.now())
        set_roles(user, [])
        after = {"tokens_revoked": tokens}
        events.record("user", user.get_username()[:60], "access_ended", actor=COMPANY, reason=reason, after=after)
    logger.warning("Access of %s ended: %s", user.get_username(), reason, extra={"actor": COMPANY.name})


def logged_out(*, issuer: str, subject: str, session_id: str) -> bool:
    """End the sessions of whom the provider logged out; tokens are checked at their next use. False if it is nobody."""
    rows = Identity.objects.filter(issuer=issuer)
    rows = rows.filter(subject=subject) if subject else rows.filter(session_id=session_id)
    identity = rows.select_related("user").first() if subject or session_id else None
    if identity is None:
        return False
    with transaction.atomic():
        end_sessions(identity.user)
        Identity.objects.filter(pk=identity.pk).update(check_after=timezone.now())
        events.record("user", identity.user.get_username()[:60], "logged_out_by_company", actor=COMPANY)
    return True
