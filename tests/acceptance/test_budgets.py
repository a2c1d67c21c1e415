"""Budgets against three worker processes of eight threads: no call more than allowed, by the sandbox's own bill."""

import csv
import os
from decimal import Decimal

import pytest
import redis

# The suite's is a short form; with BUDGET_CALLS=1000 it takes minutes.
CALLS = int(os.environ.get("BUDGET_CALLS", "120"))
LEADS = 2 * CALLS
CAMPAIGN = "campaign:1"


@pytest.fixture(scope="module")
def leads(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["First Name", "Last Name", "Title", "Company", "Email"])
        rows.writerows([f"Ida{n}", "Locke", "CTO", f"Acme {n}", f"ida{n}@acme{n}.example"] for n in range(LEADS))
    return path


def billed(drill):
    """Calls that arrived at the vendors, but for the free ones of probes and of the supervisor."""
    return sum(not call["probe"] for call in drill.control("calls?since=0"))


def booked(drill):
    return drill.value("SELECT count(*) FROM vendor_calls")


def allow(drill, reason, *limits):
    drill.command("budget", "set", CAMPAIGN, "total", *limits, "--reason", reason)


def until_it_waits(drill):
    """The campaign is held, nothing is in flight, nobody's fate is unknown, and no room came back meanwhile."""
    switch = redis.Redis.from_url(f"{drill.stack.redis_url}/0", decode_responses=True)

    def waits():
        held = drill.value("SELECT budget_halt FROM campaigns WHERE id = 1")
        out = drill.value("SELECT count(*) FROM job_rows WHERE status = 'PROCESSING'")
        counted = switch.hgetall("circuit_budgets")
        unknown = [field for field in counted if "claim|" in field]
        return bool(held) and not out and not unknown and is_full(counted)

    def is_full(counted):
        budget, usd, calls, needs = drill.rows("SELECT id, limit_usd, limit_calls, halt_needs FROM budgets")[0]
        counter = f"{CAMPAIGN}|{budget}|total|"
        if f"{counter}calls" not in counted:
            return True  # all was made before Redis lost it, and nobody has asked since: the next one counts anew
        spent = {name: int(counted[f"{counter}{name}"]) for name in ("usd", "calls")}
        return spent["calls"] == calls or (usd is not None and spent["usd"] + needs > usd * 1_000_000)

    drill.until("the campaign waits for its budget", waits, within=300)


@pytest.mark.processes
def test_a_budget_of_calls_is_kept_to_the_call(drill, leads):
    drill.command("campaign", "create", "Held", "--csv", str(leads))
    allow(drill, "a first part", "--calls", str(CALLS))
    drill.command("campaign", "start", "1")
    until_it_waits(drill)
    assert (billed(drill), booked(drill)) == (CALLS, CALLS)
    assert drill.value("SELECT count(*) FROM job_rows WHERE attempts > 0 OR status = 'FAILED'") == 0
    status = drill.stack.manage("campaign", "status", "1").stdout
    assert f"held: this campaign's budget of {CALLS:,} calls is used up" in status


@pytest.mark.processes
def test_redis_killed_and_emptied_in_the_middle_changes_nothing(drill):
    allow(drill, "a second part", "--calls", str(2 * CALLS))
    drill.until("half of them are made", lambda: billed(drill) >= CALLS + CALLS // 2, within=300)
    redis.Redis.from_url(drill.stack.redis_url).flushall()
    drill.stack.child("valkey").kill()
    drill.until("Redis is back", lambda: drill.stack.child("valkey").alive)
    drill.until("all are made", lambda: billed(drill) >= 2 * CALLS, within=300)
    until_it_waits(drill)
    assert (billed(drill), booked(drill)) == (2 * CALLS, 2 * CALLS)


@pytest.mark.processes
def test_a_budget_in_usd_is_passed_by_nothing(drill):
    spent = drill.value("SELECT sum(cost_usd + may_cost_usd) FROM vendor_calls")
    limit = (spent * Decimal("1.3")).quantize(Decimal("0.01"))
    allow(drill, "in money", "--usd", str(limit))
    until_it_waits(drill)
    spent_in_all = drill.value("SELECT sum(cost_usd + may_cost_usd) FROM vendor_calls")
    refused = Decimal(drill.value("SELECT halt_needs FROM budgets")) / 1_000_000
    assert limit - refused < spent_in_all <= limit
    assert drill.value("SELECT count(*) FROM leads WHERE state = 'FAILED'") == 0
    drill.command("budget", "remove", CAMPAIGN, "total", "--reason", "enough")
    drill.until("it goes on", lambda: drill.value("SELECT budget_halt FROM campaigns WHERE id = 1") == "")
