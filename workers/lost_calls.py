"""PostgreSQL may come back without its last seconds: a standby was promoted that lacked them. Calls that were made then
are on no book, with or without their job; Redis remembers them for a quarter of an hour."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from campaigns import jobs
from campaigns.fences import BORN
from campaigns.models import JobRow
from campaigns.pipeline import KINDS, REVEAL_AT_ONCE, SERVICE_OF
from circuitbreakers import switch
from circuitbreakers.services import SERVICES
from telemetry import counters
from workers.kinds import most_usd
from workers.reclaim import CLOCK_SKEW, MEMORY

logger = logging.getLogger(__name__)

# As much of Redis's memory as is read in one go: at a hundred calls a second six thousand ids.
SLICE = timedelta(minutes=1)
MESSAGE = "The call is remembered by Redis alone"

# Those that no row of the ledger knows, by the claim or by the instant, with the job's row if that is still the same
# job's. The claim that stands is its worker's, or the reclaimer's.
UNBOOKED = """
SELECT call.job, call.fence, call.at, job_rows.id FROM unnest(%(jobs)s::bigint[], %(fences)s::int[],
    %(instants)s::timestamptz[]) AS call (job, fence, at)
LEFT JOIN job_rows ON job_rows.id = call.job AND call.fence > {born}
WHERE NOT EXISTS (SELECT FROM vendor_calls v WHERE v.job_id = call.job AND v.fence = call.fence)
    AND NOT EXISTS (SELECT FROM vendor_calls v WHERE v.service = %(service)s AND v.admitted_at = call.at
        AND v.fence = call.fence)
    AND NOT coalesce(job_rows.status = 'PROCESSING' AND job_rows.fence = call.fence, false)
"""


class Finder:
    """A finder looks through what Redis remembers whenever its session with PostgreSQL is a new one: no server is
    replaced without that."""

    def __init__(self) -> None:
        self.session: object = None
        self.looked = self.until = timezone.now()

    def find(self) -> int:
        """Book as `unknown` what no book knows, of another minute each time; how many. Raises RedisUnavailable."""
        connection.ensure_connection()
        if connection.connection is not self.session:
            self.session, now = connection.connection, timezone.now()
            # What was admitted later was claimed from the server that answers now.
            self.looked, self.until = now - MEMORY, now + CLOCK_SKEW
        # A call that may be under way is its worker's to book, or the reclaimer's.
        ended = timezone.now() - max(map(leased, SERVICES)) - CLOCK_SKEW
        upto = min(self.looked + SLICE, self.until)
        if not self.looked < upto <= ended:
            return 0
        booked = sum(_book(service, self.looked, upto) for service in SERVICES)
        self.looked = upto
        return booked


def leased(service: str) -> timedelta:
    return timedelta(seconds=jobs.lease_seconds(service))


def _book(service: str, since: datetime, until: datetime) -> int:
    claims = []
    for call, at in switch.calls_remembered(service, since, until).items():
        job, _, fence = call.partition(":")
        if job.isdecimal() and fence.isdecimal():  # any other is none of a job's
            claims.append((int(job), int(fence), at))
    if not claims:
        return 0
    ids, fences, instants = map(list, zip(*claims, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            UNBOOKED.format(born=BORN),
            {"service": service, "jobs": ids, "fences": fences, "instants": instants},
        )
        unbooked = cursor.fetchall()
    for job, fence, at, held in unbooked:
        claim = (JobRow.objects.filter(pk=held).first() if held else None) or _lost(job, service)
        claim.fence, claim.worker = fence, ""
        jobs.book(claim, jobs.Call(at, "unknown", error=MESSAGE, may_cost_usd=most_usd(claim)))
        counters.CALLS.labels(service, "unknown").inc()
        logger.error("Call %s:%s of %s was lost by PostgreSQL: booked as unknown", job, fence, service)
    return len(unbooked)


def _lost(job: int, service: str) -> JobRow:
    """Stand in for a job of which nothing is left but its id: the dearest that its service can have been asked for."""
    kinds = [kind for kind in KINDS if SERVICE_OF[kind] == service]
    made = [JobRow(pk=job, service=service, kind=kind, payload={"people": [""] * REVEAL_AT_ONCE}) for kind in kinds]
    # A push may cost nothing in USD, and is to be flagged all the same: a free kind has no most at all.
    return max(made, key=lambda one: Decimal(-1) if (most := most_usd(one)) is None else most)
