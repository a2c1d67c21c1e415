"""The free health calls: what they ask, and that they claim no more than they prove."""

import importlib
from datetime import date
from functools import partial
from types import ModuleType

import pytest
from pytest_django import Settings

from circuitbreakers import probes
from circuitbreakers.services import SERVICES
from integrations import apollo, instantly, keys, language_models, millionverifier, openai, perplexity
from integrations.errors import FailureType, VendorError
from tests.integrations import bodies
from tests.integrations.conftest import KEYS, Serve
from tests.integrations.wire import http

WELL = [
    (apollo, "/users/api_profile", {"id": "1", "effective_num_lead_credits": 100, "total_unified_credits_used": 58.5}),
    (millionverifier, "/api/v3/credits", {"credits": 941, "plan": 0}),
    (perplexity, "/v1/models", {"object": "list", "data": [{"id": "perplexity/sonar"}]}),
    (openai, "/models", {"object": "list", "data": [{"id": "gpt-6.1-terra"}]}),
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


@pytest.mark.parametrize("vendor", [openai, perplexity], ids=["openai", "perplexity"])
def test_without_its_model_a_service_is_not_well(serve: Serve, vendor: ModuleType) -> None:
    serve(vendor.SERVICE, http(200, {"object": "list", "data": [{"id": "gpt-4"}]}))
    result = vendor.probe()
    assert (result.ok, result.failure_type) == (False, "auth")
    setting = f"{vendor.SERVICE.upper()}_MODEL"
    assert "is not in the list of models that the key may use" in result.detail
    assert f"put another into {setting}" in result.detail


TODAY = date(2026, 12, 9)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (None, "model gpt-9 is listed"),
        (date(2026, 12, 10), "model gpt-9 is listed, but is shut down on 2026-12-10, in 1 day: change OPENAI_MODEL"),
        (date(2026, 12, 11), "model gpt-9 is listed, but is shut down on 2026-12-11, in 2 days: change OPENAI_MODEL"),
    ],
)
def test_the_end_of_a_model_is_foretold(settings: Settings, end: date | None, said: str) -> None:
    settings.OPENAI_MODEL = "gpt-9"
    assert language_models.availability("openai", {"gpt-9": end}, TODAY) == said


@pytest.mark.parametrize("end", [TODAY, date(2025, 1, 1)])
def test_a_model_that_is_shut_down_makes_the_probe_fail_although_it_is_listed(settings: Settings, end: date) -> None:
    settings.OPENAI_MODEL = "gpt-9"
    with pytest.raises(VendorError, match=f"model gpt-9 was shut down on {end}: put another into") as caught:
        language_models.availability("openai", {"gpt-9": end}, TODAY)
    assert caught.value.failure_type == FailureType.AUTH


@pytest.mark.parametrize("day", ["soon", "", 20261211, None, ["2026-12-11"]])
def test_a_day_that_cannot_be_read_is_no_end(serve: Serve, settings: Settings, day: object) -> None:
    settings.OPENAI_MODEL = "gpt-9"
    serve("openai", http(200, {"object": "list", "data": [{"id": "gpt-9", "shutdown_date": day}]}))
    assert openai.probe().detail == "The key is accepted; model gpt-9 is listed"


def test_credits_of_apollo_are_told_from_the_pool_and_not_from_the_field_that_sticks(serve: Serve) -> None:
    profile = {"num_credits_remaining": 0, "effective_num_lead_credits": 100, "total_unified_credits_used": 58.5}
    serve("apollo", http(200, {"id": "1"} | profile))
    assert "41.5 credits left" in apollo.probe().detail


def test_the_breakers_know_all_five_probes() -> None:
    vendors = {service: importlib.import_module(f"integrations.{service}") for service in SERVICES}
    assert probes._probes.keys() == vendors.keys()
    for service, (health_call, needs) in probes._probes.items():
        assert health_call == vendors[service].probe
        assert isinstance(needs, partial)
        assert (needs.func, needs.args) == (keys.refusal, (vendors[service],))
