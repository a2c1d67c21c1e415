"""Budgets against three worker processes of eight threads: not one call more than allowed, by the sandbox's own bill."""

import csv
import os
from decimal import Decimal

import pytest
import redis

# `make chaos` takes the thousand; the suite a short form of the same.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
CALLS = 1000 if LONG else 120
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
    """The campaign is held, nothing is in flight, and nobody's fate is unknown."""
    switch = redis.Redis.from_url(f"{drill.stack.redis_url}/0", decode_responses=True)

    def waits():
        held = drill.value("SELECT budget_halt FROM campaigns WHERE id = 1")
        out = drill.value("SELECT count(*) FROM job_rows WHERE status = 'PROCESSING'")
        unknown = [field for field in switch.hkeys("circuit_budgets") if "claim|" in field]
        return bool(held) and not out and not unknown

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
    assert limit - Decimal("0.05") < spent_in_all <= limit
    assert drill.value("SELECT count(*) FROM leads WHERE state = 'FAILED'") == 0
    drill.command("budget", "remove", CAMPAIGN, "total", "--reason", "enough")
    drill.until("it goes on", lambda: drill.value("SELECT budget_halt FROM campaigns WHERE id = 1") == "")
