"""The life of its own that Instantly's leads may have in the sandbox, and have not unless somebody orders it."""

from collections import Counter

from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import listed, push, settled, subscribe, told
from tests.integrations.wire import http, serving

IDA = "ida@a.example"
OK = http(200, {})


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
