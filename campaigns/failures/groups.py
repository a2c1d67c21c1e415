"""What failed is read in groups: of one service and failure type, whose errors say the same in the same words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

PAGE = 25
EXAMPLES = 3

# By the tallies, which are a few rows a campaign and group: no failure is counted.
GROUPS = """
SELECT group_key, service, failure_type, sum(number)::bigint AS number, sum(cost_usd), sum(may_cost_usd)
FROM failure_tallies
WHERE (%(service)s = '' OR service = %(service)s) AND (%(campaign)s IS NULL OR campaign_id = %(campaign)s)
    AND (%(key)s IS NULL OR group_key = %(key)s)
GROUP BY group_key, service, failure_type HAVING sum(number) > 0
ORDER BY number DESC, group_key LIMIT %(limit)s OFFSET %(offset)s
"""
# The first and the last ones of each group, by the ends of an index. A group that has gone meanwhile has none.
ENDS = """
SELECT wanted.key, first.failed_at, last.failed_at, last.job_id, j.kind, failure_words(j.error), j.error,
    j.lead_id, j.campaign_id, c.name
FROM unnest(%(keys)s::uuid[]) AS wanted (key)
CROSS JOIN LATERAL (
    SELECT failed_at FROM failures f WHERE group_key = wanted.key {of_campaign} ORDER BY failed_at, job_id LIMIT 1
) first
CROSS JOIN LATERAL (
    SELECT failed_at, job_id FROM failures f WHERE group_key = wanted.key {of_campaign}
    ORDER BY failed_at DESC, job_id DESC LIMIT %(examples)s
) last
JOIN job_rows j ON j.id = last.job_id JOIN campaigns c ON c.id = j.campaign_id
ORDER BY last.failed_at DESC, last.job_id DESC
"""
OF_CAMPAIGN = "AND campaign_id = %(campaign)s"


@dataclass(frozen=True)
class Example:
    """An example is one failure of a group: its job, the lead that failed with it (None: the job has none), its
    campaign."""

    job: int
    kind: str
    lead: int | None
    campaign: int
    campaign_name: str
    failed_at: datetime
    error: str


@dataclass(frozen=True)
class Group:
    """A group is what failed at one service with one failure type in the same words.

    `cost_usd` is sunk: what the ledger says of all calls of these leads, `may_cost_usd` what lost answers can have cost
    beyond it at most. `words` are the error's without what differs each time. `examples` are the latest.
    """

    key: UUID
    service: str
    failure_type: str
    words: str
    count: int
    first: datetime
    last: datetime
    cost_usd: Decimal
    may_cost_usd: Decimal
    examples: list[Example]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class GroupPage:
    """A page of groups, the largest first; `more` says whether another one follows."""

    groups: list[Group]
    number: int
    more: bool


def groups(*, service: str = "", campaign: int | None = None, page: int = 1, size: int = PAGE) -> GroupPage:
    """Read one page of the groups of failures, of one service or campaign or of all; pages count from 1."""
    rows = _rows(GROUPS, service=service, campaign=campaign, key=None, limit=size + 1, offset=(max(page, 1) - 1) * size)
    return GroupPage(_with_ends(rows[:size], campaign), page, len(rows) > size)


def group(key: UUID, *, campaign: int | None = None) -> Group | None:
    """Read one group, or that part of it which belongs to one campaign; None if nothing of it is left."""
    rows = _rows(GROUPS, service="", campaign=campaign, key=key, limit=1, offset=0)
    return next(iter(_with_ends(rows, campaign)), None)


def _with_ends(rows: Sequence[tuple[Any, ...]], campaign: int | None) -> list[Group]:
    keys = [row[0] for row in rows]
    sql = ENDS.format(of_campaign="" if campaign is None else OF_CAMPAIGN)
    ends: dict[UUID, list[tuple[Any, ...]]] = {}
    for key, *end in _rows(sql, keys=keys, campaign=campaign, examples=EXAMPLES) if keys else ():
        ends.setdefault(key, []).append(tuple(end))
    return [
        Group(
            key=key,
            service=service,
            failure_type=failure_type,
            words=latest[0][4],
            count=number,
            first=latest[0][0],
            last=latest[0][1],
            cost_usd=cost,
            may_cost_usd=may_cost,
            examples=[
                Example(job, kind, lead, of, name, failed_at, error or "")
                for _, failed_at, job, kind, _, error, lead, of, name in latest
            ],
        )
        for key, service, failure_type, number, cost, may_cost in rows
        if (latest := ends.get(key))
    ]


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
