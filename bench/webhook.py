"""The webhook keeps each of 1,000 events that arrive in ten seconds, and answers at once."""

import json
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.measured import Limit, Measured
from campaigns.outcome_intake import HOOK_PATH, SECRET_HEADER
from local.drill import ENVIRONMENT, Drill
from local.stack import Stack

EVENTS, SECONDS, AT_ONCE = 1000, 10.0, 4
LIMIT = 50.0  # milliseconds, at the 99th percentile
TEXT = "x" * 2000  # a mail's


def run() -> Measured:
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Stack(Path(folder), durable=True, env=ENVIRONMENT) as stack,
    ):
        drill = Drill(stack)
        took = deliver_all(stack)
        kept = drill.value("SELECT count(*) FROM outcome_events")
        drill.database.close()
    cuts = statistics.quantiles(took, n=100)
    limits = [
        Limit(f"the webhook's answer to {EVENTS:,} events in {SECONDS:.0f} s, 99th percentile", cuts[98], LIMIT, "ms"),
        Limit("events kept of those sent", kept / EVENTS, 1, at_least=True),
    ]
    times = {"median ms": cuts[49], "95 % ms": cuts[94], "99 % ms": cuts[98], "at worst ms": max(took)}
    return Measured(limits, [{"events": EVENTS, "seconds": SECONDS, "senders": AT_ONCE, **times}])


def deliver_all(stack: Stack) -> list[float]:
    """Deliver the events evenly over the seconds, as Instantly would; milliseconds until each answer."""
    url = f"{stack.web_url}{HOOK_PATH}{stack.env['INSTANTLY_WEBHOOK_PATH']}"
    headers = {SECRET_HEADER: stack.env["INSTANTLY_WEBHOOK_SECRET"], "Content-Type": "application/json"}
    own = threading.local()
    began = time.monotonic()

    def deliver(number: int) -> float:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        time.sleep(max(0.0, began + number * SECONDS / EVENTS - time.monotonic()))
        event = {
            "event_type": "email_opened",
            "lead_email": f"ida{number % 7}@acme.example",
            "campaign_id": "none of ours",
            "timestamp": "2026-11-02T08:00:00Z",
            "email_id": str(number),
            "email_text": TEXT,
        }
        started = time.monotonic()
        own.session.post(url, data=json.dumps(event), headers=headers, timeout=10).raise_for_status()
        return (time.monotonic() - started) * 1000

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(deliver, range(EVENTS)))
