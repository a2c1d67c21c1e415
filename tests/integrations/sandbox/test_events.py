"""What happens to leads at Instantly, and how it is told: once, twice, in disorder, late, in vain or not at all."""

import time
from collections import Counter
from datetime import datetime

import pytest

from integrations.sandbox.instantly.events import KINDS
from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import HEADERS, emit, listed, push, settled, subscribe, told
from tests.integrations.wire import http, serving

IDA, TOM = "ida@a.example", "tom@a.example"
OK = http(200, {})
DAY = 86_400
# Of the vendor's page on webhook events.
BASE = {"timestamp", "event_type", "workspace", "campaign_id", "campaign_name"}
OPTIONAL = {
    *("lead_email", "email_account", "unibox_url", "step", "variant", "is_first", "email_id", "email_subject"),
    *("email_text", "email_html", "reply_text_snippet", "reply_subject", "reply_text", "reply_html"),
}


def age(stamp: str) -> float:
    return time.time() - datetime.fromisoformat(stamp).timestamp()


def test_an_event_is_delivered_once_with_the_headers_of_its_subscription(client: Client):
    push(client, CAMPAIGN, IDA, TOM, score=7)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        assert emit(client, "lead_unsubscribed", email=IDA.upper()) == {"events": 1, "deliveries": 1}
        settled(client)
        (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["x-holdfast"] == HEADERS["X-Holdfast"]
    assert request.headers["content-type"] == "application/json"
    body = request.json
    assert (body["event_type"], body["lead_email"], body["campaign_id"]) == ("lead_unsubscribed", IDA, CAMPAIGN)
    assert {"timestamp", "workspace", "campaign_name"} <= set(body)
    assert body["score"] == 7
    assert age(body["timestamp"]) < 60


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_has_the_documented_fields_and_no_others(client: Client, kind):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, kind, campaign=CAMPAIGN)
        settled(client)
        (request,) = receiver.received
    own = {"email"}  # a lead's variables hold its address
    assert BASE <= set(request.json) <= BASE | OPTIONAL | own
    assert request.json["event_type"] == kind


def test_the_desk_shows_no_header_of_a_subscription(client: Client):
    with serving(OK) as receiver:
        subscribe(client, receiver)
        assert HEADERS["X-Holdfast"] not in str(settled(client))


def test_a_leads_own_variables_hide_no_field(client: Client):
    push(client, CAMPAIGN, IDA, event_type="mine", lead_email="other@b.example")
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, "email_sent", email=IDA)
        settled(client)
        assert told(receiver) == [("email_sent", IDA)]


def test_several_events_of_a_whole_campaign_arrive_in_order(client: Client):
    push(client, CAMPAIGN, IDA, TOM)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        assert emit(client, ["email_sent", "email_bounced"], campaign=CAMPAIGN)["deliveries"] == 4
        settled(client)
        assert told(receiver) == [(kind, email) for email in (IDA, TOM) for kind in ("email_sent", "email_bounced")]


def test_a_doubled_event_is_the_same_to_the_byte(client: Client):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        assert emit(client, "reply_received", email=IDA, copies=2) == {"events": 1, "deliveries": 2}
        settled(client)
        first, second = receiver.received
    assert first.body == second.body


def test_shuffled_events_all_arrive_in_another_order(client: Client):
    emails = [f"lead{number}@a.example" for number in range(10)]
    push(client, CAMPAIGN, *emails)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, ["email_sent", "reply_received"], campaign=CAMPAIGN, shuffle=True)
        settled(client)
        arrived = told(receiver)
    in_order = [(kind, email) for email in emails for kind in ("email_sent", "reply_received")]
    assert arrived != in_order
    assert Counter(arrived) == Counter(in_order)


def test_a_late_event_is_a_day_old_when_it_arrives(client: Client):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, "email_bounced", email=IDA, late_seconds=DAY)
        settled(client)
        (request,) = receiver.received
    assert DAY <= age(request.json["timestamp"]) < DAY + 60


def test_a_delayed_event_is_told_after_it_shows_in_the_listing(client: Client):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, "email_bounced", email=IDA, delay_seconds=1)
        assert listed(client, filter="FILTER_VAL_BOUNCED") == [IDA]
        assert receiver.received == []
        settled(client)
        assert told(receiver) == [("email_bounced", IDA)]


def test_a_dropped_event_shows_in_the_listing_only(client: Client):
    push(client, CAMPAIGN, IDA, TOM)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        assert emit(client, "lead_unsubscribed", email=IDA, drop=True) == {"events": 1, "deliveries": 0}
        settled(client)
        assert receiver.received == []
    assert listed(client, filter="FILTER_VAL_UNSUBSCRIBED", campaign=CAMPAIGN) == [IDA]


