"""Putting back what has ended: whichever way leads there, the job begins as if nothing had been tried."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from campaigns import feed, jobs, lifecycle, retry
from campaigns.models import Campaign, JobRow
from tests.breakers import ANN
from tests.builders import ago, make_campaign, make_job, make_lead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]

# A job that has been through everything before it ended.
TRIED: dict[str, Any] = {
    "attempts": 5,
    "crashes": 2,
    "error": "HTTP 503",
    "failure_type": "server_error",
    "sent_at": ago(5),
    "run_at": ago(-3600),
    "fence": 7,
}


def of_a_lead(state: str) -> JobRow:
    return make_job(kind="verify", lead=make_lead(stage="verify", state=state), status="FAILED", **TRIED)


def retried_alone() -> JobRow:
    job = of_a_lead("FAILED")
    retry.retry_job(job.pk, actor=ANN)
    return job


def retried_with_its_campaign() -> JobRow:
    job = of_a_lead("FAILED")
    lifecycle.retry_failed(job.campaign_id, actor=ANN)
    return job


def mended() -> JobRow:
    job = of_a_lead("OPEN")
    assert feed.mend_leads() == 1
    return job


def a_target_made_anew() -> JobRow:
    campaign = make_campaign(instantly_campaign_id="")
    job = make_job(campaign, kind="prepare", status="FAILED", **TRIED)
    lifecycle.retarget(campaign.pk, target="", actor=ANN)
    return job


def a_target_of_a_reopened_campaign() -> JobRow:
    campaign = make_campaign("COMPLETED", instantly_campaign_id="")
    job = make_job(campaign, kind="prepare", status="CANCELLED", **TRIED)
    make_job(lead=make_lead(campaign, "FAILED", stage="verify"), status="FAILED")
    lifecycle.retry_failed(campaign.pk, actor=ANN)
    return job


WAYS = [retried_alone, retried_with_its_campaign, mended, a_target_made_anew, a_target_of_a_reopened_campaign]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_put_back_has_all_its_attempts_again_and_is_due(way: Callable[[], JobRow]) -> None:
    job = way()
    job.refresh_from_db()
    assert (job.status, job.completed_at, job.sent_at, job.error) == ("PENDING", None, None, None)
    assert (job.attempts, job.crashes, job.failure_type) == (0, 0, "")
    assert job.run_at <= timezone.now()
    assert job.fence == 7  # an earlier holder that wakes up changes nothing


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_put_back_outlives_its_next_failure(way: Callable[[], JobRow]) -> None:
    job = way()
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    jobs.failed(held, "server_error", "HTTP 503", None)
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("PENDING", 1)
    assert job.lead is None or job.lead.state == "OPEN"
    assert Campaign.objects.get(pk=job.campaign_id).status == "RUNNING"
