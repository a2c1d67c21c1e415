"""What happens to leads at Instantly, and how it is told: once, twice, in disorder, late, in vain or not at all."""

import time
from collections import Counter
from datetime import datetime

import pytest

from integrations.sandbox import Sandbox
from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import HEADERS, emit, listed, push, settled, subscribe, told
from tests.integrations.wire import Conversation, http, serving

IDA, TOM = "ida@a.example", "tom@a.example"
OK = http(200, {})
DAY = 86_400


def age(stamp: str) -> float:
    return time.time() - datetime.fromisoformat(stamp).timestamp()


def hook_of(client: Client, hook: dict) -> dict:
    answer: dict = client.call("instantly", "GET", f"/api/v2/webhooks/{hook['id']}").json()
    return answer


def deliveries(client: Client, **query: str) -> list[dict]:
    answer = client.call("instantly", "GET", "/api/v2/webhook-events", params=[("limit", "100"), *query.items()])
    items: list[dict] = answer.json()["items"]
    return items


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
        emit(client, "email_bounced", email=IDA, delay_seconds=0.3)
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


# --- receivers that fail ----------------------------------------------------------------------------------------------


def hang_up(talk: Conversation) -> None:
    talk.reset()


@pytest.mark.parametrize(
    ("receive", "status"), [(http(503, {}), 503), (http(302, {}, location="/"), 302), (hang_up, None)]
)
def test_a_hook_that_fails_three_times_is_disabled_and_gets_nothing_until_resumed(client: Client, receive, status):
    push(client, CAMPAIGN, IDA)
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0.02})
    with serving(receive, receive, receive, OK) as receiver:
        hook = subscribe(client, receiver)
        emit(client, "email_sent", email=IDA)
        settled(client)
        disabled = hook_of(client, hook)
        assert (disabled["status"], disabled["timestamp_error"] is not None) == (-1, True)
        assert emit(client, "reply_received", email=IDA)["deliveries"] == 0
        assert len(receiver.received) == 3

        resumed = client.call("instantly", "POST", f"/api/v2/webhooks/{hook['id']}/resume").json()
        assert (resumed["status"], resumed["timestamp_error"]) == (1, None)
        emit(client, "email_bounced", email=IDA)
        settled(client)
        assert told(receiver)[3:] == [("email_bounced", IDA)]
    tries = deliveries(client)
    assert [(tried["success"], tried["status_code"]) for tried in tries] == [(False, status)] * 3 + [(True, 200)]
    assert [(tried["retry_count"], tried["will_retry"]) for tried in tries[:3]] == [(0, True), (1, True), (2, False)]
    assert len({tried["retry_group_id"] for tried in tries[:3]}) == 1


def test_a_hook_that_recovers_in_time_stays_active(client: Client):
    push(client, CAMPAIGN, IDA)
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0.02})
    with serving(http(500, {}), http(500, {}), OK) as receiver:
        hook = subscribe(client, receiver)
        emit(client, "email_sent", email=IDA)
        assert settled(client)["delivered"] == 1
        assert hook_of(client, hook)["status"] == 1


def test_a_receiver_that_never_answers_holds_no_call_up(client: Client):
    push(client, CAMPAIGN, IDA)
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0.02, "timeout_seconds": 0.3})
    with serving(lambda talk: talk.trickle(b"HTTP/1.1 200 ", gap=1)) as receiver:
        hook = subscribe(client, receiver)
        started = time.monotonic()
        emit(client, "email_sent", email=IDA)
        assert client.probe("instantly").status_code == 200
        assert time.monotonic() - started < 0.3
        settled(client)
        assert hook_of(client, hook)["status"] == -1


def test_nobody_outside_this_machine_is_called(client: Client):
    push(client, CAMPAIGN, IDA)
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0})
    body = {"target_hook_url": "https://203.0.113.7/hook", "event_type": "all_events"}
    client.call("instantly", "POST", "/api/v2/webhooks", json=body)
    emit(client, "email_sent", email=IDA)
    settled(client)
    assert {tried["error_message"] for tried in deliveries(client)} == {"The sandbox calls nobody but this machine"}


def test_a_deleted_subscription_gets_nothing_more(client: Client):
    push(client, CAMPAIGN, IDA)
    with serving(OK) as receiver:
        hook = subscribe(client, receiver)
        emit(client, "email_sent", email=IDA, delay_seconds=0.2)
        assert client.call("instantly", "DELETE", f"/api/v2/webhooks/{hook['id']}").json()["status"] == 1
        settled(client)
        assert receiver.received == []
    assert client.call("instantly", "GET", f"/api/v2/webhooks/{hook['id']}").status_code == 404


def test_a_test_tells_what_the_receiver_said(client: Client):
    with serving(OK, http(401, {})) as receiver:
        hook = subscribe(client, receiver)
        path = f"/api/v2/webhooks/{hook['id']}/test"
        good, bad = (client.call("instantly", "POST", path).json() for _ in range(2))
        assert receiver.received[0].headers["x-holdfast"] == HEADERS["X-Holdfast"]
    assert (good["success"], good["status_code"]) == (True, 200)
    assert (bad["success"], bad["status_code"], bad["error"]) == (False, 401, "Not accepted")
    assert deliveries(client) == []


