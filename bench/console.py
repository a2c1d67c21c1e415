"""Each page of the console takes at most 300 ms of server time at 1,000 campaigns, 1,000,000 jobs and calls."""

import time

from django.db import connection, reset_queries
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.measured import Cell, Limit, Measured
from bench.seed import seed
from campaigns import tallies
from circuitbreakers import gate, rebuild, switch
from console import plan, shared_snapshot

ROWS = 1_000_000
LIMIT_MS = 300
RUNS = 5
SEED_CALLS = """
INSERT INTO vendor_calls (job_id, campaign_id, service, kind, fence, admitted_at, duration_ms, outcome, error,
    request_id, credits, tokens_in, tokens_out, cost_usd, worker)
SELECT id, campaign_id, service, kind, 1, now() - (id %% 1440) / 1440.0 * (now() - date_trunc('day', now())), 200,
    CASE WHEN id %% 50 = 0 THEN 'timeout' ELSE 'success' END, '', '', 1, 0, 0, 0.0037, 'bench:1' FROM jobs
"""
PAGES = {
    "dashboard": "/admin/",
    "dashboard, polled": "/admin/live/?page=dashboard",
    "recovery": "/admin/recovery/",
    "campaigns": "/admin/campaigns/campaign/",
    "campaigns, running": "/admin/campaigns/campaign/?status__exact=RUNNING",
    "leads": "/admin/campaigns/lead/",
    "leads, by address": "/admin/campaigns/lead/?q=ida7@acme.example",
    "leads, by company": "/admin/campaigns/lead/?q=acm",
    "leads, by name": "/admin/campaigns/lead/?q=ida+lock",
    "leads, by domain": "/admin/campaigns/lead/?q=acme.example",
    "leads, not there": "/admin/campaigns/lead/?q=nobody",
    "jobs": "/admin/campaigns/job/",
    "jobs, completed": "/admin/campaigns/job/?status__exact=COMPLETED",
    "jobs, failed (none)": "/admin/campaigns/job/?status__exact=FAILED",
    "jobs, last page": "/admin/campaigns/job/?p=200",
    "vendor calls": "/admin/campaigns/vendorcall/",
    "vendor calls, timeouts": "/admin/campaigns/vendorcall/?outcome__exact=timeout",
    "incidents": "/admin/circuitbreakers/incident/",
    "events": "/admin/circuitbreakers/event/",
    "queue pauses": "/admin/circuitbreakers/queuepause/",
    "breakers": "/admin/circuitbreakers/breaker/",
    "suppression list": "/admin/campaigns/suppression/",
}


def run() -> Measured:
    from django.contrib.auth.models import User

    switch.client().flushdb()
    seed(ROWS)
    rebuild.compare()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE job_rows SET status = 'COMPLETED', completed_at = now(), fence = 1 WHERE id %% 10 <> 0", []
        )
        cursor.execute(SEED_CALLS, [])
        cursor.execute("VACUUM ANALYZE job_rows, vendor_calls, leads")
    tallies.fold()
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(User.objects.create_superuser("bench", password=None))
    rows = [timed(client, name, path) for name, path in PAGES.items()]
    gate.record_failure("millionverifier", "no credit left", "quota_exhausted")
    rows += [timed(client, f"{name}, paused", PAGES[name]) for name in ("dashboard", "recovery")]
    slowest, page = max((float(row["median ms"]), row["page"]) for row in rows)
    return Measured([Limit(f"the slowest page ({page})", slowest, LIMIT_MS, "ms")], rows)


def timed(client: Client, name: str, path: str) -> dict[str, Cell]:
    """Return the median time of a page, its snapshot made anew, and its queries."""
    times, queries = [], 0
    for _ in range(RUNS + 1):  # the first one compiles the templates
        shared_snapshot.forget()
        plan.forget()
        reset_queries()
        began = time.perf_counter()
        with CaptureQueriesContext(connection) as statements:
            assert client.get(path).status_code == 200, path
        times.append(time.perf_counter() - began)
        queries = len(statements)
    return {"page": name, "median ms": round(sorted(times[1:])[RUNS // 2] * 1000, 1), "queries": queries}
