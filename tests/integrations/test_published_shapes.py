"""Every request that we send, held against the OpenAPI documents that the vendors publish."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from campaigns.apollo_url import SAME
from integrations import apollo, instantly, instantly_outcomes, millionverifier, openai, perplexity
from tests.integrations import bodies
from tests.integrations.conftest import Serve
from tests.integrations.wire import Received, http

DOCUMENTS = Path(__file__).parents[3] / "shared" / "vendor-specs"

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"the vendors' OpenAPI documents are not in {DOCUMENTS}")

# Where a request of ours departs from the document, and why.
EXCEPTIONS = {
    ("GET", "/api/v3/"): "MillionVerifier publishes no document that could be fetched",
    ("GET", "/api/v3/credits"): "MillionVerifier publishes no document that could be fetched",
}

LEAD = {
    "email": "ida@acme.test",
    "first_name": "Ida",
    "last_name": "Locke",
    "company_name": "Acme",
    "job_title": "Head of Data",
    "website": "https://acme.test",
    "personalization": "Hello",
    "custom_variables": {"subject": "Hello", "body": "Arms.", "score": 7, "vip": True, "note": None},
}
HOOK = {
    "url": "https://holdfast.test/hook/9c1e",
    "header": "X-Holdfast",
    "secret": "5e1f",
    "name": "Holdfast",
    "campaign_id": "0c1d",
}
LISTED = {"object": "list", "data": []}
ITEMS: dict[str, Any] = {"items": []}

# One of each kind of request that the clients make.
SENT: list[tuple[str, str, object, Callable[[], object]]] = [
    (
        "apollo",
        "search",
        bodies.APOLLO_FOUND,
        lambda: apollo.search_people({"person_titles[]": ["CTO"]}, page=1, per_page=100),
    ),
    ("apollo", "reveal", bodies.APOLLO_REVEALED, lambda: apollo.reveal(["a", "b"])),
    ("apollo", "probe", {"id": "1"}, apollo.probe),
    ("millionverifier", "verify", bodies.VERDICT, lambda: millionverifier.verify("ida@acme.test")),
    ("millionverifier", "probe", {"credits": 1}, millionverifier.probe),
    ("perplexity", "research", bodies.RESEARCH, lambda: perplexity.research(instructions="i", prompt="p")),
    ("perplexity", "probe", LISTED, perplexity.probe),
    ("openai", "write", bodies.mail(), lambda: openai.write_mail(instructions="i", prompt="p")),
    ("openai", "probe", LISTED, openai.probe),
    ("instantly", "push", bodies.UPLOADED, lambda: instantly.push(campaign_id="0c1d", lead=LEAD)),
    ("instantly", "find", ITEMS, lambda: instantly.find_lead("0c1d", "ida@acme.test")),
    ("instantly", "create", bodies.CAMPAIGN, lambda: instantly.create_campaign("Autumn")),
    ("instantly", "get", bodies.CAMPAIGN, lambda: instantly.get_campaign("0c1d")),
    ("instantly", "list", ITEMS, lambda: instantly.find_campaigns("Autumn")),
    ("instantly", "probe", {"id": "w"}, instantly.probe),
    ("instantly", "webhooks", ITEMS, instantly_outcomes.list_webhooks),
    ("instantly", "subscribe", bodies.WEBHOOK, lambda: instantly_outcomes.create_webhook(**HOOK)),
    ("instantly", "unsubscribe", bodies.WEBHOOK, lambda: instantly_outcomes.delete_webhook("01ab")),
    ("instantly", "resume", bodies.WEBHOOK, lambda: instantly_outcomes.resume_webhook("01ab")),
    ("instantly", "test", {"success": True}, lambda: instantly_outcomes.test_webhook("01ab")),
    (
        "instantly",
        "outcomes",
        ITEMS,
        lambda: instantly_outcomes.list_leads("0c1d", instantly_outcomes.FILTER_VAL_BOUNCED, after="7aa0"),
    ),
    ("instantly", "block", bodies.BLOCKED, lambda: instantly_outcomes.block(["ida@acme.test", "acme.test"])),
    ("instantly", "plan", {}, instantly_outcomes.plan_room),
]


def document(service: str) -> dict[str, Any]:
    return json.loads((DOCUMENTS / f"{service}.json").read_text())


def operation(spec: dict[str, Any], request: Received) -> dict[str, Any]:
    """The operation that the document has for this method and path, {placeholders} matched."""
    for path, methods in spec["paths"].items():
        parts = zip(path.split("/"), request.path.split("/"), strict=False)
        same = path.count("/") == request.path.count("/") and all(p == q or p.startswith("{") for p, q in parts)
        if same and request.method.lower() in methods:
            return methods[request.method.lower()]
    raise AssertionError(f"{request.method} {request.path} is not in the document")


def plain(value: str) -> Any:
    """A query's text as the JSON value it stands for, for schemas that want numbers and booleans."""
    return json.loads(value) if value in ("true", "false") or value.isdecimal() else value


