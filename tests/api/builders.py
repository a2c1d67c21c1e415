"""Rows that the tests of the API begin with."""

import itertools
from typing import Any

from django.utils import timezone

from campaigns.models import Campaign, Job, Lead, VendorCall

numbers = itertools.count(1)


def make_campaign(status: str = "CREATED", **details: Any) -> Campaign:
    if status not in ("CREATED", "CANCELLED"):
        details.setdefault("started_at", timezone.now())
    if status in ("COMPLETED", "FAILED", "CANCELLED"):
        details.setdefault("finished_at", timezone.now())
    return Campaign.objects.create(**{"name": f"Campaign {next(numbers)}", "status": status, **details})


def make_lead(campaign: Campaign, **details: Any) -> Lead:
    values = {"email": f"person{next(numbers)}@acme.example", "first_name": "Ann", "company": "Acme", "stage": "verify"}
    return Lead.objects.create(campaign=campaign, **{**values, **details})


def make_job(campaign: Campaign, **details: Any) -> Job:
    values = {"lead": make_lead(campaign), "kind": "verify", "service": "millionverifier"}
    return Job.objects.create(campaign=campaign, **{**values, **details})


def make_call(job: Job, **details: Any) -> VendorCall:
    values = {"service": job.service, "kind": job.kind, "fence": 1, "admitted_at": timezone.now(), "outcome": "success"}
    return VendorCall.objects.create(job=job, campaign=job.campaign, **{**values, **details})
