"""A local login may have a second factor: codes of an authenticator app (TOTP), and recovery codes for a lost phone.

A wrong code counts like a wrong password (django-axes, per user and IP address), and the device itself waits twice as
long after each (django-otp), from wherever it is tried.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from circuitbreakers import events

DIGITS = 6
RECOVERY_CODES = 10


class CodeRefused(Exception):
    """The code is missing or wrong, or it is too soon to try another one; the text says which."""


def anybody() -> bool:
    """Say whether any login has a second factor: only then is a code asked for."""
    return TOTPDevice.objects.filter(confirmed=True).exists()


def has(user: Any) -> bool:
    """Say whether this user's login asks for a code."""
    return TOTPDevice.objects.devices_for_user(user, confirmed=True).exists()


def require(user: Any, code: str, request: HttpRequest) -> None:
    """Return if the code is good, or the user has no second factor; raise CodeRefused otherwise.

    A wrong one counts as a failed login.
    """
    if not has(user):
        return
    code = code.replace(" ", "").lower()
    if not code:
        raise CodeRefused("Enter the code that your authenticator app shows, or a recovery code.")
    if not _is_good(user, code):
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
        raise CodeRefused("That code is not right. Each serves once; after a wrong one, wait a few seconds.")


def _is_good(user: Any, code: str) -> bool:
    """Try the code on the one kind of device that it can be of, so that it never slows the other down."""
    devices: Any = TOTPDevice if code.isdecimal() and len(code) == DIGITS else StaticDevice
    with transaction.atomic():
        # One row at a time, so that two logins at once cannot use a code twice.
        mine = devices.objects.devices_for_user(user, confirmed=True).select_for_update()
        return any(device.verify_token(code) for device in mine)


def begin(user: AbstractBaseUser) -> TOTPDevice:
    """Return the device that waits for its first code; it asks nothing of any login yet."""
    device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "authenticator app"})
    return device


def confirm(user: AbstractBaseUser, code: str, *, actor: events.Actor) -> list[str]:
    """Turn the second factor on with its first code, and return the recovery codes, shown once. Raises CodeRefused."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        good = device is not None and device.verify_token(code.replace(" ", ""))
        if device is not None and good:
            TOTPDevice.objects.filter(user=user, confirmed=True).delete()
            device.confirmed = True
            device.save()
            events.record("user", user.get_username()[:60], "second_factor_on", actor=actor)
    if not good:
        raise CodeRefused(
            "That code is not right. Is the clock of your phone right? Wait a few seconds, then try again."
        )
    return renew_recovery_codes(user)


def renew_recovery_codes(user: AbstractBaseUser) -> list[str]:
    """Make recovery codes anew, each for one login; the old ones are worth nothing."""
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def left(user: AbstractBaseUser) -> int:
    """Count the recovery codes that are left."""
    return StaticToken.objects.filter(device__user=user).count()


def take_away(user: AbstractBaseUser, *, actor: events.Actor, reason: str = "") -> bool:
    """Turn a second factor off, by an Admin for somebody who lost it; False when there was none."""
    with transaction.atomic():
        deleted = [model.objects.filter(user=user).delete()[0] for model in _kinds()]
        if any(deleted):
            events.record("user", user.get_username()[:60], "second_factor_off", actor=actor, reason=reason)
    return any(deleted)


def _kinds() -> Iterable[Any]:
    return (TOTPDevice, StaticDevice)


def missing(user: Any) -> bool:
    """Say whether this user must set up a second factor before anything else. Company logins bring their own."""
    return bool(settings.SECOND_FACTOR_REQUIRED) and user.has_usable_password() and not has(user)
