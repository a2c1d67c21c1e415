"""The whole chain for one call: a real job, the gate in Redis, the vendor in the sandbox, the rows in PostgreSQL."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from pytest_django import Settings

from campaigns.models import Campaign, JobRow, Lead, VendorCall
from circuitbreakers import breaker, events, switch
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.workspace import campaign_id
from integrations.sandbox.world import people
from tests.builders import ago, make_campaign, make_fleet, make_job, make_lead
from tests.stores import break_vendor, calls_of, put_in_step
from workers.run import run

ANN = events.Actor("ann", "test")
TARGET = campaign_id("Founders")  # stands in every sandbox
# The job whose call is the paid one of its service.
KINDS = {
    "apollo": "reveal",
    "millionverifier": "verify",
    "perplexity": "research",
    "openai": "write",
    "instantly": "push",
}
MAIL = {
    "research": "Acme sells arms for robots.",
    "mail_subject": "A question about your robots",
    "mail_body": "Hello Ida, you sell arms. Who looks after the paperwork? Kind regards",
}
_people = itertools.cycle(range(people.PEOPLE))
_last_ten: set[str] = set()


def ten_people() -> list[str]:
    """Ids of ten that enrichment knows and has an address of, each of their own, also beside the ten before."""
    found: dict[str, str] = {}
    for number in _people:
        person = people.person(number)
        if person.matched and person.email and person.email not in found and person.email not in _last_ten:
            found[person.email] = person.id
        if len(found) == 10:
            break
    _last_ten.clear()
    _last_ten.update(found)
    return list(found.values())


def job_of(service: str, campaign: Campaign | None = None, **lead: Any) -> JobRow:
    """A due job of that service's paid call, in a campaign that runs."""
    campaign = campaign or make_campaign(instantly_campaign_id=TARGET)
    kind = KINDS[service]
    if service == "apollo":
        return make_job(campaign, kind, payload={"people": ten_people()}, part=campaign.job_rows.count(), run_at=ago(1))
    return make_job(campaign, kind, lead=make_lead(campaign, stage=kind, **{**MAIL, **lead}), run_at=ago(1))


def again(job: JobRow) -> str:
    """Run it as if all that it waits for had passed: its backoff and the gate's."""
    gate = f"circuit_gate:{job.service}"
    if switch.client().hexists(gate, "blocked_until"):
        # Just now, and not long ago: after a quiet minute throttling would begin anew.
        just_now = int(switch.read_all().now.timestamp() * 1_000_000) - 1000
        switch.client().hset(gate, "blocked_until", str(just_now))
    JobRow.objects.filter(pk=job.pk, status="PENDING").update(run_at=ago(1))
    return run(job.pk, job.service)


@contextmanager
def from_scratch(sandbox: Sandbox) -> Iterator[None]:
    """Everything in here begins with closed breakers and well vendors, and is gone afterwards."""
    with transaction.atomic():
        put_in_step()
        for vendor in sandbox.vendors:
            vendor.forget()
            break_vendor(sandbox, vendor.name, "none")
        sandbox.ledger.clear()
        yield
        transaction.set_rollback(True)


def patience(settings: Settings, service: str, seconds: float) -> None:
    """How long an answer of that service is waited for."""
    settings.VENDORS[service] = {**settings.VENDORS[service], "read_timeout": seconds, "deadline": seconds}


def recover(sandbox: Sandbox, service: str) -> None:
    """The vendor is well again, and people bring everything back as they must."""
    from campaigns import recovery

    break_vendor(sandbox, service, "none")
    if switch.read(service).state == "closed":
        return
    make_fleet()
    breaker.reset(service, actor=ANN)
    recovery.resume(actor=ANN)


def charged(sandbox: Sandbox, service: str) -> float:
    """Units on the vendor's bill, once every call has ended there: a client that gives up is noticed a little later."""
    until = time.monotonic() + 10
    while any(call["ended"] is None for call in calls_of(sandbox, service)):
        assert time.monotonic() < until, "a call never ended at the vendor"
        time.sleep(0.01)
    return sum(float(call["charged"]) for call in calls_of(sandbox, service))


def booked(job: JobRow) -> float:
    """Units on our own books, as the vendors count them: credits, or answers with a text."""
    calls = VendorCall.objects.filter(job=job)
    if job.service in ("perplexity", "openai"):
        return calls.filter(tokens_out__gt=0, cost_usd__gt=0).count()
    return float(sum(call.credits for call in calls))


def fate(job: JobRow) -> str:
    """What has become of whom the job is for."""
    if job.lead is None:
        number = Lead.objects.filter(campaign=job.campaign_id, state="OPEN").count()
        return f"{number or 'no'} leads"
    job.lead.refresh_from_db()
    if job.lead.state != "OPEN":
        return job.lead.state
    return f"goes on to {job.lead.stage}" if job.lead.stage != job.kind else f"waits at {job.kind}"


__all__ = ["ANN", "KINDS", "SERVICES", "TARGET", "again", "booked", "charged", "fate", "from_scratch", "job_of"]
