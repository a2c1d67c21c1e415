"""How far a campaign's people got, from tallies and by the indexes of what came back."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from campaigns import funnel
from campaigns.models import Campaign, Lead
from tests.builders import make_call, make_campaign, make_job, make_lead

pytestmark = pytest.mark.django_db


def test_everybody_is_counted_as_far_as_they_got() -> None:
    campaign, now = make_campaign(), timezone.now()
    make_lead(campaign)
    make_lead(campaign, state="DROPPED", stage="verify")
    make_lead(campaign, state="FAILED", stage="write")
    make_lead(campaign, stage="push")
    came: tuple[dict[str, Any], ...] = (
        {},
        {"sent_at": now},
        {"sent_at": now, "bounced_at": now},
        {"sent_at": now, "replied_at": now, "unsubscribed_at": now},
        {"unsubscribed_at": now},
    )
    for instants in came:
        make_lead(campaign, state="PUSHED", stage="push", **instants)
    make_lead(make_campaign(), state="PUSHED", stage="push", sent_at=now)
    assert funnel.of_campaign(campaign.pk).numbers() == {
        "found": 9,
        "verified": 7,
        "written": 6,
        "pushed": 5,
        "sent": 3,
        "bounced": 1,
        "replied": 1,
        "unsubscribed": 2,
    }


def test_a_push_and_a_reply_cost_what_the_whole_campaign_did() -> None:
    campaign = make_campaign()
    for _ in range(4):
        make_lead(campaign, state="PUSHED", stage="push")
    Lead.objects.filter(pk=campaign.leads.earliest("pk").pk).update(replied_at=timezone.now())
    make_call(make_job(campaign, "verify", "COMPLETED", fence=1), cost_usd=Decimal("0.5"))
    whole = funnel.of_campaign(campaign.pk)
    assert (whole.cost_usd, whole.cost_per_pushed_usd, whole.cost_per_reply_usd) == (
        *(Decimal("0.5"), Decimal("0.125")),
        Decimal("0.5"),
    )


def test_what_is_not_there_costs_nothing_to_say() -> None:
    nobody = funnel.of_campaign(make_campaign().pk)
    assert not any(nobody.numbers().values())
    assert (nobody.cost_per_pushed_usd, nobody.cost_per_reply_usd, nobody.costs()) == (None, None, {})


@pytest.mark.parametrize("leads", [1, 30])
def test_it_takes_three_statements_however_many_there_are(leads: int, django_assert_num_queries: Any) -> None:
    campaign = make_campaign()
    Lead.objects.bulk_create(Lead(campaign=campaign, email=f"p{n}@acme.example") for n in range(leads))
    with django_assert_num_queries(3):
        funnel.of_campaign(campaign.pk)


@pytest.mark.parametrize("outcome", ["UNSUBSCRIBED", "BOUNCED", "REPLIED", "SENT"])
def test_a_lead_is_found_by_the_outcome_that_it_shows(outcome: str) -> None:
    now, campaign = timezone.now(), make_campaign()
    columns = ("unsubscribed_at", "bounced_at", "replied_at", "sent_at")
    for place in range(len(columns)):
        make_lead(campaign, state="PUSHED", **dict.fromkeys(columns[place:], now))
    make_lead(campaign)
    (lead,) = Lead.objects.with_outcome(outcome)
    assert lead.outcome == outcome
    assert [row.outcome for row in campaign.leads.with_outcome(outcome)] == [outcome]
    assert not Campaign.objects.earliest("pk").leads.with_outcome("whatever").exists()
