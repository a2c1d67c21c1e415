"""What the sandbox answers, held against what the vendors publish."""

import json
from typing import Any

import jsonschema
import pytest

from integrations.sandbox.instantly import sending
from integrations.sandbox.instantly.events import KINDS, SUBSCRIBABLE
from integrations.sandbox.world import people
from tests.integrations.sandbox.calls import CAMPAIGN, MAIL_SCHEMA, PROMPT, Client
from tests.integrations.sandbox.published import answer_schema, document, problems
from tests.integrations.sandbox.receiving import emit, push, settled, subscribe
from tests.integrations.wire import http, serving

SCHEDULE = {
    "schedules": [
        {
            "name": "Weekdays",
            "timing": {"from": "09:00", "to": "17:00"},
            "days": {"1": True},
            "timezone": "America/Chicago",
        }
    ]
}

HOOK = {"target_hook_url": "http://127.0.0.1:9/hook", "event_type": "all_events", "headers": {"X-Holdfast": "5e1f"}}


def ids(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"id": people.person_id(number)} for number in range(start, start + count)]


ANSWERS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("apollo", "POST", "/mixed_people/api_search", "", {"params": [("person_titles[]", "cto"), ("per_page", 100)]}),
    ("apollo", "POST", "/people/bulk_match", "", {"json": {"details": [*ids(9), {"id": "nobody"}]}}),
    ("apollo", "GET", "/users/api_profile", "", {"params": [("include_credit_usage", "true")]}),
    ("apollo", "GET", "/users/api_profile", "", {}),
    ("apollo", "POST", "/usage_stats/credit_usage_stats", "", {}),
    ("perplexity", "POST", "/v1/agent", "", {"json": {"preset": "fast", "input": PROMPT}}),
    ("perplexity", "POST", "/v1/agent", "", {"json": {"model": "perplexity/sonar", "input": "a+failed@b.example"}}),
    ("perplexity", "POST", "/v1/agent", "", {"json": {"model": "perplexity/sonar", "input": "a+incomplete@b.example"}}),
    ("perplexity", "POST", "/v1/agent", "", {"json": {"model": "perplexity/sonar", "input": "a+cancelled@b.example"}}),
    ("perplexity", "GET", "/v1/models", "", {}),
    (
        "openai",
        "POST",
        "/responses",
        "",
        {"json": {"model": "gpt-6.1-terra", "input": PROMPT, "instructions": "Write."}},
    ),
    ("openai", "POST", "/responses", "", {"json": {"model": "gpt-6.1-terra", "input": "a+refusal@b.example"}}),
    ("openai", "POST", "/responses", "", {"json": {"model": "gpt-6.1-terra", "input": "a+failed@b.example"}}),
    ("openai", "POST", "/responses", "", {"json": {"model": "gpt-6.1-terra", "input": "a+incomplete@b.example"}}),
    ("openai", "POST", "/responses", "", {"json": {"model": "gpt-6.1-terra", "input": "a+commentary@b.example"}}),
    ("openai", "POST", "/responses", "", {"json": {"model": "gpt-6.1-terra", "input": "a+twice@b.example"}}),
    (
        "openai",
        "POST",
        "/chat/completions",
        "",
        {"json": {"model": "gpt-6.1-terra", "messages": [{"role": "user", "content": PROMPT}]}},
    ),
    ("openai", "GET", "/models", "", {}),
    ("instantly", "POST", "/api/v2/leads", "", {"json": {"campaign": CAMPAIGN, "email": "a@b.example"}}),
    (
        "instantly",
        "POST",
        "/api/v2/leads/add",
        "",
        {"json": {"campaign_id": CAMPAIGN, "leads": [{"email": "c@d.example", "first_name": "Ida"}, {"email": "bad"}]}},
    ),
    ("instantly", "POST", "/api/v2/leads/list", "", {"json": {}}),
    ("instantly", "GET", "/api/v2/campaigns", "", {}),
    ("instantly", "POST", "/api/v2/campaigns", "", {"json": {"name": "New", "campaign_schedule": SCHEDULE}}),
    ("instantly", "GET", f"/api/v2/campaigns/{CAMPAIGN}", "/api/v2/campaigns/{id}", {}),
    ("instantly", "POST", f"/api/v2/campaigns/{CAMPAIGN}/activate", "/api/v2/campaigns/{id}/activate", {}),
    ("instantly", "GET", "/api/v2/workspaces/current", "", {}),
    ("instantly", "GET", "/api/v2/webhooks", "", {}),
    ("instantly", "GET", "/api/v2/webhooks/event-types", "", {}),
    ("instantly", "POST", "/api/v2/webhooks", "", {"json": HOOK}),
    ("instantly", "GET", "/api/v2/webhook-events", "", {}),
    ("instantly", "GET", "/api/v2/block-lists-entries", "", {}),
    ("instantly", "POST", "/api/v2/block-lists-entries", "", {"json": {"bl_value": "a@b.example"}}),
    (
        "instantly",
        "POST",
        "/api/v2/block-lists-entries/bulk-create",
        "",
        {"json": {"bl_values": ["a@b.example", "c.example", "?"]}},
    ),
    ("instantly", "DELETE", "/api/v2/block-lists-entries", "", {}),
    ("instantly", "DELETE", "/api/v2/leads", "", {"json": {"campaign_id": CAMPAIGN}}),
    (
        "instantly",
        "GET",
        f"/api/v2/campaigns/{CAMPAIGN}/sending-status",
        "/api/v2/campaigns/{id}/sending-status",
        {},
    ),
    ("instantly", "GET", "/api/v2/workspace-billing/plan-details", "", {}),
]


