"""What keeps Instantly from writing to a lead: its block list, a campaign that does not send, a used-up plan."""

import pytest

from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import listed, push

IDA, TOM = "ida@a.example", "tom@b.example"
PATH = "/api/v2/block-lists-entries"


def block(client: Client, *values: str) -> dict:
    response = client.call("instantly", "POST", f"{PATH}/bulk-create", json={"bl_values": values})
    assert response.status_code == 200, response.text
    answer: dict = response.json()
    return answer


def blocked(client: Client, **query: str) -> list[str]:
    items = client.call("instantly", "GET", PATH, params=[("limit", "100"), *query.items()]).json()["items"]
    return [item["bl_value"] for item in items]


def test_a_blocked_address_or_domain_is_not_added_though_the_request_names_no_list(client: Client):
    block(client, IDA.upper(), "b.example")
    summary = push(client, CAMPAIGN, IDA, TOM, "zed@sub.b.example")
    assert (summary["in_blocklist"], summary["leads_uploaded"]) == (2, 1)
    assert listed(client) == ["zed@sub.b.example"]


def test_blocking_again_is_harmless_and_counts_nothing_new(client: Client):
    first = block(client, IDA, "b.example", "no value")
    assert [item["is_domain"] for item in first["items"]] == [False, True]
    assert (first["valid_count"], first["invalid_count"]) == (2, 1)
    assert block(client, IDA, "b.example")["items"] == []
    assert blocked(client) == [IDA, "b.example"]


@pytest.mark.parametrize("values", [[], ["b.example"] * 1001, ["b.example", 7], "b.example"])
def test_the_block_list_takes_one_to_a_thousand_texts(client: Client, values):
    response = client.call("instantly", "POST", f"{PATH}/bulk-create", json={"bl_values": values})
    assert response.status_code == 400


def test_an_entry_is_made_found_and_deleted_alone(client: Client):
    made = client.call("instantly", "POST", PATH, json={"bl_value": IDA}).json()
    assert client.call("instantly", "GET", f"{PATH}/{made['id']}").json() == made
    assert client.call("instantly", "DELETE", f"{PATH}/{made['id']}").json() == made
    assert client.call("instantly", "GET", f"{PATH}/{made['id']}").status_code == 404
    assert push(client, CAMPAIGN, IDA)["leads_uploaded"] == 1


@pytest.mark.parametrize("body", [{}, {"bl_value": "no value"}, {"bl_value": IDA, "reason": "x"}])
def test_an_entry_that_is_neither_address_nor_domain_is_refused(client: Client, body):
    assert client.call("instantly", "POST", PATH, json=body).status_code == 400


def test_entries_are_searched_and_deleted_together(client: Client):
    block(client, IDA, "b.example", "c.example")
    assert blocked(client, domains_only="true") == ["b.example", "c.example"]
    assert blocked(client, search="b.ex") == ["b.example"]
    gone = client.call("instantly", "DELETE", PATH, params=[("domains_only", "true")]).json()
    assert [item["bl_value"] for item in gone] == ["b.example", "c.example"]
    assert blocked(client) == [IDA]


def sending(client: Client, campaign: str = CAMPAIGN) -> tuple[int, str]:
    status = client.call("instantly", "GET", f"/api/v2/campaigns/{campaign}").json()["status"]
    answer = client.call("instantly", "GET", f"/api/v2/campaigns/{campaign}/sending-status").json()
    assert answer["summary"]["status_message"]
    return status, answer["diagnostics"]["status"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (2, "campaign_paused"),
        (-1, "campaign_accounts_unhealthy"),
        (-2, "campaign_bounce_protect"),
        (-99, "campaign_account_suspended"),
    ],
)
def test_a_campaign_that_does_not_send_says_so_until_the_sandbox_forgets(client: Client, status, code):
    assert sending(client) == (1, "healthy")
    client.control("PUT", "instantly/sending", json={"campaign": CAMPAIGN, "status": status})
    assert sending(client) == (status, code)
    client.control("POST", "reset")
    assert sending(client) == (1, "healthy")