def test_deliveries_are_found_by_success_day_and_lead(client: Client):
    push(client, CAMPAIGN, IDA, TOM)
    with serving(OK) as receiver:
        subscribe(client, receiver)
        emit(client, "email_sent", campaign=CAMPAIGN)
        settled(client)
    assert len(deliveries(client)) == 2
    (one,) = deliveries(client, search=TOM)
    assert one["payload"]["lead_email"] == TOM
    assert client.call("instantly", "GET", f"/api/v2/webhook-events/{one['id']}").json() == one
    assert deliveries(client, success="false") == []
    assert deliveries(client, to="2020-01-01") == []


@pytest.mark.parametrize(
    "change",
    [
        {"target_hook_url": "ftp://a.example"},
        {"event_type": "lead_vanished"},
        {"headers": {"X-Number": 7}},
        {"secret": "s"},
        {"campaign": 7},
    ],
)
def test_a_subscription_that_the_document_does_not_allow_is_refused(client: Client, change):
    body = {"target_hook_url": "https://a.example", "event_type": "all_events", **change}
    assert client.call("instantly", "POST", "/api/v2/webhooks", json=body).status_code == 400


def test_a_subscription_is_changed_and_found_by_its_campaign(client: Client):
    with serving(OK) as receiver:
        hook, other = subscribe(client, receiver), subscribe(client, receiver)
        changed = client.call("instantly", "PATCH", f"/api/v2/webhooks/{hook['id']}", json={"campaign": CAMPAIGN})
        assert changed.json()["campaign"] == CAMPAIGN
        found = client.call("instantly", "GET", "/api/v2/webhooks", params=[("campaign", CAMPAIGN)]).json()["items"]
        everything = client.call("instantly", "GET", "/api/v2/webhooks").json()["items"]
        assert [item["id"] for item in found] == [hook["id"]]
        assert [item["id"] for item in everything] == [hook["id"], other["id"]]


def test_the_end_of_the_sandbox_waits_for_no_receiver():
    with serving(lambda talk: talk.trickle(b"HTTP/1.1 200 ", gap=1)) as receiver:
        with Sandbox() as sandbox, Client(sandbox.url) as client:
            push(client, CAMPAIGN, IDA)
            subscribe(client, receiver)
            emit(client, "email_sent", email=IDA)
            started = time.monotonic()
        assert time.monotonic() - started < 4


# --- a life of its own ------------------------------------------------------------------------------------------------


def test_without_an_order_nothing_happens_to_a_pushed_lead(client: Client):
    with serving(OK) as receiver:
        subscribe(client, receiver)
        push(client, CAMPAIGN, IDA)
        settled(client)
        assert receiver.received == []
    assert listed(client, filter="FILTER_VAL_CONTACTED") == []


def test_a_life_writes_to_everybody_and_gives_the_ordered_share_each_its_fate(client: Client):
    life = {"bounced": 0.1, "unsubscribed": 0.1, "replied": 0.2, "out_of_office": 0.1}
    assert client.control("PUT", "instantly/life", json=life)["on"] is True
    with serving(OK) as receiver:
        subscribe(client, receiver)
        for number in range(50):
            push(client, CAMPAIGN, f"lead{number}@a.example")
        settled(client)
        kinds = Counter(kind for kind, _ in told(receiver))
    assert kinds["email_sent"] == len(listed(client, filter="FILTER_VAL_CONTACTED")) == 50
    shares = {"email_bounced": 5, "lead_unsubscribed": 5, "reply_received": 10, "lead_out_of_office": 5}
    for kind, share in shares.items():
        assert share - 1 <= kinds[kind] <= share + 1
    assert kinds["auto_reply_received"] == kinds["lead_out_of_office"]
    assert kinds["email_bounced"] == len(listed(client, filter="FILTER_VAL_BOUNCED"))


def test_a_life_whose_deliveries_are_dropped_shows_in_the_listing_only(client: Client):
    client.control("PUT", "instantly/life", json={"unsubscribed": 1, "drop": True})
    with serving(OK) as receiver:
        subscribe(client, receiver)
        push(client, CAMPAIGN, IDA)
        settled(client)
        assert receiver.received == []
    assert listed(client, filter="FILTER_VAL_UNSUBSCRIBED") == [IDA]


def test_a_reset_ends_the_life_and_forgets_the_subscriptions(client: Client):
    client.control("PUT", "instantly/life", json={"bounced": 1})
    with serving(OK) as receiver:
        subscribe(client, receiver)
        client.control("POST", "reset")
        push(client, CAMPAIGN, IDA)
        settled(client)
        assert receiver.received == []
    assert client.call("instantly", "GET", "/api/v2/webhooks").json()["items"] == []
    assert client.control("GET", "instantly/life")["on"] is False


def test_shares_of_more_than_everybody_are_refused(client: Client):
    response = client.put(f"{client.url}/_control/instantly/life", json={"bounced": 0.6, "replied": 0.6})
    assert (response.status_code, "one whole" in response.json()["detail"]) == (400, True)
