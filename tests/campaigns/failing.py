"""Leads that failed for good, and the group that they are in."""

from typing import Any

from campaigns.failures import groups
from campaigns.models import Campaign, JobRow
from tests.builders import make_job, make_lead


def fail(campaign: Campaign | None = None, error: str = "HTTP 503 for req_1", **fields: Any) -> JobRow:
    """A lead whose job failed for good, by a vendor's fault."""
    fields = {"kind": "verify", "failure_type": "server_error", **fields}
    lead = make_lead(campaign, fields.pop("state", "FAILED"), stage=fields["kind"])
    return make_job(lead=lead, status="FAILED", error=error, **fields)


def the_group(**narrowed: Any) -> groups.Group:
    (one,) = groups.groups(**narrowed).groups
    return one
