"""What came back is seen in the console: on leads, on a campaign's page, and as the list of what Instantly told."""

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import apply_outcomes
from campaigns.models import OutcomeEvent
from campaigns.outcome_intake import store, told_by_webhook
from tests.builders import make_campaign, make_lead

LEADS = "admin:campaigns_lead_changelist"
EVENTS = "admin:campaigns_outcomeevent_changelist"


def tell(kind: str, email: str, **more: Any) -> None:
    """What the webhook stores."""
    store([told_by_webhook({"event_type": kind, "lead_email": email, "campaign_id": "a-target", **more})])


def page(client: Client, name: str, *args: Any, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_lead_shows_what_came_back_beside_its_state(viewer: Client) -> None:
    lead = make_lead(state="PUSHED", email="ida@acme.example", bounced_at=timezone.now())
    for shown in (page(viewer, LEADS), page(viewer, "admin:campaigns_lead_change", lead.pk)):
        assert "</span> Pushed" in shown
        assert "</span> Bounced" in shown


def test_leads_are_narrowed_by_what_came_back(viewer: Client) -> None:
    make_lead(state="PUSHED", email="ida@acme.example", bounced_at=timezone.now())
    make_lead(state="PUSHED", email="tom@acme.example", replied_at=timezone.now())
    shown = page(viewer, LEADS, outcome="REPLIED")
    assert "tom@acme.example" in shown
    assert "ida@acme.example" not in shown


def test_a_campaigns_page_says_how_far_its_people_got(viewer: Client) -> None:
    campaign = make_campaign()
    make_lead(campaign, state="PUSHED", stage="push", sent_at=timezone.now(), replied_at=timezone.now())
    shown = page(viewer, "admin:campaigns_campaign_change", campaign.pk)
    for words in ("found 1", "verified 1", "written 1", "pushed 1", "sent 1", "bounced 0", "for each reply"):
        assert words in shown


def test_what_instantly_told_is_a_list_that_can_be_narrowed(viewer: Client) -> None:
    tell("email_bounced", "ida@acme.example")
    tell("a label of ours", "tom@acme.example")
    apply_outcomes.apply()
    tell("email_sent", "may@acme.example")
    narrowed = {
        "ida": ({"kind": "email_bounced"}, {"effect": "bounced"}, {"q": "Ida@Acme.example"}),
        "tom": ({"effect": "unknown"},),
        "may": ({"effect": "waiting"}, {"kind": "email_sent"}),
    }
    for name, queries in narrowed.items():
        for query in queries:
            shown = page(viewer, EVENTS, **query)
            assert [one for one in narrowed if f"{one}@acme.example</td>" in shown] == [name], query
    assert page(viewer, EVENTS, source__exact="webhook").count("@acme.example</td>") == 3
    assert page(viewer, EVENTS, effect="failed").count("@acme.example</td>") == 0


def test_the_list_reads_no_payloads_and_an_event_shows_its_own(viewer: Client) -> None:
    tell("email_sent", "ida@acme.example", email_text="Hello Ida")
    with CaptureQueriesContext(connection) as seen:
        page(viewer, EVENTS)
    assert not any('"payload"' in query["sql"] for query in seen)
    assert "Hello Ida" in page(viewer, "admin:campaigns_outcomeevent_change", OutcomeEvent.objects.get().pk)


def test_nobody_changes_what_was_told(boss: Client) -> None:
    tell("email_sent", "ida@acme.example")
    pk = OutcomeEvent.objects.get().pk
    assert boss.get(reverse("admin:campaigns_outcomeevent_add")).status_code == 403
    assert boss.post(reverse("admin:campaigns_outcomeevent_delete", args=[pk])).status_code == 403
