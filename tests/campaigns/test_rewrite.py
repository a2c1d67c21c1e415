"""Mails of the first leads are written again, and more of them; nothing is pushed meanwhile, and the books stand."""

from typing import Any

import pytest

from campaigns import first_leads, rewrite
from campaigns.models import Campaign, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.reconcile import reconcile
from circuitbreakers.models import Event
from tests.api.conftest import client_of as api_client
from tests.breakers import ANN
from tests.builders import make_call, make_campaign, make_job, make_lead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def written(campaign: Campaign, **push: Any) -> Lead:
    """A lead with a mail, whose push waits until its campaign goes on."""
    lead = make_lead(campaign, stage="push", mail_subject="A", mail_body="B", research="C", verdict="ok")
    for kind in ("verify", "research", "write"):
        make_call(make_job(lead=lead, kind=kind, status="COMPLETED", fence=1))
    make_job(lead=lead, kind="push", **push)
    return lead


def test_a_mail_is_written_again_its_research_stays_and_its_push_comes_back_with_it() -> None:
    lead = written(make_campaign(first_leads=2, first_left=1))
    assert rewrite.rewrite(lead.campaign_id, actor=ANN, reason="another tone") == 1
    lead.refresh_from_db()
    assert (lead.stage, lead.mail_subject, lead.mail_body, lead.research) == ("write", "", "", "C")
    jobs = dict(JobRow.objects.filter(lead=lead).values_list("kind", "status"))
    assert jobs == {"verify": "COMPLETED", "research": "COMPLETED", "write": "PENDING"}
    assert Event.objects.get(verb="mails_rewritten").after == {"mails": 1}
    assert reconcile() == []


def test_a_push_that_was_tried_is_left_alone() -> None:
    lead = written(make_campaign(first_leads=2, first_left=1), fence=1)
    assert rewrite.rewrite(lead.campaign_id, actor=ANN) == 0
    lead.refresh_from_db()
    assert (lead.stage, lead.mail_body) == ("push", "B")
    assert not Event.objects.filter(verb="mails_rewritten").exists()


@pytest.mark.parametrize("status", ["RUNNING", "CANCELLED"])
def test_nothing_is_written_again_in_a_campaign_that_does_not_hold(status: str) -> None:
    holds = {"first_leads": 1, "first_left": 0} if status == "CANCELLED" else {}
    lead = written(make_campaign(status, **holds))
    with pytest.raises(MoveRefused, match="does not hold"):
        rewrite.rewrite(lead.campaign_id, actor=ANN)
    assert JobRow.objects.get(kind="push").status == "PENDING"


def test_more_first_leads_are_taken_in_before_it_holds_again() -> None:
    campaign = make_campaign(first_leads=3, first_left=0)
    first_leads.extend(campaign.pk, 3, actor=ANN)
    campaign.refresh_from_db()
    assert (campaign.first_leads, campaign.first_left) == (6, 3)
    event = Event.objects.get(verb="first_leads_extended")
    assert (event.before, event.after) == ({"first_leads": 3}, {"first_leads": 6})


@pytest.mark.parametrize("first", [None, 98])
def test_neither_a_campaign_that_does_not_hold_nor_one_with_a_hundred_takes_more(first: int | None) -> None:
    campaign = make_campaign(first_leads=first, first_left=None if first is None else 0)
    with pytest.raises(MoveRefused):
        first_leads.extend(campaign.pk, 3, actor=ANN)
    campaign.refresh_from_db()
    assert campaign.first_leads == first


def test_the_command_takes_more_of_them_and_has_their_mails_written_again(manage: Any) -> None:
    lead = written(make_campaign(first_leads=1, first_left=0))
    more = manage("campaign", "extend", lead.campaign_id, 2, "--reason", "one is no proof", "--json")
    assert (more.status, more.data["status"], more.data["warnings"]) == (0, "RUNNING", [])
    assert Campaign.objects.get().first_leads == 3
    assert Event.objects.get(verb="first_leads_extended").reason == "one is no proof"
    again = manage("campaign", "rewrite", lead.campaign_id, "--json")
    assert again.data == {"id": lead.campaign_id, "mails": 1}
    assert manage("campaign", "rewrite", lead.campaign_id).out.strip() == "No mail is written yet."
    refused = manage("campaign", "extend", lead.campaign_id, 100)
    assert (refused.status, "or has 100 of them: go on" in refused.err) == (1, True)


def test_so_does_the_api() -> None:
    lead = written(make_campaign(first_leads=1, first_left=0))
    api, path = api_client("operator"), f"/api/v1/campaigns/{lead.campaign_id}"
    more = api.post(f"{path}/extend", {"more": 2, "reason": "one is no proof"}).json()["data"]
    assert (more["action"], more["status"], more["warnings"]) == ("extend", "RUNNING", [])
    assert more["first_leads_hold"] == "Holds after the first 3 leads: 1 written. Read the mails, then go on."
    assert api.post(f"{path}/extend", {"more": 100}).status_code == 409
    assert [api.post(f"{path}/extend", {"more": more}).status_code for more in (0, 101, "two", None)] == [400] * 4
    again = api.post(f"{path}/rewrite", {"reason": "duller"}).json()["data"]
    assert again == {"id": lead.campaign_id, "action": "rewrite", "mails": 1}
    assert Event.objects.get(verb="mails_rewritten").reason == "duller"
    assert api.post(f"/api/v1/campaigns/{make_campaign().pk}/rewrite").status_code == 409
