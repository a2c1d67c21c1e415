"""A webhook is signed by the rules of Standard Webhooks 1.0 (https://www.standardwebhooks.com): any of its libraries
can verify it. The id stays the same in each attempt, so that a receiver knows a message that it had before."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

import requests

from notifications import guard, texts
from notifications.models import Message
from notifications.sealing import Target

PREFIX = "whsec_"
# Bytes of a secret, by the standard.
SHORTEST, LONGEST = 24, 64
ROTATION = 86_400  # seconds that an old secret signs along
TIMEOUT = (5, 10)  # seconds to connect, and to wait for the answer


class DeliveryFailed(Exception):
    """The message did not arrive, as far as we know; the text says why and holds no secret."""


def wrong_secret(secret: str) -> str:
    """Say what is wrong with a webhook's secret; '' if nothing is."""
    try:
        length = len(key_of(secret))
    except (binascii.Error, ValueError):
        return f"It must be {PREFIX} and base64."
    if not SHORTEST <= length <= LONGEST:
        return f"It must hold {SHORTEST} to {LONGEST} bytes, not {length}."
    return ""


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret. Raises ValueError when it is none."""
    if not secret.startswith(PREFIX):
        raise ValueError
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def signature(secrets: list[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header: a signature by each secret, with a space between."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    digests = [hmac.new(key_of(secret), signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def id_of(message: Message) -> str:
    return f"msg_{message.pk.hex}"


def payload_of(message: Message) -> bytes:
    """Return the body: the same bytes in each attempt."""
    data: dict[str, Any] = {
        "type": f"holdfast.{message.kind}",
        "timestamp": message.at.isoformat().replace("+00:00", "Z"),
        "data": {
            "severity": message.severity,
            "title": texts.title_of(message),
            "text": message.body,
            "url": texts.link_of(message),
            "incident": message.incident_id,
        },
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def send(target: Target, message: Message) -> None:
    """Post a message, following no redirect. Raises DeliveryFailed unless the answer is 2xx."""
    body, timestamp = payload_of(message), int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "Holdfast",
        "webhook-id": id_of(message),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(target.signing(time.time()), id_of(message), timestamp, body),
    }
    try:
        with guard.guarded(), requests.Session() as session:
            session.trust_env = False  # no proxy and no password of this machine's
            answer = session.post(
                target.url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
            )
            status = answer.status_code
            answer.close()  # its body is nobody's
    except requests.Timeout:
        raise DeliveryFailed("It did not answer in time.") from None
    except (requests.RequestException, OSError, ValueError) as error:
        # Not its text: that names the URL, which may be a secret.
        raise DeliveryFailed(guard.refused() or f"No connection ({type(error).__name__}).") from None
    if not 200 <= status < 300:
        raise DeliveryFailed(f"It answered {status}.")