def check(spec: dict[str, Any], request: Received) -> None:
    """Raises ValidationError or AssertionError if the document would not have this request."""
    described = operation(spec, request)
    parameters = {p["name"]: p for p in described.get("parameters", []) if p.get("in") == "query"}
    for name, value in request.query:
        assert name in parameters, f"{name} is no parameter of {request.path}"
        schema = parameters[name].get("schema", {})
        sent = [value] if schema.get("type") == "array" else plain(value)
        jsonschema.validate(sent, schema | {"components": spec["components"]}, jsonschema.Draft202012Validator)
    body = described.get("requestBody")
    if not request.body and not (body or {}).get("required"):
        return
    assert body is not None, f"{request.path} takes no body"
    schema = body["content"]["application/json"]["schema"]
    jsonschema.validate(
        request.json, {"allOf": [schema], "components": spec["components"]}, jsonschema.Draft202012Validator
    )


@pytest.mark.parametrize(("service", "name", "answer", "call"), SENT, ids=[f"{row[0]} {row[1]}" for row in SENT])
def test_what_we_send_is_what_the_vendor_publishes(
    serve: Serve, service: str, name: str, answer: object, call: Callable[[], object]
) -> None:
    server = serve(service, http(200, answer))
    call()
    (request,) = server.received
    if (request.method, request.path) in EXCEPTIONS:
        pytest.skip(EXCEPTIONS[request.method, request.path])
    check(document(service), request)


def test_both_requests_for_why_a_campaign_does_not_send_are_published(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.CAMPAIGN), http(200, bodies.SENDING))
    instantly_outcomes.sending_status("0c1d")
    campaign, status = server.received
    for request in (campaign, status):
        check(document("instantly"), request)


def test_every_filter_that_a_pasted_search_can_give_is_a_parameter_of_the_api() -> None:
    search = document("apollo")["paths"]["/mixed_people/api_search"]["post"]
    assert set(SAME.values()) <= {parameter["name"] for parameter in search["parameters"]}


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("apollo", Received("POST", "/mixed_people/api_search?per_page=many", {}, b"")),
        ("apollo", Received("POST", "/mixed_people/api_search?person_title[]=CTO", {}, b"")),
        ("apollo", Received("POST", "/people/bulk_match", {}, b'{"people": []}')),
        ("apollo", Received("POST", "/mixed_people/search", {}, b"")),
        ("perplexity", Received("POST", "/v1/agent", {}, b'{"model": "perplexity/sonar"}')),
        ("openai", Received("POST", "/responses", {}, b'{"max_output_tokens": "many"}')),
        ("instantly", Received("POST", "/api/v2/leads/add", {}, b'{"leads": [{"name": "Ida"}]}')),
        ("instantly", Received("POST", "/api/v2/campaigns", {}, b'{"name": "no schedule"}')),
    ],
)
def test_a_request_of_another_shape_would_be_noticed(service: str, request_: Received) -> None:
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        check(document(service), request_)
