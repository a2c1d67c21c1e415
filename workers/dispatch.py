"""Hand out due jobs: fair between campaigns, bounded per queue, paced by each service's rate."""

import logging
import math
from collections import Counter
from functools import partial
from typing import Any

from django.db import connection

from campaigns.first_leads import MAY_RUN
from campaigns.models import Campaign
from circuitbreakers import broker, budget_halts, gate, policies, switch
from circuitbreakers.services import SERVICES
from circuitbreakers.states import Stage, SwitchSnapshot
from telemetry import counters
from workers.actors import ACTORS

logger = logging.getLogger(__name__)

# A slow service's queue holds no more than this many seconds' worth of its rate.
PACE_SECONDS = 3
# A job whose message was sent is not sent again for this long: longer than a message waits in a full window.
SENT_LEASE = "30 seconds"

SEND = f"""
UPDATE job_rows SET sent_at = statement_timestamp()
WHERE id = ANY(ARRAY(SELECT id FROM due)) AND coalesce(status, '') = 'PENDING'
    AND (sent_at IS NULL OR sent_at < greatest(statement_timestamp() - interval '{SENT_LEASE}',
        (SELECT running_since FROM campaigns WHERE campaigns.id = campaign_id)))
RETURNING id, service
"""  # noqa: S608 (constants only)

# Per service each running campaign offers a few of its oldest due jobs; the first of each go before the second of any.
# By an array of ids, and a status that no index is for: else each id may read every waiting job.
# What was sent before its campaign was paused found it paused: after the resume it is sent again at once.
# A halted campaign waits for its target, or its budget, with all its jobs; one that holds after its first leads with
# those that come after these.
DUE = f"""
WITH due AS (
    SELECT j.id
    FROM unnest(%(services)s::text[], %(rooms)s::int[], %(each)s::int[]) AS queue (service, room, each)
    CROSS JOIN LATERAL (
        SELECT oldest.id FROM campaigns c
        CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY id) AS turn FROM (
                SELECT id FROM job_rows
                WHERE campaign_id = c.id AND service = queue.service AND status = 'PENDING'
                    AND run_at <= statement_timestamp() AND {MAY_RUN}
                    AND (sent_at IS NULL OR sent_at < greatest(statement_timestamp() - interval '{SENT_LEASE}',
                        c.running_since))
                ORDER BY id LIMIT queue.each
            ) first
        ) oldest
        WHERE c.status = 'RUNNING' AND c.target_halt = '' AND c.budget_halt = ''
        ORDER BY oldest.turn, random() LIMIT queue.room
    ) j
)
{SEND}"""  # noqa: S608 (constants only)

# A canary takes the jobs first that have failed before, the oldest first: by the index of these, which are few.
FAILED_BEFORE = f"""
WITH due AS (
    SELECT j.id
    FROM unnest(%(services)s::text[], %(rooms)s::int[]) AS queue (service, room)
    CROSS JOIN LATERAL (
        SELECT job_rows.id FROM job_rows JOIN campaigns c ON c.id = job_rows.campaign_id
        WHERE job_rows.service = queue.service AND job_rows.status = 'PENDING' AND job_rows.failure_type <> ''
            AND job_rows.run_at <= statement_timestamp()
            AND (sent_at IS NULL OR sent_at < greatest(statement_timestamp() - interval '{SENT_LEASE}',
                c.running_since))
            AND c.status = 'RUNNING' AND c.target_halt = '' AND c.budget_halt = '' AND {MAY_RUN}
        ORDER BY job_rows.id LIMIT queue.room
    ) j
)
{SEND}"""  # noqa: S608 (constants only)


def window(service: str) -> int:
    """Return how many messages of `service` may wait: its rate for a few seconds, at most its dispatch window. What
    workers have fetched comes on top, two for each of their threads."""
    most = policies.window_of(service)
    rates = [limit.count / limit.period for limit in gate.limits_of(service) if limit.name != "tokens"]
    return min(most, max(8, math.ceil(min(rates) * PACE_SECONDS))) if rates else most


def waiting() -> dict[str, int]:
    """Count the messages that no worker has fetched yet, by service. Raises RedisUnavailable.

    Not those that workers hold: a killed one's stay on Dramatiq's books until its maintenance, which is left to chance,
    comes across them, and would fill the window meanwhile. Their jobs are sent again after SENT_LEASE.
    """
    pipe = broker.client().pipeline(transaction=False)
    for service in SERVICES:
        pipe.llen(f"dramatiq:{service}")
    return dict(zip(SERVICES, switch.ask(pipe.execute), strict=True))


def rooms(snapshot: SwitchSnapshot) -> dict[str, int]:
    """Return how many messages each service's queue takes now; services whose calls must wait have none, and a canary
    has as many as calls that it still admits."""
    held = budget_halts.held_services()
    queued = waiting()
    return {
        service: room
        for service in SERVICES
        if snapshot.queue.get(service) == "ACTIVE"
        and snapshot.breakers[service].state == "closed"
        and not snapshot.waits_until(service)
        and service not in held
        and (room := _most(service, snapshot.gates[service].stage) - queued[service]) > 0
    }


def _most(service: str, stage: Stage) -> int:
    return min(window(service), stage.slots) if stage.canary else window(service)


def dispatch() -> int:
    """Send messages for due jobs of RUNNING campaigns that are not halted and of ACTIVE queues; how many.

    Each campaign is first asked for twice its share, and what that leaves of the room is anybody's. A canary first asks
    for jobs that have failed before. Raises RedisUnavailable.
    """
    counters.DISPATCH_ROUNDS.inc()
    # First, so that a Holdfast in which nothing runs asks nothing else.
    running = Campaign.objects.filter(status=Campaign.Status.RUNNING, target_halt="", budget_halt="").count()
    if not running:
        return 0
    snapshot = switch.read_all()
    free = rooms(snapshot)
    if not free:
        return 0
    canaries = {service: room for service, room in free.items() if snapshot.gates[service].stage.canary}
    again = _send(FAILED_BEFORE, canaries) if canaries else Counter[str]()
    free = {service: room - again[service] for service, room in free.items() if room > again[service]}
    if not free:
        return again.total()
    shares = {service: max(1, 2 * room // running) for service, room in free.items()}
    sent = _send_due(free, shares)
    left = {
        service: room - sent[service]
        for service, room in free.items()
        if shares[service] < room and 0 < sent[service] < room
    }
    return (again + sent).total() + (_send_due(left, left).total() if left else 0)


def _send_due(room: dict[str, int], each: dict[str, int]) -> Counter[str]:
    """Send up to `room` messages to each service's queue, up to `each` of a campaign; count them by service."""
    return _send(DUE, room, each=[each[service] for service in room])


def _send(sql: str, room: dict[str, int], **more: Any) -> Counter[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"services": list(room), "rooms": list(room.values()), **more})
        due = sorted(cursor.fetchall())
    for pk, service in due:
        # Should this fail half-way, the rest is sent again when its lease of 30 s is over.
        switch.ask(partial(ACTORS[service].send, pk))
        counters.DISPATCHED.labels(service).inc()
    return Counter(service for _, service in due)
