"""A campaign's page is live, agrees with the banner above it, and each message says what was done and what happens."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import Campaign, Lead
from console.campaign_page import now_of
from console.sentence import Sentence
from tests.breakers import ANN, trip
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_lead
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
RUNS = Sentence("good", "Running: 1 campaign, 3 jobs to do.")
STOPPED = Sentence("bad", "Nothing moves: there is no live worker.", "start the worker", "STOPPED")


def polled(client: Client, campaign: Campaign, seen: str = "") -> Any:
    return client.get(f"/admin/live/?page=campaign-{campaign.pk}&seen={seen}")


def press(client: Client, campaign: Campaign, verb: str, **form: str) -> str:
    address = reverse("admin:campaigns_campaign_verb", args=[campaign.pk, verb])
    return text_of(client.post(address, {"confirmed": "1", **form}, follow=True))


def test_a_start_says_which_campaign_runs_and_what_happens_first(operator: Client) -> None:
    make_fleet()
    campaign = make_campaign("CREATED", name="Spring")
    make_lead(campaign)
    page = press(operator, campaign, "start")
    assert "“Spring” runs with 1 lead: their addresses are verified first." in page
    assert "1 done" not in page


@pytest.mark.parametrize(
    ("verb", "status", "fields", "said"),
    [
        ("pause", "RUNNING", {}, "“Spring” is paused: calls in flight end and are booked, nothing new begins."),
        ("resume", "PAUSED", {"operator_paused_at": timezone.now()}, "“Spring” runs again"),
        ("cancel", "RUNNING", {}, "“Spring” is cancelled for good"),
        ("retry_failed", "RUNNING", {}, "Nothing of “Spring” had failed"),
        ("check_target", "RUNNING", {}, "Instantly is asked about “Spring” within seconds"),
        ("retarget", "RUNNING", {}, "“Spring” pushes into campaign another at Instantly from now on."),
        ("go_on", "RUNNING", {"first_leads": 2, "first_left": 0}, "“Spring” goes on with all its leads"),
    ],
)
def test_each_verb_names_its_campaign_and_says_what_comes_of_it(
    operator: Client, verb: str, status: str, fields: dict[str, Any], said: str
) -> None:
    make_fleet()
    campaign = make_campaign(status, name="Spring", **fields)
    make_lead(campaign)
    assert said in press(operator, campaign, verb, reason="a reason", target="another")


def test_a_refusal_says_that_nothing_was_done_and_why(operator: Client) -> None:
    campaign = make_campaign("CREATED", name="Spring")
    assert f"Start: not done. Campaign {campaign.pk} has no leads." in press(operator, campaign, "start")


def test_retarget_pushes_elsewhere_from_now_on_with_its_event(operator: Client) -> None:
    campaign = make_campaign(instantly_campaign_id="one")
    press(operator, campaign, "retarget", target=" two ", reason="another account")
    campaign.refresh_from_db()
    assert campaign.instantly_campaign_id == "two"


def test_a_duplicate_is_linked_from_its_message_and_a_hostile_name_stays_text(operator: Client) -> None:
    campaign = make_campaign(name="<b>Spring</b>")
    page = press(operator, campaign, "duplicate")
    assert "&lt;b&gt;Spring&lt;/b&gt; (copy)”</a> is made" in page
    assert "<b>Spring" not in page


def test_the_page_moves_with_the_work_and_says_nothing_when_nothing_has_changed(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    job = make_job(campaign)
    first = polled(viewer, campaign)
    assert 'hx-swap-oob="true"' in text_of(first)
    assert "1 lead in work" in text_of(first)
    seen = text_of(first).partition("seen=")[2].partition('"')[0]
    assert polled(viewer, campaign, seen).status_code == 204
    make_call(job, cost_usd="0.0037")
    Lead.objects.update(state="PUSHED", ended_at=timezone.now())
    moved = polled(viewer, campaign, seen)
    assert moved.status_code == 200
    assert "MillionVerifier: 1 call, $0.0037" in text_of(moved)
    assert "All its leads have ended" in text_of(moved)


def test_the_live_part_offers_what_its_reader_may_do_now(operator: Client, viewer: Client) -> None:
    campaign = make_campaign()
    assert "Pause…" in text_of(polled(operator, campaign))
    assert "Pause…" not in text_of(polled(viewer, campaign))
    lifecycle.pause(campaign.pk, actor=ANN, reason="a break")
    assert "Resume…" in text_of(polled(operator, campaign))


@pytest.mark.parametrize("page", ["campaign-0", "campaign-999999999999999999", "campaign-x", "campaign-1-2"])
def test_a_page_that_is_none_still_has_its_banner(viewer: Client, page: str) -> None:
    answer = viewer.get(f"/admin/live/?page={page}")
    assert (answer.status_code, "hf-campaign" in text_of(answer)) == (200, False)


def test_it_agrees_with_the_banner_when_everything_is_paused(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    make_job(campaign)
    trip("apollo")
    page = text_of(viewer.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert "Paused since" in page
    assert "System pause: apollo circuit breaker opened. Resume the queue to go on: nothing is lost." in page


@pytest.mark.parametrize(
    ("status", "leads", "sentence", "says"),
    [
        ("CREATED", {}, RUNS, "It has no people yet, so it cannot be started."),
        ("CREATED", {"OPEN": 2}, RUNS, "Ready to start: 2 leads wait."),
        ("RUNNING", {"OPEN": 2, "PUSHED": 1}, RUNS, "2 leads in work."),
        ("RUNNING", {"OPEN": 2}, STOPPED, "It does not move, as nothing does. Nothing moves: there is no live worker."),
        ("RUNNING", {}, RUNS, "Its search is being read"),
        ("COMPLETED", {"PUSHED": 2, "DROPPED": 1}, RUNS, "It is done: 2 of 3 leads were pushed, 1 dropped."),
    ],
)
def test_one_sentence_says_what_happens_in_it_now(
    status: str, leads: dict[str, int], sentence: Sentence, says: str
) -> None:
    assert says in now_of(Campaign(name="Spring", status=status), leads, sentence=sentence)[1]


def test_an_empty_list_says_what_comes_next_and_a_search_that_it_found_nothing(operator: Client) -> None:
    empty = text_of(operator.get("/admin/campaigns/lead/"))
    assert "Leads are the people of a campaign" in empty
    assert "To the campaigns" in empty
    assert "No lead is found for “nobody@acme.example”." in text_of(
        operator.get("/admin/campaigns/lead/?q=nobody@acme.example")
    )


def test_what_was_dropped_is_exported_alone_and_can_be_imported_again(operator: Client) -> None:
    campaign = make_campaign()
    make_lead(campaign, email="open@acme.example")
    make_lead(campaign, "DROPPED", email="gone@acme.example", end_reason="undeliverable: invalid")
    page = text_of(operator.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])))
    assert "Export 1 dropped lead" in page
    address = reverse("admin:campaigns_campaign_export", args=[campaign.pk])
    answer: Any = operator.get(address, {"state": "DROPPED"})
    text = b"".join(answer.streaming_content).decode()
    assert ("gone@acme.example" in text, "open@acme.example" in text) == (True, False)
    assert "undeliverable: invalid" in text
    assert operator.get(address, {"state": "NONSENSE"}).status_code == 404
