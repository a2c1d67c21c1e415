"""Subscriptions at Instantly: receivers that fail, what is listed of deliveries, and whom nobody calls."""

import time

import pytest

from integrations.sandbox import Sandbox
from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import HEADERS, emit, push, settled, subscribe, told
from tests.integrations.wire import Conversation, http, serving

IDA, TOM = "ida@a.example", "tom@a.example"
OK = http(200, {})


def hook_of(client: Client, hook: dict) -> dict:
    answer: dict = client.call("instantly", "GET", f"/api/v2/webhooks/{hook['id']}").json()
    return answer


def deliveries(client: Client, **query: str) -> list[dict]:
    answer = client.call("instantly", "GET", "/api/v2/webhook-events", params=[("limit", "100"), *query.items()])
    items: list[dict] = answer.json()["items"]
    return items


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
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0.02, "timeout_seconds": 0.5})
    with serving(lambda talk: talk.trickle(b"HTTP/1.1 200 ", gap=1)) as receiver:
        hook = subscribe(client, receiver)
        emit(client, "email_sent", email=IDA)
        assert client.probe("instantly").status_code == 200
        assert client.control("GET", "instantly/hooks")["waiting"] == 1
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
        emit(client, "email_sent", email=IDA, delay_seconds=1)
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
