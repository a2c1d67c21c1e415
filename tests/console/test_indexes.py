"""Lists and searches find rows by an index: at 12,000 no statement reads all, nor hundreds to throw them away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.console import PAGES
from bench.seed import SEED_LEADS
from campaigns.failures import groups
from campaigns.models import Campaign
from console.admin.lists import CappedPaginator
from tests.builders import make_campaign, make_fleet

ROWS = 12_000
MOST = CappedPaginator.MOST
BIG = ("job_rows", "leads", "vendor_calls", "failures")
SEED = (
    """INSERT INTO job_rows (lead_id, campaign_id, kind, service, part, payload, status, failure_type, without_call,
    attempts, crashes, fence, worker, run_at, created_at, completed_at)
    SELECT id, campaign_id, 'verify', 'millionverifier', 0, '{}',
    CASE id %% 1000 WHEN 0 THEN 'FAILED' ELSE 'COMPLETED' END,
    '', false, 0, 0, 1, '', now(), now(), now() FROM leads""",
    """INSERT INTO vendor_calls (job_id, campaign_id, service, kind, fence, admitted_at, duration_ms, outcome, error,
    request_id, credits, tokens_in, tokens_out, cost_usd, worker)
    SELECT id, campaign_id, service, kind, 1, now() - (id %% 10000) * interval '5 minutes', 200,
    CASE id %% 1000 WHEN 0 THEN 'timeout' ELSE 'success' END, '', '', 1, 0, 0, 0.0037, 'bench:1' FROM job_rows""",
    "UPDATE leads SET company = 'Company ' || id, state = 'PUSHED', ended_at = now() WHERE id %% 100 <> 0",
    "ANALYZE job_rows, leads, vendor_calls",
)


FAIL = """
UPDATE job_rows SET status = 'FAILED', failure_type = 'timeout',
    error = (ARRAY['alpha', 'beta', 'gamma'])[1 + id % 3] || ' of ' || id
"""


def scans(plan: dict[str, Any]) -> Iterator[tuple[float, float, str]]:
    """(rows read and used, rows read and thrown away, where) of each scan of a big table."""
    if plan.get("Relation Name") in BIG:
        loops = plan.get("Actual Loops", 1)
        where = f"{plan['Node Type']} on {plan['Relation Name']}: {plan.get('Filter', '')}"
        yield plan["Actual Rows"] * loops, plan.get("Rows Removed by Filter", 0) * loops, where
    for child in plan.get("Plans", ()):
        yield from scans(child)


@pytest.fixture
def twelve_thousand(db: None) -> None:
    with connection.cursor() as cursor:
        # New files, for as long as the transaction: pages that earlier tests left empty make other plans cheaper.
        cursor.execute("TRUNCATE job_rows, leads, vendor_calls CASCADE")
        make_fleet()
        make_campaign()
        cursor.execute(SEED_LEADS, [ROWS])
        for statement in SEED:
            cursor.execute(statement, [])


def wasteful(client: Client, pages: dict[str, str], most: int) -> list[str]:
    """The scans of these pages that use more rows of a big table than that, or throw hundreds away."""
    found: list[str] = []
    for name, address in pages.items():
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        for query in seen.captured_queries:
            sql = query["sql"]
            if not sql.lstrip().startswith("SELECT") or not any(f"{table}" in sql for table in ("jobs", *BIG)):
                continue
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
                (answer,) = cursor.fetchone()
            plans = json.loads(answer) if isinstance(answer, str) else answer
            found += [
                f"{name}: {used} rows used, {thrown} not, {where}"
                for used, thrown, where in scans(plans[0]["Plan"])
                if used > most or thrown > 500
            ]
    return found


def test_no_page_reads_all_rows_or_any_to_throw_them_away(viewer: Client, twelve_thousand: None) -> None:
    assert wasteful(viewer, PAGES, MOST) == []


def test_no_page_of_failures_reads_more_than_the_ends_of_its_groups(viewer: Client, twelve_thousand: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FAIL)
        cursor.execute("ANALYZE job_rows, failures, failure_tallies")
    campaign = Campaign.objects.get().pk
    key = groups.groups(size=1).groups[0].key
    pages = {
        "all": "/admin/failures/",
        "one service": "/admin/failures/?service=millionverifier",
        "one campaign": f"/admin/failures/?campaign={campaign}",
        "a group": f"/admin/failures/{key}/",
        "of one campaign": f"/admin/failures/{key}/?campaign={campaign}",
    }
    assert "4,000" in viewer.get(pages["all"]).content.decode()
    assert wasteful(viewer, pages, 500) == []
