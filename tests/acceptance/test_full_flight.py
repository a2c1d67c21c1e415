"""Twenty trips in full flight, with three worker processes of eight threads."""

import csv
import itertools
from collections import Counter

import pytest

TRIPS = 20
STAGES = {"verify": "millionverifier", "research": "perplexity", "write": "openai", "push": "instantly"}
SERVICES = tuple(STAGES.values())
LEADS = 1200
ENOUGH = 40  # leads that are to meet a broken vendor, so that it opens before they run out

LATE = """
SELECT count(*) FROM vendor_calls v JOIN incidents i ON v.admitted_at > i.opened_at
JOIN queue_pauses p ON p.id = i.pause_id WHERE v.admitted_at < p.ended_at
"""
PAUSES = """
SELECT extract(epoch FROM min(i.opened_at)), extract(epoch FROM p.ended_at) FROM queue_pauses p
JOIN incidents i ON i.pause_id = p.id GROUP BY p.id
"""


@pytest.fixture(scope="module")
def leads(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["First Name", "Last Name", "Title", "Company", "Email"])
        for n in range(LEADS):
            writer.writerow([f"Ida{n}", "Locke", "CTO", f"Acme {n}", f"ida{n}@acme{n}.example"])
    return path


def trip(drill, operator, service):
    """Break `service` until everything is paused, mend it, reset, resume."""
    before = drill.value("SELECT count(*) FROM incidents")
    drill.control(service, {"fault": "server_error"})
    drill.until("the breaker opens", lambda: drill.value("SELECT count(*) FROM incidents") > before)
    drill.control(service, {"fault": "none"})
    drill.until("nothing runs", lambda: drill.value("SELECT count(*) FROM campaigns WHERE status = 'RUNNING'") == 0)
    drill.until(
        "every unfinished job is paused",
        lambda: drill.value("SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')") == 0,
    )
    for (shut,) in drill.rows("SELECT DISTINCT service FROM incidents WHERE reset_at IS NULL"):
        operator(f"queue-management/circuit-breakers/{shut}/reset", reason="mended")
    assert drill.value("SELECT count(*) FROM campaigns WHERE status = 'RUNNING'") == 0
    drill.until("a resume is possible", lambda: operator("queue-management/resume-queue")["ready"])
    assert operator("queue-management/resume-queue", reason="mended", all_at_once=True)["queue_resumed"]


def still_to_come(drill, service):
    """Leads that have this service's call before them."""
    stages = list(STAGES)[: SERVICES.index(service) + 1]
    return drill.value("SELECT count(*) FROM leads WHERE state = 'OPEN' AND stage = ANY(%s)", ["", *stages])


@pytest.mark.processes
def test_no_call_slips_through_and_nothing_is_lost_or_paid_twice(drill, operator, leads):
    drill.command("campaign", "create", "Full flight", "--csv", str(leads), "--start")
    trips = Counter()
    for service in itertools.cycle(SERVICES):
        if trips.total() == TRIPS:
            break
        if still_to_come(drill, service) < ENOUGH:
            assert still_to_come(drill, SERVICES[-1]) >= ENOUGH, f"only {trips} trips"
            continue
        trip(drill, operator, service)
        trips[service] += 1
    assert set(trips) == set(SERVICES)
    drill.until("the campaign ends", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED")

    assert drill.value("SELECT count(DISTINCT pause_id) FROM incidents") == TRIPS
    assert drill.value(LATE) == 0
    calls = [call for call in drill.control("calls?since=0") if not call["probe"]]
    pauses = [(float(opened), float(ended)) for opened, ended in drill.rows(PAUSES)]
    assert [c for c in calls if any(opened + 1 < c["at"] < ended for opened, ended in pauses)] == []

    assert drill.value("SELECT count(*) FROM leads") == LEADS
    assert drill.value("SELECT count(*) FROM leads WHERE state = 'OPEN'") == 0
    assert drill.command("reconcile")["balanced"]
    # The sandbox's bill equals our ledger, call by call and charge by charge.
    bill = drill.control("bill")
    for service, entry in bill.items():
        assert entry["calls"] - entry["probes"] == drill.value(
            "SELECT count(*) FROM vendor_calls WHERE service = %s", service
        ) or entry["calls"] == drill.value("SELECT count(*) FROM vendor_calls WHERE service = %s", service)
        assert entry["keys_charged_more_than_once"] == {}
    # No paid answer was thrown away: as many successes in the ledger as charges that answer with one each.
    for service in ("perplexity", "openai", "instantly"):
        assert bill[service]["charged"] == drill.value(
            "SELECT count(*) FROM vendor_calls WHERE service = %s AND outcome = 'success' AND kind <> 'prepare'",
            service,
        )
