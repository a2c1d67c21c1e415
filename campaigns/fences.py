"""A job's claims are numbered from the second of its birth, so that a claim has a name of its own for ever.

A standby that is promoted lacks the last rows, and gives their ids again: with claims counted from 1, a new job would
bear the names under which Redis and the vendors know the calls of the one that was lost.
"""

from datetime import datetime

# 2020-01-01 UTC. Seconds since then and the claims on top of them fit PostgreSQL's `integer` until 2088.
SINCE = 1_577_836_800
# Until this came, claims were counted from 1. No such count is as high, and no birth as low.
COUNTED = 100_000_000

BORN = f"(floor(extract(epoch FROM job_rows.created_at))::int - {SINCE})"
# A job that was claimed under the old count goes on behind its birth with that count: never back, never to a first one.
NEXT = f"CASE WHEN job_rows.fence < {BORN} THEN {BORN} + job_rows.fence ELSE job_rows.fence END + 1"


def born(created_at: datetime) -> int:
    """Return the number that the claims of a job made at this instant are counted from."""
    return int(created_at.timestamp()) - SINCE


def following(fence: int, created_at: datetime) -> int:
    """Return the number of the next claim after `fence` (0: never claimed), as the claim's statement does."""
    start = born(created_at)
    return (start + fence if fence < start else fence) + 1


def is_first(fence: int, created_at: datetime) -> bool:
    """Say whether no claim came before this one."""
    return fence in (1, born(created_at) + 1)
