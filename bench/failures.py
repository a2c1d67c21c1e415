"""The pages of what failed take at most 300 ms of server time at 1,000,000 failures, 1,000 campaigns, 200 groups."""

import time
from uuid import UUID

from django.db import connection
from django.test import Client

from bench.console import LIMIT_MS, timed
from bench.measured import Limit, Measured
from bench.seed import seed
from campaigns.failures import groups, plans, triage
from campaigns.models import Campaign
from circuitbreakers import rebuild, switch
from circuitbreakers.events import Actor

ROWS = 1_000_000
BENCH = Actor("bench", "command")
# Half of them in one group, the others in some 200. The errors differ in all that is taken out of them. By a hash, for
# ids that follow each other are in different campaigns.
FAIL = """
UPDATE job_rows SET status = 'FAILED', completed_at = now() - id %% 86400 * interval '1 second', fence = 1,
    failure_type = CASE WHEN hashint8(id) %% 2 = 0 THEN 'timeout'
        ELSE (ARRAY['server_error', 'malformed'])[1 + abs(hashint8(id) / 2 %% 2)] END,
    error = 'HTTP 503 for "Ida ' || id || '", see https://api.acme.example/' || id || ': ' || CASE
        WHEN hashint8(id) %% 2 = 0 THEN 'no answer'
        ELSE 'word ' || translate(abs(hashint8(id) / 4 %% 100)::text, '0123456789', 'abcdefghij')
    END || ' (req_' || md5(id::text) || ')'
"""
CALLS = """
INSERT INTO vendor_calls (job_id, campaign_id, service, kind, fence, admitted_at, duration_ms, outcome, error,
    request_id, credits, tokens_in, tokens_out, cost_usd, worker)
SELECT id, campaign_id, service, kind, 1, completed_at, 200, failure_type, '', '', 1, 0, 0, 0.0037, 'bench:1'
FROM job_rows
"""


def run() -> Measured:
    from django.contrib.auth.models import User

    switch.client().flushdb()
    seed(ROWS)
    rebuild.compare()
    counted = fail_all()
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(User.objects.create_superuser("bench", password=None))
    largest = groups.groups(size=1).groups[0]
    campaign = Campaign.objects.earliest("pk").pk
    paths = {
        "failures": "/admin/failures/",
        "failures, last page": "/admin/failures/?page=8",
        "failures, one service": "/admin/failures/?service=millionverifier",
        "failures, one campaign": f"/admin/failures/?campaign={campaign}",
        "failures, nothing": "/admin/failures/?service=apollo",
        f"a group of {largest.count:,}, its dry run": f"/admin/failures/{largest.key}/",
        "the same of one campaign": f"/admin/failures/{largest.key}/?campaign={campaign}",
        "API: failures": "/api/v1/failures",
        "API: a group's dry run": f"/api/v1/failures/{largest.key}",
    }
    rows = [timed(client, name, path) for name, path in paths.items()]
    slowest, page = max((float(row["median ms"]), row["page"]) for row in rows)
    notes = [
        f"Counting all anew (`reconcile --recount`, and the migration): {counted:.0f} s.",
        *(f"{verb} of {number:,} failures of one campaign: {seconds:.2f} s." for verb, number, seconds in acted()),
    ]
    return Measured([Limit(f"the slowest page of failures ({page})", slowest, LIMIT_MS, "ms")], rows, notes)


def fail_all() -> float:
    """Make every job FAILED with its lead and its call, and return the seconds that counting them anew takes."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_rows DISABLE TRIGGER failure_changed")
        cursor.execute(FAIL, [])
        cursor.execute("ALTER TABLE job_rows ENABLE TRIGGER failure_changed")
        cursor.execute("UPDATE leads SET state = 'FAILED', ended_at = now(), end_reason = 'verify failed'")
        cursor.execute(CALLS)
        cursor.execute("VACUUM ANALYZE job_rows, vendor_calls, leads")
        began = time.perf_counter()
        cursor.execute("SELECT recount_failure_tallies()")
        seconds = time.perf_counter() - began
        cursor.execute("VACUUM ANALYZE failures, failure_tallies")
    return seconds


def acted() -> list[tuple[str, int, float]]:
    """Retry and drop a group of one campaign, and return the verb, how many, and the seconds that it took."""
    campaigns = Campaign.objects.order_by("pk").values_list("pk", flat=True)
    measured = []
    for verb, campaign in zip((triage.retry, triage.drop), campaigns, strict=False):
        key: UUID = groups.groups(size=1, campaign=campaign).groups[0].key
        token = plans.plan(key, campaign=campaign).token
        began = time.perf_counter()
        done = verb(token, actor=BENCH, reason="measured")
        measured.append((verb.__name__, done.jobs, time.perf_counter() - began))
    return measured
