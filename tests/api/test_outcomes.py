"""The API shows what came of a push on leads and campaigns."""

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns import apply_outcomes, outcome_intake
from campaigns.models import OutcomeEvent
from tests.builders import make_campaign, make_lead

pytestmark = pytest.mark.django_db
API = "/api/v1"


def test_a_lead_says_what_came_of_its_push(viewer: APIClient) -> None:
    now = timezone.now()
    make_lead(state="PUSHED", sent_at=now, unsubscribed_at=now)
    (lead,) = viewer.get(f"{API}/leads").json()["data"]["results"]
    assert (lead["state"], lead["outcome"]) == ("PUSHED", "UNSUBSCRIBED")
    assert (lead["sent_at"], lead["bounced_at"]) == (lead["unsubscribed_at"], None)


@pytest.mark.parametrize("path", ["leads", "campaigns/{}/leads"])
def test_leads_are_narrowed_by_what_came_back(viewer: APIClient, path: str) -> None:
    campaign = make_campaign()
    make_lead(campaign, state="PUSHED", replied_at=timezone.now())
    make_lead(campaign)
    path = f"{API}/{path.format(campaign.pk)}"
    assert len(viewer.get(path, {"outcome": "REPLIED"}).json()["data"]["results"]) == 1
    assert viewer.get(path, {"outcome": "BOUNCED"}).json()["data"]["results"] == []
    assert viewer.get(path, {"outcome": "whatever"}).status_code == 400


def test_a_campaigns_funnel_is_a_resource_and_part_of_the_campaign(viewer: APIClient) -> None:
    campaign = make_campaign()
    make_lead(campaign, state="PUSHED", stage="push", sent_at=timezone.now())
    funnel = viewer.get(f"{API}/campaigns/{campaign.pk}/funnel").json()["data"]
    assert (funnel["found"], funnel["pushed"], funnel["sent"], funnel["replied"]) == (1, 1, 1, 0)
    assert (funnel["cost_per_pushed_usd"], funnel["cost_per_reply_usd"]) == ("0.000000", None)
    assert viewer.get(f"{API}/campaigns/{campaign.pk}").json()["data"]["funnel"] == funnel
    assert viewer.get(f"{API}/campaigns/0/funnel").status_code == 404


def test_metrics_say_what_waits_what_was_missed_and_what_is_unknown(viewer: APIClient) -> None:
    def told(kind: str, source: OutcomeEvent.Source) -> outcome_intake.Told:
        values = {"source": source, "kind": kind, "email": "ida@acme.example", "target": "a-target"}
        return outcome_intake.Told(digest=kind, occurred_at=timezone.now(), payload={}, **values)

    outcome_intake.store([told("email_sent", OutcomeEvent.Source.WEBHOOK)])
    outcome_intake.store([told("lead_unsubscribed", OutcomeEvent.Source.RECONCILIATION)])
    outcome_intake.store([told("a label of ours", OutcomeEvent.Source.WEBHOOK)])
    apply_outcomes.apply()
    outcome_intake.store([told("email_opened", OutcomeEvent.Source.WEBHOOK)])
    text = viewer.get("/metrics").content.decode()
    for line in (
        "holdfast_outcomes_waiting 1.0",
        'holdfast_outcomes_missed{kind="lead_unsubscribed"} 1.0',
        "holdfast_outcomes_unknown 1.0",
    ):
        assert line in text
    assert "email_sent" not in text
