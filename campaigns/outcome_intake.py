"""What Instantly tells is taken in here as it came, once, whichever way it came; `apply_outcomes` does the work."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.leads.addresses import normalise
from campaigns.models import OutcomeEvent
from campaigns.wake import CHANNEL, Woken
from circuitbreakers.characters import UNSTORABLE
from circuitbreakers.storable import fit

# Where Instantly posts, below the public address: an opaque part follows. The header that it then brings.
HOOK_PATH = "/hooks/instantly/"
SECRET_HEADER = "X-Holdfast-Secret"  # noqa: S105 (its name)

# Objects and lists within each other, of which PostgreSQL's parser and Python's writer take many more.
DEEPEST = 40
# What makes an event this very event: the same fact delivered again says the same of all these.
IDENTITY = ("event_type", "campaign_id", "lead_email", "timestamp", "email_id", "step", "variant", "email_account")
# A clock that is ahead by more than this is wrong.
AHEAD = timedelta(days=1)

# The wake-up in the same statement: one round trip, and none for what is there already.
INSERT = f"""
WITH stored AS (
    INSERT INTO outcome_events (digest, source, kind, email, target, occurred_at, received_at, payload, effect)
    SELECT digest, source, kind, email, target, occurred_at, %(now)s, payload, ''
    FROM json_to_recordset(%(rows)s::json) AS told (
        digest text, source text, kind text, email text, target text, occurred_at timestamptz, payload jsonb
    )
    ON CONFLICT (digest) DO NOTHING RETURNING id
), woken AS (SELECT pg_notify('{CHANNEL}', '') FROM stored WHERE %(wake)s LIMIT 1)
SELECT (SELECT count(*) FROM stored), (SELECT count(*) FROM woken)
"""  # noqa: S608 (the channel is ours)


class PayloadRefused(ValueError):
    """This is no JSON object that could be stored. The text says why and quotes nothing of it."""


@dataclass(frozen=True)
class Told:
    """One thing that Instantly told, ready to be stored; fields as OutcomeEvent's."""

    digest: str
    source: str
    kind: str
    email: str
    target: str
    occurred_at: datetime
    payload: dict[str, Any]

    def as_row(self) -> dict[str, Any]:
        return {**vars(self), "occurred_at": self.occurred_at.isoformat()}


def parse(body: bytes) -> dict[str, Any]:
    """Read a webhook's body, without what no row takes. Raises PayloadRefused."""
    try:
        payload = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise PayloadRefused("This is no JSON.") from None
    if not isinstance(payload, dict):
        raise PayloadRefused("This is no JSON object.")
    cleaned: dict[str, Any] = storable(payload)
    return cleaned


def told_by_webhook(payload: dict[str, Any]) -> Told:
    """Read what an event of `parse` is about."""
    known = {name: payload.get(name) for name in IDENTITY}
    # Without an instant two different events could look alike: then all of the payload is what makes it this one.
    identity = known if known["timestamp"] else payload
    return Told(
        digest=digest_of(OutcomeEvent.Source.WEBHOOK, identity),
        source=OutcomeEvent.Source.WEBHOOK,
        kind=fit(_text(payload, "event_type"), OutcomeEvent, "kind"),
        email=normalise(_text(payload, "lead_email")) or "",
        target=fit(_text(payload, "campaign_id"), OutcomeEvent, "target"),
        occurred_at=instant(payload.get("timestamp")) or timezone.now(),
        payload=payload,
    )


def digest_of(source: str, identity: dict[str, Any]) -> str:
    """Return 64 characters that stand for this event; the order of the names does not matter."""
    text = json.dumps([source, identity], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def store(events: Iterable[Told]) -> int:
    """Keep what is not there yet, and wake the supervisor for it; how many that were. One statement."""
    rows = [event.as_row() for event in events]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        # A burst wakes the supervisor a few times, not a thousand: after a round with work it looks again by itself.
        cursor.execute(INSERT, {"rows": json.dumps(rows), "now": timezone.now(), "wake": Woken.due()})
        return int(cursor.fetchone()[0])


def instant(value: object) -> datetime | None:
    """Read an instant in ISO 8601, without a zone in UTC; None if it cannot be read or lies in the future."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        at = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
        at = at.astimezone(UTC) if at else None
    except (ValueError, OverflowError):
        return None
    return at if at and at < timezone.now() + AHEAD else None


def storable(value: Any, depth: int = 0) -> Any:
    """Return JSON without the characters that PostgreSQL refuses. Raises PayloadRefused if it is too deep."""
    if depth > DEEPEST:
        raise PayloadRefused(f"This has more than {DEEPEST} objects within each other.")
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {UNSTORABLE.sub("", name): storable(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [storable(part, depth + 1) for part in value]
    return value


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return value.strip() if isinstance(value, str) else ""


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise PayloadRefused("This holds a number that is none.")
