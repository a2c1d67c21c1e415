"""Whatever waits for a budget says so: dashboard, campaign, lead, commands and API use the same words."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import overview, story
from circuitbreakers import budget_halts, budget_verbs
from circuitbreakers.models import Budget
from console.sentence import held_by_budgets
from tests.breakers import ANN
from tests.builders import make_campaign, make_fleet, make_job, make_lead
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
HELD = "held: this campaign&#x27;s budget of $50.00 is used up"
ACTIVE = {"millionverifier": "ACTIVE"}


def use_up(scope: str, period: str = "day", **limits: Any) -> Budget:
    row, _ = budget_verbs.set_budget(scope, period, actor=ANN, reason="a test", **limits)
    assert budget_halts.hold(row.known, at=timezone.now(), needs=0)
    return row


def test_a_campaigns_page_and_the_dashboard_say_what_it_waits_for(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    use_up(f"campaign:{campaign.pk}", "total", usd=50)
    page = text_of(viewer.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert f"{HELD}. Nothing is lost" in page
    dashboard = text_of(viewer.get(reverse("admin:index")))
    assert HELD in dashboard
    assert "Running, but 1 of 1 campaign is held: its budget is used up." in dashboard
    assert f'id="hf-next" href="{reverse("admin:circuitbreakers_budget_changelist")}"' in dashboard


def test_a_services_card_says_that_its_work_waits(viewer: Client) -> None:
    make_fleet()
    make_campaign()
    use_up("service:openai", calls=9)
    dashboard = text_of(viewer.get(reverse("admin:index")))
    assert "held: openai&#x27;s budget of 9 calls a day is used up" in dashboard


@pytest.mark.parametrize("scope", ["campaign", "service:millionverifier", "system"])
def test_a_lead_says_why_it_does_not_move(scope: str) -> None:
    lead = make_lead(stage="verify")
    make_job(lead=lead, kind="verify")
    scope = f"campaign:{lead.campaign_id}" if scope == "campaign" else scope
    row = use_up(scope, "total" if scope.startswith("campaign") else "day", usd=50)
    lead.refresh_from_db()
    why = story.tell(lead, now=timezone.now(), queue=ACTIVE, blocked={}, held=budget_halts.held_services()).why
    row.refresh_from_db()
    assert why == f"Its verify is {row.halt}. It goes on when the limit is raised or the period has turned."


def test_the_queues_status_counts_and_names_what_waits() -> None:
    use_up(f"campaign:{make_campaign().pk}", "total", usd=50)
    use_up("service:apollo", calls=9)
    status = overview.queue_status()
    assert status["held_campaigns"] == 1
    assert status["held_services"] == {"apollo": "held: apollo's budget of 9 calls a day is used up"}


def test_the_systems_budget_is_told_once_and_not_for_each_service() -> None:
    held = dict.fromkeys(("apollo", "openai"), "held: the system's budget of $5.00 a day is used up")
    assert held_by_budgets(held, 0, 1, 2) == "everything is held: the system's budget of $5.00 a day is used up"


def test_a_campaign_that_is_not_started_says_what_it_will_cost(viewer: Client) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    page = text_of(viewer.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert "for 1 leads; too little was done in the last 30 days to say more." in page
