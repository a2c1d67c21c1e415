"""A worker that is no longer the owner of its job changes nothing but the books."""

import pytest

from campaigns import jobs
from campaigns.models import Campaign
from tests.builders import make_campaign, make_job, make_lead
from workers.consequences import stop_campaign

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("ours", [True, False])
def test_only_the_owner_of_a_job_stops_its_campaign(ours: bool) -> None:
    campaign = make_campaign()
    pending = make_job(campaign, "push", lead=make_lead(campaign, stage="push"))
    job = jobs.claim(pending.pk, "instantly", "a worker")
    assert job is not None
    if not ours:
        jobs.hand_back(job)
    assert stop_campaign(job, None, "no such campaign at Instantly") is ours
    assert Campaign.objects.get().status == ("PAUSED" if ours else "RUNNING")
