"""A push begins under its contact's lock, and suppressing waits for the pushes that began before it.

So no push leaves after the commit of a suppression: it either sees the listing, or the listing waits for it.
"""

import time
from collections.abc import Iterable

from django.db import connection

from campaigns.leads.addresses import domain_and_parents, domain_of

# As in migration 0018: a push holds it shared while it begins, who suppresses holds it alone until the commit.
SUPPRESSING = 0x5117E4CE
# Seconds between two looks.
LOOK = 0.02
# Seconds after which a listing is committed in any case: the push's vendor answers slowly, or its worker is dead.
LONGEST = 3

# PROCESSING jobs are as many as there are threads, and have an index (reclaim).
BEGUN = """
SELECT l.email FROM job_rows j JOIN leads l ON l.id = j.lead_id JOIN contacts c ON c.key = l.email
WHERE j.status = 'PROCESSING' AND j.lease_until IS NOT NULL AND j.kind = 'push'
    AND c.pushing = j.id || ':' || j.fence
"""


def wait_for_pushes(values: Iterable[str], longest: float = LONGEST) -> bool:
    """Let no push to these addresses and domains begin until this transaction ends, and wait up to `longest` seconds
    for those that have begun; False if one still goes on then.

    To be called in the transaction that lists the values, right before it commits, and before it locks a lead: the
    push has to end its own.
    """
    listed = set(values)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SUPPRESSING])
        until = time.monotonic() + longest
        while True:
            cursor.execute(BEGUN)
            if not any(is_listed(email, listed) for (email,) in cursor.fetchall()):
                return True
            if time.monotonic() > until:
                return False
            time.sleep(LOOK)


def is_listed(email: str, listed: set[str]) -> bool:
    """Say whether a normalised address is among these values, by itself, its domain or a parent domain."""
    return not listed.isdisjoint((email, *domain_and_parents(domain_of(email))))
