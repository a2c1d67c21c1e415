"""`manage.py mails`: what waits, approving, rejecting, choosing; in a table and in JSON."""

from typing import Any

import pytest

from campaigns.models import JobRow, Lead
from tests.builders import make_campaign, make_lead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
BODY = "Hello Ida, how does your team keep its pipelines running these days? You grew by 4,711 percent."


def a_mail() -> Lead:
    return make_lead(make_campaign(review="all"), stage="review", mail_subject="A question", mail_body=BODY)


def test_what_waits_is_listed_with_what_nobody_has_said(manage: Any) -> None:
    lead = a_mail()
    a_mail()
    ran = manage("mails", "list")
    assert "2 mails wait to be read." in ran.out
    assert "4,711" in ran.out
    only = manage("mails", "list", "--campaign", lead.campaign_id, "--json").data
    assert [(one["lead"], one["claims"]) for one in only["mails"]] == [(lead.pk, ["4,711"])]
    assert only["waiting"] == 1


def test_mails_are_approved_and_rejected(manage: Any) -> None:
    one, two, three = a_mail(), a_mail(), a_mail()
    assert "1 mails approved, 1 skipped" in manage("mails", "approve", "--lead", one.pk, 10**9).out
    assert manage("mails", "approve", "--lead", one.pk).status == 2
    assert "1 mails rejected." in manage("mails", "reject", "--lead", two.pk, "--reason", "no").out
    assert manage("mails", "approve", "--campaign", three.campaign_id).status == 1  # no reason
    assert "1 mails approved." in manage("mails", "approve", "--campaign", three.campaign_id, "--reason", "fine").out
    assert sorted(JobRow.objects.filter(kind="push").values_list("lead_id", flat=True)) == [one.pk, three.pk]


def test_which_are_read_is_chosen(manage: Any) -> None:
    campaign = make_campaign()
    assert "the first 20, then 5 %" in manage("mails", "choose", campaign.pk, "sample").out
    campaign.refresh_from_db()
    assert campaign.review == "sample"
    assert manage("mails", "choose", campaign.pk, "some").status == 2