@pytest.mark.parametrize(("service", "method", "path", "published", "request_"), ANSWERS)
def test_an_answer_has_the_published_shape(client: Client, service, method, path, published, request_):
    place = answer_schema(method, published or path)
    if path == "/api/v2/leads/list":
        client.paid("instantly")

    response = client.call(service, method, path, **request_)

    assert response.status_code == 200
    assert problems(service, response.json(), *place) == []


def test_a_subscription_and_what_was_delivered_to_it_have_the_published_shape(client: Client):
    """A delivery that failed, one that will be tried again and one that arrived; the hook before and after."""
    push(client, CAMPAIGN, "a@b.example")
    client.control("PUT", "instantly/hooks", json={"retry_seconds": 0})
    with serving(http(500, {}), http(200, {}), http(500, {})) as receiver:
        hook = subscribe(client, receiver, campaign=CAMPAIGN, name="Holdfast")
        one = f"/api/v2/webhooks/{hook['id']}"
        emit(client, ["email_sent", "email_bounced"], email="a@b.example")
        settled(client)
        answers: list[tuple[str, str, str, dict[str, Any]]] = [
            ("GET", one, "/api/v2/webhooks/{id}", {}),
            ("GET", "/api/v2/webhooks", "/api/v2/webhooks", {}),
            ("GET", "/api/v2/webhook-events", "/api/v2/webhook-events", {}),
            ("POST", f"{one}/test", "/api/v2/webhooks/{id}/test", {}),
            ("POST", f"{one}/resume", "/api/v2/webhooks/{id}/resume", {}),
            ("PATCH", one, "/api/v2/webhooks/{id}", {"json": {"name": None}}),
            ("DELETE", one, "/api/v2/webhooks/{id}", {}),
        ]
        for method, path, published, request in answers:
            response = client.call("instantly", method, path, **request)
            assert response.status_code == 200
            assert problems("instantly", response.json(), *answer_schema(method, published)) == []


def test_a_lead_after_each_event_has_the_published_shape(client: Client):
    push(client, CAMPAIGN, "a@b.example")
    for kind in KINDS:
        emit(client, kind, campaign=CAMPAIGN)
        answer = client.call("instantly", "POST", "/api/v2/leads/list", json={"filter": ""}).json()
        assert problems("instantly", answer, *answer_schema("POST", "/api/v2/leads/list")) == []


@pytest.mark.parametrize("status", sending.STATUSES)
def test_each_reason_not_to_send_has_the_published_shape(client: Client, status):
    client.control("PUT", "instantly/sending", json={"status": status})
    path = "/api/v2/campaigns/{id}/sending-status"
    answer = client.call("instantly", "GET", path.replace("{id}", CAMPAIGN)).json()
    assert problems("instantly", answer, *answer_schema("GET", path)) == []


