"""What comes back reaches the leads, with real processes on both sides, also while everything is paused."""

import csv
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

PEOPLE = [f"ida{number}+ok@acme{number}.example" for number in range(6)]
IN_FORCE = 5.0  # seconds after the webhook
ARRIVE, WITHIN, AT_ONCE = 1000, 10.0, 4


@pytest.fixture(scope="module")
def pushed(drill, tmp_path_factory):
    """A campaign that has pushed six people."""
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["First Name", "Last Name", "Title", "Company", "Email"])
        for number, email in enumerate(PEOPLE):
            writer.writerow(["Ida", "Locke", "CTO", f"Acme {number}", email])
    drill.command("campaign", "create", "Autumn", "--csv", str(path), "--start")
    drill.until("all are pushed", lambda: drill.value("SELECT count(*) FROM leads WHERE state = 'PUSHED'") == 6)


def happens(drill, event, email, **how):
    """That event happens at Instantly."""
    body = {"event": event, "email": email, **how}
    answer = requests.post(f"{drill.stack.sandbox_url}/_control/instantly/emit", json=body, timeout=10)
    assert answer.ok, answer.text


@pytest.mark.processes
def test_an_opt_out_is_in_force_within_seconds_also_while_everything_is_paused(drill, pushed):
    assert drill.command("instantly", "subscribe")["subscriptions"]
    assert drill.command("instantly", "check")["test"]["success"]
    drill.command("queue", "pause", "--all", "--reason", "a look at the books")
    for email in PEOPLE[:3]:
        happens(drill, "lead_unsubscribed", email, copies=2)
        took = drill.until(
            "it is in force",
            lambda email=email: drill.value("SELECT count(*) FROM suppressions WHERE value = %s", email) == 1,
        )
        assert took < IN_FORCE
    assert drill.value("SELECT count(*) FROM leads WHERE unsubscribed_at IS NOT NULL AND state = 'PUSHED'") == 3
    assert drill.value("SELECT count(*) FROM outcome_events WHERE kind = 'lead_unsubscribed'") == 3
    drill.command("queue", "resume", "--all")


DOMAINS = [f"race{number}.example" for number in range(5)]
EACH = 60
ANSWERS_AFTER = 0.3  # seconds, of Instantly


@pytest.mark.processes
def test_no_push_leaves_after_a_suppression_is_committed_nor_is_one_under_way_then(drill, tmp_path):
    """Workers push while the people they push are suppressed, a domain at a time."""
    path = tmp_path / "leads.csv"
    rows = [f"Ida,ida{number}+ok@{domain}" for number in range(EACH) for domain in DOMAINS]
    path.write_text("\n".join(["First Name,Email", *rows]))
    slow = {"fault": "none", "latency_ms": ANSWERS_AFTER * 1000}
    assert requests.put(f"{drill.stack.sandbox_url}/_control/instantly", json=slow, timeout=10).ok
    drill.command("campaign", "create", "Race", "--csv", str(path), "--start")
    listed = {}
    pushed = "SELECT count(*) FROM leads WHERE state = 'PUSHED' AND email LIKE %s"
    for domain in DOMAINS:
        drill.until("some are pushed", lambda d=domain: drill.value(pushed, f"%@{d}") >= 3)
        with ThreadPoolExecutor(1) as beside:
            command = beside.submit(drill.stack.manage, "suppression", "add", domain, "--reason", "a wish", check=True)
            while not drill.value("SELECT count(*) FROM suppressions WHERE value = %s", domain):
                assert not (command.done() and command.exception())
            listed[domain] = time.time()  # its commit was earlier than this
            command.result()
    drill.until("it ends", lambda: not drill.value("SELECT count(*) FROM leads WHERE state = 'OPEN'"), within=120)
    calls = [call for call in drill.control("calls?since=0") if call["service"] == "instantly" and not call["probe"]]
    pushes = [(call["key"].partition("@")[2], call["at"]) for call in calls if "@" in (call["key"] or "")]
    answered = [(domain, at + ANSWERS_AFTER) for domain, at in pushes if domain in listed]
    assert [push for push in answered if push[1] > listed[push[0]]] == []
    left_out = drill.value("SELECT count(*) FROM leads WHERE end_reason = 'suppressed' AND email LIKE '%%@race%%'")
    assert left_out > 0
    assert left_out + sum(domain in listed for domain, _ in pushes) == EACH * len(DOMAINS)


@pytest.mark.processes
def test_a_thousand_events_in_ten_seconds_are_each_kept_once_and_applied(drill, pushed):
    env = drill.stack.env
    url = f"{drill.stack.web_url}/hooks/instantly/{env['INSTANTLY_WEBHOOK_PATH']}"
    headers = {"X-Holdfast-Secret": env["INSTANTLY_WEBHOOK_SECRET"], "Content-Type": "application/json"}
    own = threading.local()
    began = time.monotonic()

    def deliver(number):
        if not hasattr(own, "session"):
            own.session = requests.Session()
        time.sleep(max(0.0, began + number * WITHIN / ARRIVE - time.monotonic()))
        body = {
            "event_type": "email_opened",
            "lead_email": PEOPLE[number % 6],
            "campaign_id": "none of ours",
            "timestamp": "2026-11-02T08:00:00Z",
            "email_id": str(number),
            "email_text": "x" * 2000,
        }
        return own.session.post(url, data=json.dumps(body), headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(deliver, range(ARRIVE)))
    assert set(answers) == {200}
    kept = "SELECT count(*) FROM outcome_events WHERE kind = 'email_opened'"
    assert drill.value(kept) == ARRIVE
    drill.until("all are applied", lambda: drill.value(f"{kept} AND applied_at IS NULL") == 0)
