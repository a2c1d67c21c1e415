"""The guards of what must hold, each with the test that turns red without it: `make sabotage` takes out each."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "circuitbreakers/scripts"
CONTRACT = "tests/circuitbreakers/test_redis_contract.py"


class Guard(NamedTuple):
    """A guard keeps a property: `text` stands in `file` just once, and with `instead` in its place `test` fails."""

    keeps: str
    file: str
    text: str
    instead: str
    test: str


GUARDS = (
    Guard(
        "no call is admitted while a breaker is open",
        f"{SCRIPTS}/admit.lua",
        "if state ~= 'closed' then return {'open'} end",
        "",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "no call is admitted while the queue is paused",
        f"{SCRIPTS}/admit.lua",
        "if not tries then return {'paused'} end",
        "",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "a server that started anew admits nothing before it was compared",
        f"{SCRIPTS}/admit.lua",
        "or not status or not sealed() then",
        "or not status then",
        "tests/circuitbreakers/test_rebuild.py",
    ),
    Guard(
        "a claim's number is admitted once",
        f"{SCRIPTS}/admit.lua",
        "if before then return {'seen', digits(tonumber(before))} end",
        "",
        "tests/circuitbreakers/test_gate_memory.py",
    ),
    Guard(
        "a budget has room, or the call waits",
        f"{SCRIPTS}/admit.lua",
        "(most_usd and usd + most > most_usd)",
        "false",
        "tests/workers/test_budgets.py",
    ),
    Guard(
        "an opening pauses everything in the same step",
        f"{SCRIPTS}/common.lua",
        "  pause_all(now, SERVICE)\n  return {'opened', epoch",
        "  return {'opened', epoch",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "a call is settled once",
        f"{SCRIPTS}/record.lua",
        "if not admitted_at then return {'duplicate'} end",
        "admitted_at = admitted_at or '0'",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "a late answer does not touch a breaker that moved on",
        f"{SCRIPTS}/record.lua",
        "if state ~= 'closed' or (epoch ~= '' and epoch ~= present) then",
        "if state ~= 'closed' then",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "a reset closes just the opening that was probed",
        f"{SCRIPTS}/reset.lua",
        "if digits(tonumber(opening or '') or 0) ~= ARGV[4] then return {'moved'} end",
        "",
        "tests/circuitbreakers/test_verbs.py",
    ),
    Guard(
        "what is held is not reset",
        f"{SCRIPTS}/reset.lua",
        "if held == '1' then return {'held'} end",
        "",
        "tests/circuitbreakers/test_verbs.py",
    ),
    Guard(
        "the system pause goes only when all breakers are closed",
        f"{SCRIPTS}/activate.lua",
        "if state ~= 'closed' and ARGV[3] == 'system' then return {'not_closed', name} end",
        "",
        "tests/circuitbreakers/test_properties.py",
    ),
    Guard(
        "a breaker that moved since the check keeps the queue paused",
        f"{SCRIPTS}/activate.lua",
        "if ARGV[3 + i] ~= '' and ARGV[3 + i] ~= epoch then return {'moved', name} end",
        "",
        "tests/campaigns/test_recovery.py",
    ),
    Guard(
        "only a server that was compared is sealed",
        f"{SCRIPTS}/seal.lua",
        "if ARGV[3] ~= run_id() then return {'restarted'} end",
        "",
        "tests/circuitbreakers/test_rebuild.py",
    ),
    Guard(
        "a server that could not be compared is not sealed",
        "circuitbreakers/rebuild.py",
        '    if failed:\n        logger.error("Redis started anew and is not sealed',
        '    if False:\n        logger.error("Redis started anew and is not sealed',
        "tests/circuitbreakers/test_rebuild.py",
    ),
    Guard(
        "an opening that nobody announced is finished by the supervisor",
        "circuitbreakers/rebuild.py",
        "    finish_announcement(state)\n    return 1",
        "    return 1",
        "tests/workers/test_supervisor.py",
    ),
    Guard(
        "a pause that only Redis knows is written down",
        "circuitbreakers/rebuild.py",
        'comparison.mend(f"the pause {key}", partial(_keep_pause, key, value, snapshot))',
        "pass",
        "tests/circuitbreakers/test_rebuild.py",
    ),
    Guard(
        "one incident an opening",
        "circuitbreakers/incidents.py",
        "    if _of(opening.service, opening.epoch):\n        return None",
        "    if False:\n        return None",
        "tests/campaigns/test_cascade.py",
    ),
    Guard(
        "every running campaign is paused by an opening",
        "campaigns/cascade.py",
        "            paused = pause_running(opening.service, incident)",
        "            paused: list[int] = []",
        "tests/campaigns/test_cascade.py",
    ),
    Guard(
        "a reset must be preceded by a probe",
        "circuitbreakers/breaker.py",
        "        _require_probe(service, actor, reason, force)\n        finish_announcement(state)",
        "        finish_announcement(state)",
        "tests/circuitbreakers/test_verbs.py",
    ),
    Guard(
        "a resume needs all that the plan lists",
        "campaigns/recovery.py",
        "    if not plan.ready:\n",
        "    if False:\n",
        "tests/campaigns/test_recovery.py",
    ),
    Guard(
        "a resume stops when a breaker opens meanwhile",
        "campaigns/recovery.py",
        "                if again or pauses.standing(QueuePause.SYSTEM):",
        "                if False:",
        "tests/campaigns/test_recovery.py",
    ),
    Guard(
        "a job of a paused campaign is not claimed",
        "campaigns/statements.py",
        "RUNS = \"c.status = 'RUNNING'\"",
        "RUNS = \"c.status IN ('RUNNING', 'PAUSED')\"",
        "tests/campaigns/test_paused_jobs.py",
    ),
    Guard(
        "a claim that was lost completes nothing",
        "campaigns/statements.py",
        "WHERE id = %(job)s AND fence = %(fence)s AND status = 'PROCESSING'\n    RETURNING lead_id, campaign_id",
        "WHERE id = %(job)s\n    RETURNING lead_id, campaign_id",
        "tests/campaigns/test_jobs.py",
    ),
    Guard(
        "a call is booked once",
        "campaigns/statements.py",
        "WHERE vendor_calls.outcome = 'unknown' AND excluded.outcome <> 'unknown'",
        "WHERE true",
        "tests/campaigns/test_jobs.py",
    ),
    Guard(
        "whoever is suppressed is not written to",
        "workers/run.py",
        "ready = SUPPRESSED if job.suppressed else call_for(job)",
        "ready = call_for(job)",
        "tests/workers/test_run.py",
    ),
    Guard(
        "a permit that is too old is not used",
        "workers/run.py",
        "if permit.stale() or lease_left < jobs.deadline(job.service) + LEASE_GUARD:",
        "if lease_left < jobs.deadline(job.service) + LEASE_GUARD:",
        "tests/workers/test_run.py",
    ),
    Guard(
        "a call that would outlive its lease is not made",
        "workers/run.py",
        "if permit.stale() or lease_left < jobs.deadline(job.service) + LEASE_GUARD:",
        "if permit.stale():",
        "tests/workers/test_run.py",
    ),
    Guard(
        "what a dead worker may have bought is flagged",
        "workers/reclaim.py",
        'error="The answer was lost", may_cost_usd=most_usd(job))',
        'error="The answer was lost")',
        "tests/workers/test_reclaim.py",
    ),
    Guard(
        "a dead lease is handed back",
        "workers/supervisor.py",
        '        Step("reclaim dead leases", reclaim.reclaim, every=1.0, limit=LONGEST, urgent=True),\n',
        "",
        "tests/workers/test_stopping.py",
    ),
    Guard(
        "one supervisor leads",
        "workers/leadership.py",
        "                if row and row[0]:",
        "                if row:",
        "tests/workers/test_supervisor.py",
    ),
    Guard(
        "a lost answer is flagged",
        "workers/attempt.py",
        "may_cost_usd=most_of(job, ready) if ended.may_be_charged else None,",
        "may_cost_usd=None,",
        "tests/workers/test_lost_answers.py",
    ),
    Guard(
        "no two campaigns push one person at a time",
        "workers/steps/push.py",
        "    if begun.busy:\n        return NotYet(BUSY_WAIT)\n",
        "",
        "tests/workers/test_contacts.py",
    ),
    Guard(
        "no two campaigns push one person one after the other",
        "workers/steps/push.py",
        '    if begun.refused:\n        return Done(end="DROPPED", end_reason=begun.refused, without_call=True)\n',
        "",
        "tests/workers/test_contacts.py",
    ),
    Guard(
        "a lead is looked for where it may have been pushed",
        "workers/steps/push.py",
        "    if not_in is not None and (former := former_target(job.campaign, not_in)):",
        "    if False and (former := former_target(job.campaign, not_in)):",
        "tests/workers/test_push.py",
    ),
    Guard(
        "a campaign does not end with leads that are open",
        "campaigns/finish.py",
        "        .exclude(Exists(_leads.filter(state=Lead.State.OPEN)))\n",
        "",
        "tests/campaigns/test_finish.py",
    ),
    Guard(
        "an operator's pause survives the queue's resume",
        "campaigns/recovery.py",
        "    running = [pk for pk, at in by_operator.items() if not at]\n",
        "    running = list(by_operator)\n",
        "tests/campaigns/test_recovery.py",
    ),
    Guard(
        "what the system paused, only the queue's resume brings back",
        "campaigns/lifecycle.py",
        "        if campaign.system_paused_at:\n            raise MoveRefused(",
        "        if False:\n            raise MoveRefused(",
        "tests/campaigns/test_lifecycle.py",
    ),
    Guard(
        "a group of failures is not retried or dropped when others are there than were shown",
        "campaigns/failures/plans.py",
        "if now != shown.figures:",
        "if False:",
        "tests/campaigns/test_failures.py",
    ),
    Guard(
        "a retry of a group takes no failure that came after it was shown",
        "campaigns/retry.py",
        '"begun": of.until}',
        '"begun": "infinity"}',
        "tests/campaigns/test_failures.py",
    ),
    Guard(
        "a drop of a group takes no failure that came after it was shown",
        "campaigns/failures/triage.py",
        "AND j.completed_at <= %(until)s AND",
        "AND",
        "tests/campaigns/test_failures.py",
    ),
)
