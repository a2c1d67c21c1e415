"""Before a start it is said what a campaign costs at most, and about."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns import estimate
from campaigns.models import VendorCall
from campaigns.spend import Spend
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from tests.builders import make_campaign, make_lead
from tests.workers.chain import TARGET, job_of
from workers.run import run

NOTHING = dict.fromkeys(SERVICES, Spend())


def price(kind: str) -> Decimal:
    return Decimal(1)


def test_at_most_every_lead_passes_every_step() -> None:
    made = estimate.estimate(people=3, leads=2, most_of_kind=price, spent=NOTHING)
    assert (made.leads, made.at_most_usd, made.expected_usd) == (5, Decimal(23), None)
    assert made.sentence == "At most $23.00 for 5 leads; too little was done in the last 30 days to say more."


def test_what_is_expected_goes_by_what_each_verified_address_has_cost() -> None:
    spent = {**NOTHING, "millionverifier": Spend(calls=100, cost_usd=Decimal(5)), "openai": Spend(cost_usd=Decimal(45))}
    made = estimate.estimate(people=0, leads=1000, most_of_kind=price, spent=spent)
    assert made.sentence == "At most $4,000.00 for 1,000 leads, about $500.00 at the yields of the last 30 days."


def test_what_is_expected_is_never_more_than_the_most() -> None:
    spent = {**NOTHING, "millionverifier": Spend(calls=100, cost_usd=Decimal(9999))}
    made = estimate.estimate(people=0, leads=10, most_of_kind=price, spent=spent)
    assert made.expected_usd == made.at_most_usd


@pytest.mark.django_db(transaction=True)
def test_an_estimate_holds_against_the_sandboxes_bill(sandbox: Sandbox) -> None:
    before = make_campaign(instantly_campaign_id=TARGET)
    for _ in range(20):
        for service in SERVICES[1:]:
            job = job_of(service, before)
            run(job.pk, service)
    spent = sum((call.cost_usd for call in VendorCall.objects.all()), Decimal(0))
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET)
    for _ in range(20):
        make_lead(campaign)
    made = estimate.of_campaign(campaign)
    assert made.leads == 20
    assert made.expected_usd is not None
    assert spent <= made.expected_usd <= spent * Decimal("1.1")
    assert made.expected_usd < made.at_most_usd


@pytest.mark.django_db
def test_a_search_counts_whom_it_may_still_find(settings: Any) -> None:
    campaign = make_campaign("CREATED", search={"q": "x"}, max_leads=50)
    make_lead(campaign)
    assert estimate.of_campaign(campaign).leads == 50
