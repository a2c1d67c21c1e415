"""The books are compared here: every way in which leads, jobs, calls, pauses and the two stores can fail to add up."""

from dataclasses import dataclass

from django.db import connection

from campaigns import spend
from circuitbreakers import incidents, pauses, switch
from circuitbreakers.services import SERVICES

EXAMPLES = 5
# What names a group of failures, campaign by campaign: the keys of its tallies.
OF_FAILURE = "campaign_id, kind, service, failure_type, group_key, ended"


@dataclass(frozen=True)
class Finding:
    """A finding is one thing that does not add up: which check, how many rows, what is wrong and some ids."""

    check: str
    count: int
    detail: str


# Each query returns the ids of what is wrong; `{}` in the text is filled with the first of them.
QUERIES = {
    "completed_job_without_call": (
        "SELECT j.id FROM job_rows j WHERE j.status = 'COMPLETED' AND NOT j.without_call AND NOT EXISTS "
        "(SELECT FROM vendor_calls v WHERE v.job_id = j.id AND v.outcome IN ('success', 'unknown')) ORDER BY 1",
        "jobs are COMPLETED without a successful vendor call: {}",
    ),
    "pushed_lead_without_push": (
        "SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id "
        "WHERE l.state = 'PUSHED' AND c.jobs_pruned_at IS NULL AND NOT EXISTS (SELECT FROM job_rows j "
        "WHERE j.lead_id = l.id AND j.kind = 'push' AND j.status = 'COMPLETED') ORDER BY 1",
        "leads are PUSHED without a completed push job: {}",
    ),
    "call_without_job": (
        # But for what PostgreSQL has lost itself (statements.LOST), and Redis or the worker remembered.
        "SELECT v.id FROM vendor_calls v LEFT JOIN job_rows j ON j.id = v.job_id "
        "WHERE (j.id IS NULL OR v.fence > j.fence AND v.error NOT LIKE 'late:%') "
        "AND v.error NOT LIKE 'PostgreSQL has lost%' ORDER BY 1",
        "vendor calls belong to no job or to a claim that never was: {}",
    ),
    "pause_without_cause": (
        "SELECT c.id FROM campaigns c WHERE c.system_paused_at IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM queue_pauses p WHERE p.key = 'system' AND p.started_at <= c.system_paused_at "
        "AND coalesce(p.ended_at, 'infinity') >= c.system_paused_at) "
        "OR (c.status = 'PAUSED' AND c.system_paused_at IS NULL AND c.operator_paused_at IS NULL) ORDER BY 1",
        "campaigns are PAUSED without a pause that explains it: {}",
    ),
    "running_under_system_pause": (
        "SELECT c.id FROM campaigns c WHERE c.status = 'RUNNING' AND EXISTS "
        "(SELECT FROM queue_pauses p WHERE p.key = 'system' AND p.ended_at IS NULL) ORDER BY 1",
        "campaigns are RUNNING although the system pause stands: {}",
    ),
    "job_not_aligned": (
        "SELECT j.id FROM job_rows j JOIN campaigns c ON c.id = j.campaign_id "
        "WHERE j.status = 'PENDING' AND c.status NOT IN ('RUNNING', 'PAUSED', 'CREATED') ORDER BY 1",
        "unfinished jobs do not agree with their campaign's status: {}",
    ),
    "dead_lease": (
        "SELECT j.id FROM job_rows j WHERE j.status = 'PROCESSING' "
        "AND j.lease_until < now() - interval '1 minute' ORDER BY 1",
        "jobs are PROCESSING under a lease that ended over a minute ago (is the supervisor running?): {}",
    ),
    "stuck_lead": (
        "SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.state = 'OPEN' "
        "AND c.status IN ('RUNNING', 'PAUSED', 'COMPLETED', 'FAILED') AND (l.stage NOT IN ('', 'review') "
        "OR c.finished_at IS NOT NULL) "
        "AND NOT EXISTS (SELECT FROM job_rows j WHERE j.lead_id = l.id "
        "AND j.status IN ('PENDING', 'PROCESSING')) ORDER BY 1",
        "leads are OPEN but no unfinished job moves them: {}",
    ),
    "ended_lead_with_job": (
        "SELECT l.id FROM leads l WHERE l.state <> 'OPEN' AND EXISTS (SELECT FROM job_rows j WHERE j.lead_id = l.id "
        "AND j.status = 'PENDING') ORDER BY 1",
        "leads have ended but still have a job to do: {}",
    ),
    "pushed_twice": (
        "SELECT v.job_id FROM vendor_calls v WHERE v.kind = 'push' AND v.outcome = 'success' AND v.credits > 0 "
        "AND v.error NOT LIKE 'PostgreSQL has lost%' "
        "GROUP BY v.job_id HAVING count(*) > 1 ORDER BY 1",
        "push jobs were charged more than once: {}",
    ),
    "paid_twice": (
        # A rejected mail is written, and paid for, again; an answer that came too late was flagged as unknown before.
        # Instantly is looked into for free before a call is repeated; what it charges twice is above.
        # A verdict that was past due is bought again, and its job counts how often. What PostgreSQL has lost may have
        # been made and paid again before its worker told.
        "SELECT v.job_id FROM vendor_calls v JOIN job_rows j ON j.id = v.job_id WHERE v.outcome = 'success' "
        "AND v.kind NOT IN ('write', 'prepare', 'push') "
        "AND v.error NOT LIKE 'late:%' AND v.error NOT LIKE 'PostgreSQL has lost%' GROUP BY v.job_id, j.payload "
        "HAVING count(*) > 1 + coalesce((j.payload ->> 'past_due')::int, 0) ORDER BY 1",
        "jobs have more than one successful call: {}",
    ),
    "call_after_opening": (
        "SELECT DISTINCT v.id FROM vendor_calls v JOIN incidents i ON v.admitted_at > i.opened_at "
        "JOIN queue_pauses p ON p.id = i.pause_id WHERE v.admitted_at < coalesce(p.ended_at, 'infinity') "
        # But for what an operator let through, one at a time.
        "AND NOT EXISTS (SELECT FROM events e WHERE e.subject_type = 'breaker' AND e.subject_id = v.service "
        "AND e.verb = 'try_one' AND e.after ->> 'call' = v.job_id || ':' || v.fence) ORDER BY 1",
        "vendor calls were admitted while the system pause stood: {}",
    ),
    "tallies_wrong": (
        "SELECT DISTINCT campaign_id FROM ("
        "SELECT 'jobs', campaign_id, service, replace(status, 'PROCESSING', 'PENDING'), 1, 0 FROM job_rows UNION ALL "
        "SELECT 'jobs', campaign_id, service, status, number, 0 FROM pruned_jobs UNION ALL "
        "SELECT 'jobs', campaign_id, service, status, -number, 0 FROM job_tallies UNION ALL "
        "SELECT 'leads', campaign_id, state, stage, 1, 0 FROM leads UNION ALL "
        "SELECT 'leads', campaign_id, state, stage, -number, 0 FROM lead_tallies UNION ALL "
        "SELECT 'calls', coalesce(campaign_id, 0), service, (admitted_at AT TIME ZONE 'UTC')::date::text, 1, cost_usd "
        "FROM vendor_calls UNION ALL "
        "SELECT 'calls', campaign_id, service, day::text, number, cost_usd FROM pruned_calls UNION ALL "
        "SELECT 'calls', campaign_id, service, day::text, -number, -cost_usd FROM call_tallies"
        ") AS both_ways (of, campaign_id, a, b, number, cost) GROUP BY of, campaign_id, a, b "
        "HAVING sum(number) <> 0 OR sum(cost) <> 0 ORDER BY 1",
        "campaigns have other jobs, leads or calls than their tallies say (`reconcile --recount` mends those): {}",
    ),
    "failures_wrong": (
        # What a failure cost is not asked: a call that is booked after it, for the first time, is not added.
        f"SELECT DISTINCT campaign_id FROM (SELECT 'rows', {OF_FAILURE}, 1, 0, mark FROM failed_jobs "  # noqa: S608
        f"UNION ALL SELECT 'rows', {OF_FAILURE}, -1, 0, -mark FROM failures "
        f"UNION ALL SELECT 'sums', {OF_FAILURE}, 1, cost_usd, mark FROM failures "
        f"UNION ALL SELECT 'sums', {OF_FAILURE}, -number, -cost_usd, -marks FROM failure_tallies"
        f") AS both_ways (of, {OF_FAILURE}, number, cost, mark) GROUP BY of, {OF_FAILURE} "
        "HAVING sum(number) <> 0 OR sum(cost) <> 0 OR sum(mark) <> 0 ORDER BY 1",
        "campaigns have other failures than their groups say (`reconcile --recount` mends those): {}",
    ),
}


