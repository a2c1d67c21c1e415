"""The bounce guard pauses a running campaign of whose mails too many bounce: the next thing is a blocked sender."""

import contextlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from campaigns import lifecycle
from campaigns.moves import MoveRefused
from circuitbreakers import events

# Per running campaign a walk along the index lead_sent. A person who resumed it has seen those bounces: what was sent
# before the first resume after the guard's last pause counts no more. The events of a campaign are read only if it
# would be paused without them.
BOUNCING = """
WITH suspects AS MATERIALIZED (
    SELECT c.id FROM campaigns c CROSS JOIN LATERAL (
        SELECT count(*) AS sent, count(bounced_at) AS bounced FROM leads
        WHERE campaign_id = c.id AND sent_at >= statement_timestamp() - %(window)s::interval
    ) mails
    WHERE c.status = 'RUNNING' AND sent >= %(sent)s AND bounced * 100 >= sent * %(percent)s::numeric
), seen AS MATERIALIZED (
    SELECT s.id, (
        SELECT min(at) FROM events
        WHERE subject_type = 'campaign' AND subject_id = s.id::text AND verb = 'resumed' AND id > (
            SELECT max(id) FROM events
            WHERE subject_type = 'campaign' AND subject_id = s.id::text AND verb = 'paused' AND actor = %(actor)s
        )
    ) AS resumed_at FROM suspects s
)
SELECT seen.id, mails.sent, mails.bounced FROM seen CROSS JOIN LATERAL (
    SELECT count(*) AS sent, count(bounced_at) AS bounced FROM leads
    WHERE campaign_id = seen.id
        AND sent_at >= greatest(statement_timestamp() - %(window)s::interval, seen.resumed_at)
) mails
WHERE mails.sent >= %(sent)s AND mails.bounced * 100 >= mails.sent * %(percent)s::numeric
ORDER BY seen.id
"""


@dataclass(frozen=True)
class Bouncing:
    """A campaign of whose mails too many bounced: how many were sent in the guard's window, how many of them
    bounced."""

    campaign: int
    sent: int
    bounced: int

    @property
    def why(self) -> str:
        """Return the reason of its pause."""
        return (
            f"{self.bounced} of {self.sent} mails sent within {settings.BOUNCE_GUARD_DAYS} days bounced "
            f"({100 * self.bounced / self.sent:.1f} %, the limit is {settings.BOUNCE_GUARD_PERCENT:g} %). "
            "See where its addresses come from, then resume it"
        )


def bouncing() -> list[Bouncing]:
    """Find the running campaigns that the guard would pause now; none while it is off (BOUNCE_GUARD_SENT=0)."""
    if not settings.BOUNCE_GUARD_SENT:
        return []
    parameters: dict[str, Any] = {
        "window": f"{settings.BOUNCE_GUARD_DAYS} days",
        "sent": settings.BOUNCE_GUARD_SENT,
        "percent": settings.BOUNCE_GUARD_PERCENT,
        "actor": events.BOUNCE_GUARD.name,
    }
    with connection.cursor() as cursor:
        cursor.execute(BOUNCING, parameters)
        return [Bouncing(*row) for row in cursor.fetchall()]


def pause_bouncing() -> int:
    """Pause them, as an operator would; how many. Only a person resumes them."""
    paused = 0
    for campaign in bouncing():
        with contextlib.suppress(MoveRefused):  # paused or ended meanwhile
            lifecycle.pause(campaign.campaign, actor=events.BOUNCE_GUARD, reason=campaign.why)
            paused += 1
    return paused
