"""Fault by fault, for all five services: what happens. The tables in docs/vendors.md are what this finds.

`UPDATE_DOCS=1 .venv/bin/python -m pytest tests/workers/test_fault_table.py` writes them; else they must agree.
"""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings as project
from pytest_django import Settings

from campaigns.models import JobRow, VendorCall
from circuitbreakers import gate, switch
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from integrations.sandbox.faults import FAULTS
from tests.builders import make_campaign, shown
from tests.stores import break_vendor
from tests.workers.chain import TARGET, again, booked, charged, fate, from_scratch, job_of, patience, recover

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]

DOCS = Path(project.BASE_DIR) / "docs" / "vendors.md"
HEAD = [
    "| fault | classed as | HTTP | counts | opens | attempts | the job then | if every call fails so"
    " | if the next call works | charged / booked |",
    "|---|---|---|---|---|---|---|---|---|---|",
]
WAITING_FOR_A_PERSON = {"quota_exhausted", "auth"}
# Nothing comes back under it, so that it is short; the bill is read after a call that had time to arrive.
IMPATIENT, LONG_ENOUGH_TO_ARRIVE = 0.1, 0.3


def persisting(sandbox: Sandbox, service: str, fault: str) -> dict[str, str]:
    """One job after another meets the fault, each once, until the breaker opens; seven are enough to see that it
    does not."""
    campaign = make_campaign(instantly_campaign_id=TARGET)
    first = job_of(service, campaign)
    others = [job_of(service, campaign) for _ in range(6)]
    break_vendor(sandbox, service, fault)
    again(first)
    state = switch.read(service)
    first.refresh_from_db()
    call = VendorCall.objects.get(job=first)
    assert call.campaign_id == campaign.pk
    row = {
        "classed": call.outcome,
        "http": str(call.http_status or "-"),
        "counts": "yes" if state.failure_count else "no",
        "opens": "at once" if state.state == "open" else "",
        "attempts": str(first.attempts),
        "then": shown(first).status.replace("PENDING", "PENDING, later"),
    }
    for number, job in enumerate(others, start=2):
        if row["opens"]:
            break
        again(job)
        if switch.read(service).state == "open":
            row["opens"] = f"at the {number}th"
    if call.outcome == "rate_limit" and not row["opens"]:
        row["opens"] = opens_when_throttled_for_long(service, others[-1])
    return row | {"opens": row["opens"] or "no"}


def opens_when_throttled_for_long(service: str, job: JobRow) -> str:
    since = float(switch.client().hget(f"circuit_gate:{service}", "throttled_since") or 0)
    switch.client().hset(f"circuit_gate:{service}", "throttled_since", f"{since - 901_000_000:.0f}")
    again(job)
    return "after 15 min" if switch.read(service).state == "open" else ""


def every_call_fails(sandbox: Sandbox, service: str, fault: str) -> str:
    """The same job meets it again and again, while the calls of others succeed."""
    job = job_of(service)
    break_vendor(sandbox, service, fault)
    for number in range(1, 8):
        again(job)
        gate.record_success(service)
        job.refresh_from_db()
        if job.status != "PENDING":
            lead = fate(job)
            return f"{job.status} after {number} calls, {lead if job.lead is None else f'the lead {lead}'}"
    return fate(job)


def next_call_works(sandbox: Sandbox, service: str, fault: str) -> tuple[str, str]:
    """The vendor is well after one failed call; where that stopped the system, people reset and resume."""
    job = job_of(service)
    break_vendor(sandbox, service, fault)
    again(job)
    recover(sandbox, service)
    again(job)
    return fate(job), f"{charged(sandbox, service):g} / {booked(job):g}"


def measure(sandbox: Sandbox, settings: Settings, service: str, fault: str) -> str:
    well = settings.VENDORS[service]["read_timeout"]
    patience(settings, service, IMPATIENT if fault == "timeout" else 10.0)
    with from_scratch(sandbox):
        row = persisting(sandbox, service, fault)
    if row["classed"] in WAITING_FOR_A_PERSON:
        row["every"] = "waits for reset and resume"
    elif row["classed"] == "rate_limit":
        row["every"] = "waits, gate shut"
    else:
        with from_scratch(sandbox):
            row["every"] = every_call_fails(sandbox, service, fault)
    patience(settings, service, LONG_ENOUGH_TO_ARRIVE if fault == "timeout" else 10.0)
    with from_scratch(sandbox):
        row["next"], row["money"] = next_call_works(sandbox, service, fault)
    patience(settings, service, well)
    cells = [
        f"`{fault}`",
        f"`{row['classed']}`",
        row["http"],
        row["counts"],
        row["opens"],
        row["attempts"],
        row["then"],
        row["every"],
        row["next"],
        row["money"],
    ]
    return f"| {' | '.join(cells)} |"


def section(service: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- faults of {service} -->\n).*?(<!-- end -->\n)", re.DOTALL)


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_of_faults_is_what_happens(service: str, sandbox: Sandbox, settings: Settings) -> None:
    rows = [measure(sandbox, settings, service, fault) for fault in FAULTS if fault != "none"]
    table = "\n".join([*HEAD, *rows]) + "\n"
    text = DOCS.read_text()
    found = section(service).search(text)
    assert found, f"docs/vendors.md has no place for the faults of {service}"
    if os.environ.get("UPDATE_DOCS"):
        DOCS.write_text(section(service).sub(lambda match: f"{match[1]}{table}{match[2]}", text))
    else:
        assert found[0].splitlines()[1:-1] == table.splitlines()
