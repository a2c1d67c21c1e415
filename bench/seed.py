"""A thousand running campaigns with as many leads and waiting jobs as a benchmark needs are written by SQL."""

from django.db import connection

CAMPAIGNS = 1000

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
    """Replace all campaigns by a thousand with so many waiting jobs, a multiple of a thousand."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns, incidents, queue_pauses, events CASCADE")
        cursor.execute(SEED_CAMPAIGNS, [CAMPAIGNS])
        cursor.execute(SEED_LEADS, [jobs // CAMPAIGNS])
        cursor.execute(SEED_JOBS)
        cursor.execute("VACUUM ANALYZE campaigns, leads, job_rows")
