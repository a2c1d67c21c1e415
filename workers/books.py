"""Budgets are counted from these books: the ledger's tallies, and what is claimed and not yet entered there."""

from collections.abc import Iterable
from datetime import UTC, date
from decimal import Decimal

from django.db import connection

from campaigns.models import JobRow, VendorCall
from circuitbreakers.budget import micro
from circuitbreakers.budget_counters import Ended, Spent
from workers.kinds import most_usd

# One statement, so one snapshot: a call that moves from the claims to the ledger is in just one of them. A claim whose
# call is entered already is no claim any more.
SPENT = """
SELECT
    (SELECT coalesce(sum(number), 0) FROM call_tallies WHERE {tallies}),
    (SELECT coalesce(sum(cost_usd + may_cost_usd), 0) FROM call_tallies WHERE {tallies}),
    (SELECT coalesce(array_agg(id || ':' || fence), '{{}}') FROM job_rows WHERE status = 'PROCESSING' AND {jobs}
        AND NOT EXISTS (SELECT FROM vendor_calls v WHERE v.job_id = job_rows.id AND v.fence = job_rows.fence))
"""


def _condition(scope: str) -> tuple[str, dict[str, str]]:
    kind, _, which = scope.partition(":")
    if kind == "campaign":
        return "campaign_id = %(which)s::bigint", {"which": which}
    if kind == "service":
        return "service = %(which)s", {"which": which}
    return "true", {}


class LedgerBooks:
    """The ledger with the claims that stand: `circuitbreakers.budget_counters.Books`."""

    def spent(self, scope: str, since: date | None, until: date | None) -> Spent:
        condition, parameters = _condition(scope)
        tallies = condition if since is None else f"{condition} AND day BETWEEN %(since)s AND %(until)s"
        with connection.cursor() as cursor:
            cursor.execute(
                SPENT.format(tallies=tallies, jobs=condition), {**parameters, "since": since, "until": until}
            )
            calls, usd, claims = cursor.fetchone()
        jobs = JobRow.objects.select_related("lead", "campaign").in_bulk([int(call.split(":")[0]) for call in claims])
        most = {}
        for call in claims:
            job = jobs.get(int(call.split(":")[0]))
            most[call] = micro(most_usd(job) or Decimal(0)) if job else 0
        return Spent(int(calls), micro(usd), most)

    def ended(self, calls: Iterable[str]) -> dict[str, Ended]:
        fences = {call: (int(job), int(fence)) for call in calls for job, fence in [call.split(":")]}
        jobs = {job for job, _ in fences.values()}
        # First who is still claimed, then what is entered: what has ended by then is in the ledger, if it was a call.
        standing = set(JobRow.objects.filter(pk__in=jobs, status=JobRow.Status.PROCESSING).values_list("pk", "fence"))
        entered = {
            (job, fence): Ended(admitted_at.astimezone(UTC).date(), micro(cost + may_cost))
            for job, fence, admitted_at, cost, may_cost in VendorCall.objects.filter(job_id__in=jobs).values_list(
                "job_id", "fence", "admitted_at", "cost_usd", "may_cost_usd"
            )
        }
        return {call: entered.get(key, Ended()) for call, key in fences.items() if key not in standing}

    def busy(self, scope: str) -> bool:
        condition, parameters = _condition(scope)
        with connection.cursor() as cursor:
            sql = f"SELECT EXISTS (SELECT FROM job_rows WHERE status = 'PROCESSING' AND {condition})"  # noqa: S608
            cursor.execute(sql, parameters)
            return bool(cursor.fetchone()[0])
