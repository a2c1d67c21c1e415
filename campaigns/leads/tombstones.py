"""A tombstone stands on the suppression list for somebody who was erased: a keyed hash, which says who it is to nobody
but whoever has the key and the name already."""

import hashlib
import hmac

from django.conf import settings

START = "erased:"


def tombstone(name: str) -> str:
    """Return the hash of a normalised address, or of `apollo:` and an id, as a value of the suppression list."""
    digest = hmac.digest(settings.ERASURE_KEY.encode(), name.encode(), hashlib.sha256)
    return START + digest.hex()
