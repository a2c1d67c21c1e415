"""What a channel needs to know, its URL and its secrets, is kept encrypted by a key that is derived from SECRET_KEY.

SECRET_KEY_FALLBACKS still open what older keys sealed; what is opened so is sealed anew.
"""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PURPOSE = b"holdfast channels 1:"


class CannotOpen(Exception):
    """No key that we have opens it: SECRET_KEY was changed without a fallback. The target must be typed again."""

    def __init__(self) -> None:
        super().__init__("Its target cannot be read: SECRET_KEY has changed. Enter the target anew.")


@dataclass(frozen=True)
class Target:
    """A target is where a channel leads. `secrets` of a webhook: the newest first, each with the time (seconds since
    1970) until which it signs; None: for good."""

    url: str
    secrets: list[tuple[str, float | None]] = field(default_factory=list)

    def signing(self, now: float) -> list[str]:
        """Return the secrets that sign at present."""
        return [secret for secret, until in self.secrets if until is None or now < until]

    def __repr__(self) -> str:
        """Nobody logs a target by mistake."""
        return "Target(...)"


def seal(target: Target) -> str:
    """Encrypt a target by the present SECRET_KEY."""
    return _keys()[0].encrypt(json.dumps(asdict(target)).encode()).decode()


def unseal(sealed: str) -> Target:
    """Decrypt a target. Raises CannotOpen."""
    try:
        data = json.loads(MultiFernet(_keys()).decrypt(sealed.encode()))
        return Target(data["url"], [(secret, until) for secret, until in data["secrets"]])
    except (InvalidToken, ValueError, KeyError, TypeError):
        raise CannotOpen from None


def is_of_an_old_key(sealed: str) -> bool:
    """Say whether a key opens it that will go one day."""
    try:
        _keys()[0].decrypt(sealed.encode())
    except InvalidToken:
        return True
    return False


def _keys() -> list[Fernet]:
    return [_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def _key(secret: str) -> Fernet:
    # A keyed hash is enough to derive from: SECRET_KEY has 50 random characters (config/hardening.py).
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(PURPOSE + secret.encode()).digest()))
