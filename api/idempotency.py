"""A client that got no answer asks again with its `Idempotency-Key` and gets the first campaign, not a second one."""

import hashlib
import json
from typing import Any, BinaryIO

from django.db import connection

from campaigns.models import Campaign


class KeyReused(Exception):
    """The same key came with another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before, with another body. Use a new key for a new campaign.")


def fingerprint(fields: dict[str, Any], stream: BinaryIO | None) -> str:
    """Return a digest that is equal for equal requests. Leaves the stream at its start."""
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode())
    if stream is not None:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
        stream.seek(0)
    return digest.hexdigest()


def owner(user: str, key: str) -> str:
    """Return a key's digest, which fits the column; another user's equal key is another key."""
    return hashlib.sha256(f"{user}\0{key}".encode()).hexdigest()


def first(owned: str, body: str) -> Campaign | None:
    """Return the campaign that this key made before; None when it is new. Raises KeyReused.

    Call it in the transaction that creates the campaign: the lock makes a second request wait for the first one's end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [owned])
    campaign = Campaign.objects.filter(idempotency_key__startswith=f"{owned}:").first()
    if campaign is not None and campaign.idempotency_key != f"{owned}:{body}":
        raise KeyReused
    return campaign
