"""The same people in two campaigns, and workers that die: as many pushes by the sandbox's bill as people.

`CONTACTS` says how many people (default 10,000).
"""

import csv
import os
import signal

import pytest

from local.drill import ENVIRONMENT, Drill
from local.stack import Stack

PEOPLE = int(os.environ.get("CONTACTS", "10000"))
WIDE = {name: "1000000/1" for name in ENVIRONMENT if name.endswith("_RATE_LIMITS")}


@pytest.fixture
def drill(tmp_path):
    env = {**ENVIRONMENT, **WIDE, "LOG_LEVEL": "WARNING"}
    with Stack(tmp_path, env=env, processes=8, threads=4, durable=True) as stack:
        drill = Drill(stack)
        yield drill
        drill.database.close()


def campaigns(drill, tmp_path):
    path = tmp_path / "people.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["First Name", "Company", "Email"])
        rows.writerows([f"Ida{n}", f"Acme {n}", f"ida{n}+ok@acme{n}.example"] for n in range(PEOPLE))
    return [str(drill.command("campaign", "create", name, "--csv", str(path))["id"]) for name in ("One", "Two")]


def bill_of_pushes(drill):
    instantly = drill.control("bill")["instantly"]
    assert not instantly["added_more_than_once"]
    assert not instantly["keys_charged_more_than_once"]
    return instantly["charged"]


@pytest.mark.chaos
@pytest.mark.parametrize("policy", ["exclusive", "shared"])
def test_eight_workers_push_each_person_of_two_campaigns_once(drill, tmp_path, policy):
    pair = campaigns(drill, tmp_path)
    if policy == "shared":  # both pay for everybody, and the push alone decides
        for pk in pair:
            drill.command("campaign", "contact-policy", pk, "--exclusive", "no", "--reason", "to meet at the push")
    for pk in pair:
        drill.command("campaign", "start", pk)
    pushed = "SELECT count(*) FROM leads WHERE state = 'PUSHED'"
    drill.until("a tenth is pushed", lambda: drill.value(pushed) >= PEOPLE // 10, within=1800)
    (worker,) = drill.rows("SELECT name FROM processes WHERE role = 'worker' ORDER BY name LIMIT 1")[0]
    os.kill(int(worker.rpartition(":")[2]), signal.SIGKILL)
    over = "SELECT count(*) FROM campaigns WHERE status = 'COMPLETED'"
    drill.until("both have ended", lambda: drill.value(over) == 2, within=7200)
    assert drill.value(pushed) == PEOPLE
    assert drill.value("SELECT count(*) FROM leads WHERE state = 'DROPPED'") == PEOPLE
    assert bill_of_pushes(drill) == PEOPLE
    if policy == "exclusive":
        assert (
            drill.value("SELECT count(*) FROM vendor_calls WHERE campaign_id = %s AND kind <> 'prepare'", pair[1]) == 0
        )
    assert drill.stack.manage("reconcile").returncode == 0