def test_all_campaigns_stop_at_once_and_one_may_send_slower(client: Client):
    assert client.control("PUT", "instantly/sending", json={"status": -1})["campaigns"] >= 3
    assert sending(client) == (-1, "campaign_accounts_unhealthy")
    client.control("PUT", "instantly/sending", json={"campaign": CAMPAIGN, "status": 1, "code": "daily_limit_met"})
    assert sending(client) == (1, "daily_limit_met")


def test_a_stopped_campaign_takes_leads_and_writes_to_nobody(client: Client):
    client.control("PUT", "instantly/life", json={})
    client.control("PUT", "instantly/sending", json={"campaign": CAMPAIGN, "status": -2})
    assert push(client, CAMPAIGN, IDA)["leads_uploaded"] == 1
    assert listed(client, filter="FILTER_VAL_CONTACTED") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": 7}, "status must be one of"),
        ({"status": True}, "status must be one of"),
        ({"code": "tired"}, "code must be null or one of"),
        ({"campaign": "unknown", "status": 1}, "no campaign 'unknown'"),
    ],
)
def test_a_status_that_there_is_not_is_refused(client: Client, body, words):
    response = client.put(f"{client.url}/_control/instantly/sending", json=body)
    assert (response.status_code, words in response.json()["detail"]) == (400, True)


def test_a_plan_that_is_used_up_adds_nobody_and_counts_them_nowhere(client: Client):
    client.control("PUT", "instantly/plan", json={"leads": 1})
    summary = push(client, CAMPAIGN, IDA, TOM)
    assert (summary["leads_uploaded"], summary["remaining_in_plan"]) == (1, 0)
    assert {name for name, value in summary.items() if value == 1} == {"leads_uploaded"}
    plan = client.call("instantly", "GET", "/api/v2/workspace-billing/plan-details").json()["subscriptions"]["outreach"]
    assert (plan["total_lead_limit"], plan["current_lead_count"]) == (1, 1)
    client.control("PUT", "instantly/plan", json={"leads": 2})
    assert push(client, CAMPAIGN, TOM)["leads_uploaded"] == 1


def test_leads_are_deleted_by_campaign_and_status(client: Client):
    push(client, CAMPAIGN, IDA, TOM)
    client.control("POST", "instantly/emit", json={"event": "email_bounced", "email": IDA})
    body = {"campaign_id": CAMPAIGN, "status": -1}
    assert client.call("instantly", "DELETE", "/api/v2/leads", json=body).json() == {"count": 1}
    assert listed(client) == [TOM]
    assert client.call("instantly", "DELETE", "/api/v2/leads", json={}).status_code == 400
    assert push(client, CAMPAIGN, IDA)["leads_uploaded"] == 1


@pytest.mark.parametrize("key", ["", "bad-key", "unscoped-1"])
@pytest.mark.parametrize(
    "path", ["/api/v2/webhooks", "/api/v2/webhook-events", PATH, "/api/v2/workspace-billing/plan-details"]
)
def test_nothing_is_told_without_a_good_key(client: Client, key, path):
    client.key = key
    assert client.call("instantly", "GET", path).status_code == (403 if key == "unscoped-1" else 401)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/webhooks/none"),
        ("PATCH", "/api/v2/webhooks/none"),
        ("DELETE", "/api/v2/webhooks/none"),
        ("POST", "/api/v2/webhooks/none/test"),
        ("POST", "/api/v2/webhooks/none/resume"),
        ("GET", "/api/v2/webhook-events/none"),
        ("GET", f"{PATH}/none"),
        ("DELETE", f"{PATH}/none"),
        ("GET", "/api/v2/campaigns/none/sending-status"),
    ],
)
def test_what_there_is_not_is_not_found(client: Client, method, path):
    body = {"name": "x"} if method == "PATCH" else None
    response = client.call("instantly", method, path, json=body)
    assert (response.status_code, response.json()["error"]) == (404, "Not Found")