@pytest.mark.parametrize(
    ("event", "filter_"),
    [
        ("email_sent", "FILTER_VAL_CONTACTED"),
        ("email_bounced", "FILTER_VAL_BOUNCED"),
        ("lead_unsubscribed", "FILTER_VAL_UNSUBSCRIBED"),
        ("reply_received", "FILTER_VAL_REPLIED"),
        ("link_clicked", "FILTER_VAL_LINK_CLICKED"),
        ("lead_not_interested", "FILTER_LEAD_NOT_INTERESTED"),
        ("lead_wrong_person", "FILTER_LEAD_WRONG_PERSON"),
        ("lead_out_of_office", "FILTER_LEAD_OUT_OF_OFFICE"),
    ],
)
def test_what_happened_to_a_lead_is_found_by_its_filter(client: Client, event, filter_):
    push(client, CAMPAIGN, IDA, TOM)
    assert listed(client, filter=filter_) == []
    emit(client, event, email=TOM)
    assert listed(client, filter=filter_) == [TOM]


def test_whoever_has_unsubscribed_stays_so(client: Client):
    push(client, CAMPAIGN, IDA)
    emit(client, ["lead_unsubscribed", "email_bounced", "reply_received"], email=IDA)
    assert listed(client, filter="FILTER_VAL_UNSUBSCRIBED") == [IDA]


def test_a_filter_that_nobody_knows_is_refused(client: Client):
    body = {"filter": "FILTER_VAL_HAPPY"}
    assert client.call("instantly", "POST", "/api/v2/leads/list", json=body).status_code == 400


def test_filtered_leads_come_in_pages_and_the_last_one_is_empty(client: Client):
    emails = [f"lead{number}@a.example" for number in range(5)]
    push(client, CAMPAIGN, *emails, "quiet@a.example")
    for email in emails:
        emit(client, "email_bounced", email=email)
    seen: list[list[str]] = []
    cursor: dict[str, str] = {}
    while not seen or seen[-1]:
        query = {"campaign": CAMPAIGN, "filter": "FILTER_VAL_BOUNCED", "limit": 2, **cursor}
        page = client.call("instantly", "POST", "/api/v2/leads/list", json=query).json()
        seen.append([lead["email"] for lead in page["items"]])
        cursor = {"starting_after": page.get("next_starting_after", "")}
    assert seen == [emails[:2], emails[2:4], emails[4:], []]


@pytest.mark.parametrize(
    ("subscription", "delivered"),
    [
        ({"event_type": "all_events"}, ["email_sent", "link_clicked", "auto_reply_received", "Hot lead"]),
        ({"event_type": "email_sent"}, ["email_sent"]),
        ({"event_type": "email_link_clicked"}, ["link_clicked"]),
        ({"event_type": None}, ["Hot lead"]),
        ({"campaign": CAMPAIGN}, ["email_sent", "link_clicked", "auto_reply_received", "Hot lead"]),
        ({"campaign": "another"}, []),
    ],
)
def test_a_subscription_gets_what_it_asks_for(client: Client, subscription, delivered):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver, **subscription)
        emit(client, ["email_sent", "link_clicked", "auto_reply_received"], email=IDA)
        emit(client, "Hot lead", email=IDA, custom=True)
        settled(client)
        assert [kind for kind, _ in told(receiver)] == delivered


def test_a_campaigns_own_event_names_no_lead(client: Client):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, "account_error", campaign=CAMPAIGN)
        settled(client)
        assert told(receiver) == [("account_error", "")]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "event must be one of"),
        ({"event": "lead_vanished", "email": IDA}, "Unknown event 'lead_vanished'"),
        ({"event": "email_sent"}, "Say to whom"),
        ({"event": "account_error", "email": IDA}, "say which"),
        ({"event": "email_sent", "email": "nobody@a.example"}, "Nobody like that"),
        ({"event": "email_sent", "campaign": "unknown"}, "no campaign 'unknown'"),
        ({"event": "email_sent", "email": IDA, "copies": 0}, "copies must be"),
        ({"event": "email_sent", "email": IDA, "late": 3}, "Unknown field: late"),
    ],
)
def test_an_order_that_makes_no_sense_says_why(client: Client, order, words):
    response = client.post(f"{client.url}/_control/instantly/emit", json=order)
    assert response.status_code == 400
    assert words in response.json()["detail"]
