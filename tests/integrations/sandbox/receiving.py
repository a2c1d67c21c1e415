"""Subscriptions with a real receiver, and the wait until the sandbox has nothing more to deliver."""

import time
from typing import Any

from tests.integrations.sandbox.calls import Client
from tests.integrations.wire import Server

HEADERS = {"X-Holdfast": "5e1f-secret"}


def subscribe(client: Client, receiver: Server, **fields: object) -> dict[str, Any]:
    body = {"target_hook_url": f"{receiver.url}/hook", "event_type": "all_events", "headers": HEADERS, **fields}
    response = client.call("instantly", "POST", "/api/v2/webhooks", json=body)
    assert response.status_code == 200, response.text
    hook: dict[str, Any] = response.json()
    return hook


def push(client: Client, campaign: str, *emails: str, **variables: object) -> dict[str, Any]:
    leads = [{"email": email, "custom_variables": variables} for email in emails]
    response = client.call("instantly", "POST", "/api/v2/leads/add", json={"campaign_id": campaign, "leads": leads})
    assert response.status_code == 200, response.text
    summary: dict[str, Any] = response.json()
    return summary


def emit(client: Client, event: str | list[str], **order: object) -> dict[str, int]:
    answer: dict[str, int] = client.control("POST", "instantly/emit", json={"event": event, **order})
    return answer


def settled(client: Client) -> dict[str, Any]:
    """How the deliveries went, once none is on its way or waits for a retry."""
    deadline = time.monotonic() + 10
    while (state := client.control("GET", "instantly/hooks"))["waiting"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.01)
    return dict(state)


def told(receiver: Server) -> list[tuple[str, str]]:
    """What the receiver was told, in the order in which it came: the kind of event and the lead."""
    return [(request.json["event_type"], request.json.get("lead_email", "")) for request in receiver.received]


def listed(client: Client, **query: object) -> list[str]:
    """The addresses that a listing of leads shows."""
    answer = client.call("instantly", "POST", "/api/v2/leads/list", json={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return [lead["email"] for lead in answer.json()["items"]]
