"""Tallies say how many jobs, leads and calls there are, and what they cost, without counting a million rows.

The database keeps the tallies itself: each statement that changes jobs, leads or calls appends its differences to them
in the same transaction (triggers, migration 0003). So a sum of tallies is exact in every snapshot, no writer ever
waits for another, and reading costs rows by the campaign instead of by the job. The supervisor folds the differences.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, models
from django.db.models import QuerySet, Sum


class JobTally(models.Model):
    """A tally is a difference in the number of stored jobs, and in the cost that they avoided; it has plain numbers, so
    that a campaign's deletion can be tallied as well.

    What a worker holds is still PENDING here, so that a claim writes no difference. Whoever asks how many are in a
    state asks `JobCount`.
    """

    campaign_id = models.BigIntegerField(db_index=True)
    service = models.CharField(max_length=20)
    status = models.CharField(max_length=10)
    number = models.BigIntegerField()
    avoided_usd = models.DecimalField(max_digits=20, decimal_places=6, default=0, db_default=0)

    class Meta:
        db_table = "job_tallies"

    def __str__(self) -> str:
        return f"{self.number:+} {self.service} {self.status}"


class JobCount(models.Model):
    """A count is the number of jobs as everybody sees them: waiting ones of a paused campaign are PAUSED. A view
    (migration 0011).

    Like the tallies, several rows may have the same keys: their sum counts.
    """

    campaign_id = models.BigIntegerField()
    service = models.CharField(max_length=20)
    status = models.CharField(max_length=10)
    number = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "job_counts"

    def __str__(self) -> str:
        return f"{self.number:+} {self.service} {self.status}"


class LeadTally(models.Model):
    """A tally is a difference in the number of leads."""

    campaign_id = models.BigIntegerField(db_index=True)
    state = models.CharField(max_length=10)
    stage = models.CharField(max_length=10)
    number = models.BigIntegerField()

    class Meta:
        db_table = "lead_tallies"

    def __str__(self) -> str:
        return f"{self.number:+} {self.state} {self.stage}"


class CallTally(models.Model):
    """A tally is a difference in the ledger. `day` (UTC) is that of the admission; `campaign_id` 0 is none."""

    campaign_id = models.BigIntegerField(db_index=True)
    service = models.CharField(max_length=20)
    day = models.DateField(db_index=True)
    number = models.BigIntegerField()
    failed = models.BigIntegerField()
    unknown = models.BigIntegerField()
    credits = models.DecimalField(max_digits=20, decimal_places=4)
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    may_be_charged = models.BigIntegerField()
    may_cost_usd = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        db_table = "call_tallies"

    def __str__(self) -> str:
        return f"{self.number:+} {self.service} {self.day}"


class FailureTally(models.Model):
    """A tally is a difference in the number of failures of one group, and in what they cost (migration 0029).

    `marks`: the sum of the failures' own marks. Two groups with the same sum hold the same failures.
    """

    campaign_id = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=10)
    service = models.CharField(max_length=20)
    failure_type = models.CharField(max_length=20)
    group_key = models.UUIDField(db_index=True)
    ended = models.BooleanField()
    number = models.BigIntegerField()
    cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    may_cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    marks = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        db_table = "failure_tallies"

    def __str__(self) -> str:
        return f"{self.number:+} {self.service} {self.failure_type}"


KEYS: dict[type[models.Model], tuple[str, ...]] = {
    JobTally: ("campaign_id", "service", "status"),
    LeadTally: ("campaign_id", "state", "stage"),
    CallTally: ("campaign_id", "service", "day"),
    FailureTally: ("campaign_id", "kind", "service", "failure_type", "group_key", "ended"),
}

# Of two that run at once, the second finds the rows of the first gone, and folds what it has deleted itself: that may
# be a difference in the cost alone, so a row goes only when none of its numbers is left.
FOLD = """
WITH taken AS (
    DELETE FROM {table} WHERE ({keys}) IN (SELECT {keys} FROM {table} GROUP BY {keys} HAVING count(*) > 1)
    RETURNING {keys}, {numbers}
)
INSERT INTO {table} ({keys}, {numbers}) SELECT {keys}, {sums} FROM taken GROUP BY {keys}
HAVING NOT 0 = ALL (ARRAY[{sums}]::numeric[])
"""


def summed(tallies: QuerySet[Any], *by: str) -> dict[Any, int]:
    """Sum the number by one field (its values are the keys) or several (tuples of them); only what is not zero."""
    rows = tallies.order_by().values_list(*by).annotate(n=Sum("number")).exclude(n=0)
    return {key[0] if len(by) == 1 else tuple(key): number for *key, number in rows}


@dataclass
class CampaignProgress:
    """A campaign's progress is in numbers: leads by state, those of OPEN leads by stage, jobs by status; none that are
    zero."""

    leads: dict[str, int] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)


def progress(campaigns: Iterable[int]) -> dict[int, CampaignProgress]:
    """Read the progress of each of these campaigns, as of now: two statements for a page of a list."""
    by_campaign = {pk: CampaignProgress() for pk in campaigns}
    leads = LeadTally.objects.filter(campaign_id__in=list(by_campaign))
    for (pk, state, stage), number in summed(leads, "campaign_id", "state", "stage").items():
        by_campaign[pk].leads[state] = by_campaign[pk].leads.get(state, 0) + number
        if state == "OPEN":
            by_campaign[pk].stages[stage or "waiting"] = number
    jobs = JobCount.objects.filter(campaign_id__in=list(by_campaign))
    for (pk, status), number in summed(jobs, "campaign_id", "status").items():
        by_campaign[pk].jobs[status] = number
    return by_campaign


def fold() -> int:
    """Make one row of all that have the same keys, table by table. Always 0: nothing is left behind."""
    for model, keys in KEYS.items():
        numbers = [field.name for field in model._meta.fields if field.name not in (*keys, "id")]
        sql = FOLD.format(
            table=model._meta.db_table,
            keys=", ".join(keys),
            numbers=", ".join(numbers),
            sums=", ".join(f"sum({name})" for name in numbers),
        )
        with connection.cursor() as cursor:
            cursor.execute(sql)
    return 0


def recount() -> None:
    """Count everything anew, each table while nobody may write it: after a restore that left the triggers out."""
    for model in KEYS:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT recount_{model._meta.db_table}()")