def reconcile() -> list[Finding]:
    """Find everything that does not add up; empty when the books balance. Raises RedisUnavailable."""
    findings = [finding for name in QUERIES if (finding := _query(name))]
    for check in (_stores_agree, _openings_on_record):
        findings += check()
    return findings


def uncertain() -> str:
    """Say what the ledger cannot know, in one sentence; '' if every call was answered. Not a fault of the books."""
    sums = spend.in_all()
    if not sums.may_be_charged:
        return ""
    return (
        f"{sums.may_be_charged} calls were sent and their answers lost: up to ${sums.may_cost_usd:.4f} more "
        "may have been charged. Compare with the vendors' bills."
    )


def _query(name: str) -> Finding | None:
    sql, text = QUERIES[name]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), (array_agg(id))[1:{EXAMPLES}] FROM ({sql}) AS wrong (id)")  # noqa: S608
        count, examples = cursor.fetchone()
    if not count:
        return None
    return Finding(name, count, f"{count} {text.format(', '.join(map(str, examples)))}")


def _stores_agree() -> list[Finding]:
    snapshot, rows = switch.read_all(), {row.key for row in pauses.all_standing()}
    disagreements = []
    for key in sorted(rows ^ set(snapshot.pauses)):
        where, not_where = ("PostgreSQL", "Redis") if key in rows else ("Redis", "PostgreSQL")
        disagreements.append(Finding("stores_disagree", 1, f"The pause {key} stands in {where} and not in {not_where}"))
    unreset = incidents.unreset()
    for service in SERVICES:
        state = snapshot.breakers[service].state
        if state == "lost":
            disagreements.append(Finding("stores_disagree", 1, f"The breaker state of {service} is missing in Redis"))
        elif (state == "closed") == (service in unreset):
            where = "an incident not yet reset" if service in unreset else "no open incident"
            disagreements.append(
                Finding("stores_disagree", 1, f"The {service} breaker is {state} in Redis, PostgreSQL has {where}")
            )
        queue = snapshot.queue.get(service)
        shut = bool(rows & {"system", "operator:all", f"operator:{service}"})
        if queue != ("PAUSED" if shut else "ACTIVE"):
            disagreements.append(
                Finding("stores_disagree", 1, f"The queue of {service} is {queue} in Redis, the pauses say otherwise")
            )
    if not snapshot.sealed:
        disagreements.append(
            Finding("stores_disagree", 1, "Redis has restarted and was not compared with PostgreSQL since")
        )
    return disagreements


def _openings_on_record() -> list[Finding]:
    return [
        Finding("opening_without_incident", 1, f"The opening of {state.service} has no incident")
        for state in switch.read_all().breakers.values()
        if state.state in ("open", "half_open") and incidents.of_opening(state) is None
    ]


CHECKS: tuple[str, ...] = (*QUERIES, "stores_disagree", "opening_without_incident")
