"""Open leads are ended together here, with the jobs that wait for them: what cancels a campaign and what suppresses a
person write the same columns.

PROCESSING jobs are not touched: their workers finish and book them, and a lead that has ended moves no more.
"""

from django.db import connection

# Without their WHERE; `why` stands in the row.
CANCEL_JOBS = (
    "UPDATE job_rows SET status = 'CANCELLED', error = %(why)s, sent_at = NULL, completed_at = statement_timestamp()"
)
DROP_LEADS = "UPDATE leads SET state = 'DROPPED', end_reason = %(why)s, ended_at = statement_timestamp()"

# Each of these leads with the value of the list that it is ended for. A domain's leads are those whose reversed domain
# is the reversed domain, or goes on with a dot: one range of the index `lead_domain`. It holds a little more, and the
# second condition takes that out. LATERAL with OFFSET 0: as a join, the planner may read all open leads once a domain.
MATCHED = """
SELECT l.id, wanted.value FROM unnest(%(addresses)s::text[]) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT id FROM leads WHERE email = wanted.value AND state = 'OPEN' OFFSET 0
) l
UNION ALL
SELECT l.id, wanted.value FROM unnest(%(domains)s::text[]) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT id FROM leads
    WHERE state = 'OPEN'
        AND reverse(split_part(email, '@', 2)) COLLATE "C" >= reverse(wanted.value)
        AND reverse(split_part(email, '@', 2)) COLLATE "C" < reverse(wanted.value) || '/'
        AND starts_with(reverse(split_part(email, '@', 2)) || '.', reverse(wanted.value) || '.')
    OFFSET 0
) l
"""
# Locked in the order of their ids, so that two callers with the same leads cannot deadlock.
END_LEADS = f"""
WITH matched AS MATERIALIZED ({MATCHED}), batch AS MATERIALIZED (
    SELECT id FROM leads WHERE id = ANY(ARRAY(SELECT id FROM matched)) AND state = 'OPEN' ORDER BY id FOR UPDATE
), ended AS (
    {DROP_LEADS} WHERE id = ANY(ARRAY(SELECT id FROM batch)) AND state = 'OPEN' RETURNING id
)
SELECT one.value, array_agg(one.id)
FROM (SELECT id, min(value) AS value FROM matched GROUP BY id) one JOIN ended ON ended.id = one.id
GROUP BY one.value
"""  # noqa: S608 (constants only)
END_JOBS = f"{CANCEL_JOBS} WHERE lead_id = ANY(%(leads)s) AND status = 'PENDING'"


def end_leads_of(addresses: list[str], domains: list[str], why: str) -> dict[str, list[int]]:
    """Make the open leads at these addresses and domains, or below them, DROPPED; value -> their ids, each lead once.

    Call it in a transaction. Two statements: only the second sees the job that a completion inserted meanwhile, which
    the first one waited for.
    """
    with connection.cursor() as cursor:
        cursor.execute(END_LEADS, {"addresses": addresses, "domains": domains, "why": why})
        ended = cursor.fetchall()
        if ended:
            cursor.execute(END_JOBS, {"leads": [lead for _, leads in ended for lead in leads], "why": why})
    return {value: sorted(leads) for value, leads in ended}
