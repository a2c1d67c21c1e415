"""The free health calls: what they ask, and that they claim no more than they prove."""

import importlib
from types import ModuleType

import pytest

from circuitbreakers import probes
from circuitbreakers.services import SERVICES
from integrations import apollo, instantly, millionverifier, openai, perplexity
from tests.integrations import bodies
from tests.integrations.conftest import KEYS, Serve
from tests.integrations.wire import http

WELL = [
    (apollo, "/users/api_profile", {"id": "1", "effective_num_lead_credits": 100, "total_unified_credits_used": 58.5}),
    (millionverifier, "/api/v3/credits", {"credits": 941, "plan": 0}),
    (perplexity, "/v1/models", {"object": "list", "data": [{"id": "perplexity/sonar"}]}),
    (openai, "/models", {"object": "list", "data": [{"id": "gpt-5-mini"}]}),
    (instantly, "/api/v2/workspaces/current", {"id": "w", "name": "Acme"}),
]


@pytest.mark.parametrize(("vendor", "path", "body"), WELL, ids=SERVICES)
def test_a_probe_of_a_vendor_that_is_well(serve: Serve, vendor: ModuleType, path: str, body: object) -> None:
    server = serve(vendor.SERVICE, http(200, body))
    result = vendor.probe()
    assert (result.ok, result.failure_type) == (True, None)
    assert (server.last.method, server.last.path) == ("GET", path)
    # Honest: each says what it does not prove.
    assert "not that" in result.proves or "neither" in result.proves


@pytest.mark.parametrize(("vendor", "path", "body"), WELL, ids=SERVICES)
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (http(503, {}), "server_error"),
        (http(401, {"message": "api key revoked"}), "auth"),
        (http(403, bodies.PAGE_403), "malformed"),
        (http(200, {}), "malformed"),
        (lambda talk: talk.reset(), "connection"),
    ],
)
def test_a_probe_of_a_vendor_that_is_not(
    serve: Serve, vendor: ModuleType, path: str, body: object, answer: bytes, failure: str
) -> None:
    serve(vendor.SERVICE, answer)
    result = vendor.probe()
    assert (result.ok, result.failure_type) == (False, failure)
    assert KEYS[vendor.SERVICE] not in repr(result)


def test_a_verifier_without_credits_is_not_well(serve: Serve) -> None:
    serve("millionverifier", http(200, {"credits": 0, "plan": 0}))
    assert millionverifier.probe().failure_type == "quota_exhausted"


def test_a_bad_key_inside_a_success_is_found(serve: Serve) -> None:
    serve("millionverifier", http(200, {"error": "apikey_not_found"}))
    assert millionverifier.probe().failure_type == "auth"


def test_a_model_that_the_key_may_not_use_is_named(serve: Serve) -> None:
    serve("openai", http(200, {"object": "list", "data": [{"id": "gpt-4"}]}))
    assert "NOT in its list" in openai.probe().detail


def test_credits_of_apollo_are_told_from_the_pool_and_not_from_the_field_that_sticks(serve: Serve) -> None:
    profile = {"num_credits_remaining": 0, "effective_num_lead_credits": 100, "total_unified_credits_used": 58.5}
    serve("apollo", http(200, {"id": "1"} | profile))
    assert "41.5 credits left" in apollo.probe().detail


def test_the_breakers_know_all_five_probes() -> None:
    registered = {service: importlib.import_module(f"integrations.{service}").probe for service in SERVICES}
    assert probes._probes == registered
