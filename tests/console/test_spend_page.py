"""The page of what was spent: by day and service, of all or of one campaign."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from tests.builders import make_call, make_campaign, make_job
from tests.console.conftest import client_of, text_of

pytestmark = pytest.mark.django_db

PAGE = "/admin/spend/"


def test_days_are_listed_newest_first_with_their_sums(viewer: Client) -> None:
    campaign, now = make_campaign(name="<b>CTOs</b>"), timezone.now()
    make_call(make_job(campaign, "verify", fence=1), cost_usd=Decimal("1.25"))
    lost = {"may_be_charged": True, "may_cost_usd": Decimal("0.75")}
    make_call(make_job(campaign, "write", fence=1), "timeout", cost_usd=2, **lost)
    make_call(make_job(None, "write", fence=1), "unknown", admitted_at=now - timedelta(days=3), cost_usd=3)
    make_call(make_job(None, "write", fence=1), admitted_at=now - timedelta(days=40), cost_usd=70)
    text = text_of(viewer.get(PAGE))
    assert "The last 30 days: $6.25" in text
    assert ">1 call</a> were lost: at most $0.75 more may have been charged." in text
    assert "/admin/campaigns/vendorcall/?may_be_charged__exact=1" in text
    assert text.index(f"{now:%Y-%m-%d}</td>") < text.index(f"{now - timedelta(days=3):%Y-%m-%d}</td>")
    assert "$76.25" in viewer.get(PAGE, {"days": "90"}).content.decode()
    text = text_of(viewer.get(PAGE, {"campaign": campaign.pk}))
    assert "The last 30 days of &lt;b&gt;CTOs&lt;/b&gt;: $3.25" in text
    assert "1 call, 1 failed" in text


@pytest.mark.parametrize("number", ["4711", "x", "-1", "9" * 30, "\u0664", "<script>"])
def test_a_campaign_that_is_not_there_is_said_and_shown_as_all(viewer: Client, number: str) -> None:
    answer = viewer.get(PAGE, {"campaign": number, "days": number})
    assert answer.status_code == 200
    assert "There is no campaign" in answer.content.decode()
    assert '<script>"' not in answer.content.decode()
    assert "No call was made in these days" in answer.content.decode()


def test_it_is_for_those_who_may_see_the_ledger_and_for_reading_only(viewer: Client) -> None:
    assert client_of(None).get(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302
    assert viewer.post(PAGE).status_code == 405
    assert f'href="{PAGE}"' in viewer.get("/admin/").content.decode()
