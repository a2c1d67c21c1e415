"""An opening pauses 1,000 campaigns in at most 1 s, 100,000 jobs in 5 s and 1,000,000 jobs in 60 s."""

import time

from django.db import connection

from campaigns.align import align_jobs
from circuitbreakers import gate, rebuild, switch

CAMPAIGNS = 1000
LIMITS = {100_000: 5.0, 1_000_000: 60.0}

SEED_CAMPAIGNS = """
INSERT INTO campaigns (name, status, status_message, search_url, max_leads, instantly_campaign_id, research_prompt,
    mail_prompt, operator_paused_by, operator_pause_reason, created_by, created_at, started_at)
SELECT 'Bench ' || n, 'RUNNING', '', '', 100, 'x', '', '', '', '', 'bench', now(), now()
FROM generate_series(1, %s) n
"""
SEED_LEADS = """
INSERT INTO leads (campaign_id, email, apollo_id, first_name, last_name, title, company, company_domain, data, state,
    stage, end_reason, verdict, research, sources, mail_subject, mail_body, instantly_lead_id, created_at)
SELECT c.id, 'ida' || n || '@acme.example', '', 'Ida', 'Locke', 'CTO', 'Acme', '', '{}', 'OPEN', 'verify', '', '', '',
    '[]', '', '', '', now()
FROM campaigns c, generate_series(1, %s) n
"""
SEED_JOBS = """
INSERT INTO jobs (lead_id, campaign_id, kind, service, part, payload, status, failure_type, without_call, attempts,
    crashes, fence, worker, run_at, created_at)
SELECT id, campaign_id, 'verify', 'millionverifier', 0, '{}', 'PENDING', '', false, 0, 0, 0, '', now(), now() FROM leads
"""


def seed(jobs: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns, incidents, queue_pauses, events CASCADE")
        cursor.execute(SEED_CAMPAIGNS, [CAMPAIGNS])
        cursor.execute(SEED_LEADS, [jobs // CAMPAIGNS])
        cursor.execute(SEED_JOBS)
        cursor.execute("VACUUM ANALYZE campaigns, leads, jobs")


def run() -> bool:
    kept = True
    for jobs, limit in LIMITS.items():
        switch.client().flushdb()
        seed(jobs)
        rebuild.compare()
        began = time.perf_counter()
        gate.record_failure("millionverifier", "no credit left", "quota_exhausted")
        campaigns = time.perf_counter() - began
        moved = 0
        while batch := align_jobs():
            moved += batch
        total = time.perf_counter() - began
        assert moved == jobs, moved
        print(f"{CAMPAIGNS:,} campaigns paused after   {campaigns:6.2f} s  (limit 1)")
        print(f"{jobs:>9,} jobs paused after    {total:6.2f} s  (limit {limit:g})")
        kept &= campaigns < 1 and total < limit
    return kept
