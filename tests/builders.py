"""Rows to test with. What the constraints demand of a status is filled in; everything else is a default or given."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from campaigns.leads import suppression
from campaigns.models import Campaign, Job, JobRow, KnownFact, Lead, Process, VendorCall
from campaigns.pipeline import OF_CAMPAIGN, SERVICE_OF
from circuitbreakers.services import SERVICES

ENDED = ("COMPLETED", "FAILED", "CANCELLED")
numbers = itertools.count(1)


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def make_campaign(status: str = "RUNNING", **fields: Any) -> Campaign:
    """A campaign with a target at Instantly; a PAUSED one was paused by the system unless an operator is named."""
    if status != "CREATED":
        fields.setdefault("started_at", timezone.now())
    if status in ENDED:
        fields.setdefault("finished_at", timezone.now())
    if status == "PAUSED" and not fields.get("operator_paused_at"):
        fields.setdefault("system_paused_at", timezone.now())
        fields.setdefault("status_message", "System pause: apollo circuit breaker opened")
    fields.setdefault("name", f"Campaign {next(numbers)}")
    fields.setdefault("instantly_campaign_id", "a-target")
    return Campaign.objects.create(status=status, **fields)


def make_lead(campaign: Campaign | None = None, state: str = "OPEN", **fields: Any) -> Lead:
    """A lead whose address the sandbox finds deliverable."""
    number = next(numbers)
    fields.setdefault("email", f"person{number}+ok@acme.example")
    if state != "OPEN":
        fields.setdefault("ended_at", timezone.now())
    if state in ("DROPPED", "FAILED"):
        fields.setdefault("end_reason", "a reason")
    fields = {"first_name": "Ida", "last_name": "Locke", "title": "CTO", "company": "Acme",
              "company_domain": "acme.example", **fields}  # fmt: skip
    return Lead.objects.create(campaign=campaign or make_campaign(), state=state, **fields)


def make_job(campaign: Campaign | None = None, kind: str = "verify", status: str = "PENDING", **fields: Any) -> JobRow:
    """A job as it is stored, with a lead of its own if it needs one; a PROCESSING one is held by a worker with time
    left. PAUSED is one whose campaign is."""
    if kind not in OF_CAMPAIGN and "lead" not in fields:
        fields["lead"] = make_lead(campaign, stage=kind)
    if fields.get("lead") is not None:
        campaign = fields["lead"].campaign
    if status == "PROCESSING":
        fields = {"claimed_at": timezone.now(), "lease_until": ago(-60), "fence": 1, "worker": "host:1", **fields}
    if status in ENDED:
        fields.setdefault("completed_at", timezone.now())
    return JobRow.objects.create(
        campaign=campaign or make_campaign(), kind=kind, service=SERVICE_OF[kind], status=status, **fields
    )


def make_jobs(campaign: Campaign, count: int) -> list[JobRow]:
    """Many waiting jobs without a lead of their own."""
    return JobRow.objects.bulk_create(
        JobRow(campaign=campaign, kind="reveal", service="apollo", part=part) for part in range(count)
    )


def shown(job: JobRow) -> Job:
    """The job as everybody sees it now."""
    return Job.objects.get(pk=job.pk)


def make_call(job: JobRow, outcome: str = "success", **fields: Any) -> VendorCall:
    """What the ledger says of the job's last claim."""
    fields = {"fence": job.fence, "admitted_at": timezone.now(), **fields}
    return VendorCall.objects.create(
        job=job, campaign=job.campaign, service=job.service, kind=job.kind, outcome=outcome, **fields
    )


def make_process(role: str = "worker", **fields: Any) -> Process:
    """A process that has just said that it is alive; a worker serves every queue."""
    queues = list(SERVICES) if role == "worker" else []
    fields = {"name": f"{role}:{next(numbers)}", "queues": queues, "started_at": ago(3600), **fields}
    return Process.objects.create(role=role, **fields)


def make_fleet() -> None:
    """What a resume asks for: a live worker for every queue and a live supervisor."""
    make_process("worker")
    make_process("supervisor")


def make_user(name: str, role: str = "", **fields: Any) -> User:
    """A user with the password `correct horse`; one with a role is staff."""
    user = User.objects.create_user(name, **{"password": "correct horse", "is_staff": bool(role), **fields})
    if role:
        user.groups.add(Group.objects.get(name=role.capitalize()))
    return user


def make_verdict(email: str, result: str, **fields: Any) -> KnownFact:
    """Make a verdict that was bought before."""
    value = {"result": result, "subresult": result}
    return KnownFact.objects.create(key=f"verdict:{email}", about=email, value=value, **fields)


def is_suppressed(address: str) -> bool:
    """Say whether nobody writes there."""
    return suppression.check([address])[0].suppressed
