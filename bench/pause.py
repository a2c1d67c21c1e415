"""From an opening to paused campaigns and jobs: the time must not depend on the number of jobs."""

import time

from django.db import connection

from circuitbreakers import gate, rebuild, switch

CAMPAIGNS = 1000
JOBS = (10_000, 100_000, 1_000_000)
LIMIT = 0.5  # seconds; 1,000 log lines included

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
INSERT INTO job_rows (lead_id, campaign_id, kind, service, part, payload, status, failure_type, without_call, attempts,
    crashes, fence, worker, run_at, created_at)
SELECT id, campaign_id, 'verify', 'millionverifier', 0, '{}', 'PENDING', '', false, 0, 0, 0, '', now(), now() FROM leads
"""


def seed(jobs: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns, incidents, queue_pauses, events CASCADE")
        cursor.execute(SEED_CAMPAIGNS, [CAMPAIGNS])
        cursor.execute(SEED_LEADS, [jobs // CAMPAIGNS])
        cursor.execute(SEED_JOBS)
        cursor.execute("VACUUM ANALYZE campaigns, leads, job_rows")


def waiting() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status, count(*) FROM jobs GROUP BY status")
        return dict(cursor.fetchall())


def run() -> bool:
    kept = True
    for jobs in JOBS:
        switch.client().flushdb()
        seed(jobs)
        rebuild.compare()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_lsn()")
            before = cursor.fetchone()[0]
            began = time.perf_counter()
            gate.record_failure("millionverifier", "no credit left", "quota_exhausted")
            paused = time.perf_counter() - began
            cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", [before])
            written = int(cursor.fetchone()[0])
        assert waiting() == {"PAUSED": jobs}
        print(f"{CAMPAIGNS:,} campaigns and {jobs:>9,} jobs paused after {paused:.3f} s (limit {LIMIT}), {written:,} B")
        kept &= paused < LIMIT
    return kept
