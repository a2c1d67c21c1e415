"""`/api/v1/spend`: the ledger's sums by day and service."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from circuitbreakers.services import SERVICES
from tests.builders import make_call, make_campaign, make_job

pytestmark = pytest.mark.django_db

URL = "/api/v1/spend"


def test_what_was_spent_by_day_and_over_the_stretch(viewer: APIClient) -> None:
    now, campaign = timezone.now(), make_campaign()
    make_call(make_job(campaign, "write", fence=1), tokens_in=10, cost_usd=Decimal("0.5"))
    make_call(make_job(None, "write", fence=1), "unknown", admitted_at=now - timedelta(days=2), cost_usd=1)
    data = viewer.get(URL).json()["data"]
    assert [
        (day["day"], {name: sums["cost_usd"] for name, sums in day["services"].items()}) for day in data["days"]
    ] == [
        (f"{now - timedelta(days=2):%Y-%m-%d}", {"openai": "1.000000"}),
        (f"{now:%Y-%m-%d}", {"openai": "0.500000"}),
    ]
    assert list(data["services"]) == list(SERVICES)
    openai = data["services"]["openai"]
    assert (openai["calls"], openai["unknown"], openai["tokens_in"], openai["cost_usd"]) == (2, 1, 10, "1.500000")
    today = viewer.get(URL, {"since": f"{now:%Y-%m-%d}", "campaign": str(campaign.pk)}).json()["data"]
    assert (today["campaign"], today["services"]["openai"]["calls"], len(today["days"])) == (campaign.pk, 1, 1)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "since"),
        ({"since": "2020-01-01", "until": "2026-01-01"}, "since"),
        ({"campaign": "x"}, "campaign"),
        ({"campaign": 2**63}, "campaign"),
        ({"campaign": -1}, "campaign"),
    ],
)
def test_what_is_not_a_stretch_is_refused_by_name(viewer: APIClient, query: dict[str, Any], field: str) -> None:
    answer = viewer.get(URL, query)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("until", [date.min, date.max])
def test_the_ends_of_the_calendar_are_empty_days(viewer: APIClient, until: date) -> None:
    assert viewer.get(URL, {"until": until.isoformat()}).json()["data"]["days"] == []