def test_the_known_reasons_and_events_are_the_published_ones():
    """The codes of a campaign that does not send, and what can be subscribed to, against the document."""
    schema: Any = document("instantly")
    for part in answer_schema("GET", "/api/v2/campaigns/{id}/sending-status"):
        schema = schema[part]
    assert set(schema["properties"]["diagnostics"]["properties"]["status"]["enum"]) == set(sending.SENTENCES)
    webhook = document("instantly")["components"]["schemas"]["Webhook"]["properties"]
    assert set(webhook["event_type"]["enum"]) == {"all_events", *SUBSCRIBABLE}


@pytest.mark.parametrize("start", range(0, 4000, 400))
def test_every_person_has_the_published_shape(client: Client, start):
    """Blemishes included: 400 people at a time, in tens, as a reveal asks for them."""
    for number in range(start, start + 400, 10):
        response = client.call("apollo", "POST", "/people/bulk_match", json={"details": ids(10, number)})
        assert problems("apollo", response.json(), *answer_schema("POST", "/people/bulk_match")) == []


def test_one_enriched_person_has_the_published_shape(client: Client):
    person = next(person for number in range(100) if (person := people.person(number)).matched)
    response = client.call("apollo", "POST", "/people/match", params=[("id", person.id)])
    assert problems("apollo", response.json(), *answer_schema("POST", "/people/match")) == []


@pytest.mark.parametrize(
    ("fault", "status"), [("bad_key", 401), ("quota_exhausted", 402), ("rate_limit", 429), ("server_error", 500)]
)
def test_an_instantly_error_is_the_uniform_one(client: Client, fault, status):
    client.break_("instantly", fault)
    response = client.paid("instantly")
    assert response.status_code == status
    if status != 500:
        assert problems("instantly", response.json(), *answer_schema("POST", "/api/v2/leads/add", status)) == []
    assert set(response.json()) == {"statusCode", "error", "message"}


@pytest.mark.parametrize("fault", ["bad_key", "quota_exhausted", "rate_limit", "server_error"])
def test_an_openai_error_has_the_published_envelope(client: Client, fault):
    client.break_("openai", fault)
    error = client.paid("openai").json()
    assert problems("openai", error, "components", "schemas", "ErrorResponse") == []


def test_the_check_can_fail(client: Client):
    """A missing field, a wrong type and a field too many are found, so that silence above means something."""
    search = answer_schema("POST", "/mixed_people/api_search")
    assert problems("apollo", {"total_entries": "2", "people": []}, *search)
    assert problems("apollo", {"total_entries": 2, "people": [{"id": None}]}, *search)
    answer = client.paid("instantly").json()
    place = answer_schema("POST", "/api/v2/leads/add")
    assert problems("instantly", answer, *place) == []
    assert problems("instantly", {key: answer[key] for key in answer if key != "leads_uploaded"}, *place)
    response = client.paid("openai").json()
    assert problems("openai", response | {"status": "well"}, *answer_schema("POST", "/responses"))
    assert problems("perplexity", response | {"status": "well"}, *answer_schema("POST", "/v1/agent"))


def test_the_known_closed_bodies_are_the_published_ones():
    """The lists of fields and time zones that the sandbox holds, against the document."""
    from integrations.sandbox.instantly import shapes as bodies
    from tests.integrations.sandbox.published import request_schema

    def published(path: str) -> dict[str, Any]:
        schema: Any = document("instantly")
        for part in request_schema("POST", path):
            schema = schema[part]
        return schema["properties"]

    assert set(published("/api/v2/leads")) == bodies.SINGLE_LEAD
    assert set(published("/api/v2/leads/add")) == bodies.BULK
    assert set(published("/api/v2/leads/add")["leads"]["items"]["properties"]) == bodies.LEAD
    assert set(published("/api/v2/leads/list")) == bodies.LIST
    campaign = published("/api/v2/campaigns")
    assert set(campaign) == bodies.CAMPAIGN
    schedule = campaign["campaign_schedule"]["properties"]["schedules"]["items"]["properties"]
    assert set(schedule["timezone"]["enum"]) == bodies.TIMEZONES


def test_a_structured_mail_fits_its_schema(client: Client):
    (message,) = client.paid("openai").json()["output"]
    mail = json.loads(message["content"][0]["text"])
    jsonschema.validate(mail, MAIL_SCHEMA)
