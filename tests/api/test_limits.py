"""How fast a service is called, through the API: who may set it, what is refused, and who is told of whom."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from circuitbreakers import gate, rates
from circuitbreakers.models import Breaker, Event
from tests.api.conftest import client_of
from tests.breakers import ANN

BREAKERS = "/api/v1/queue-management/circuit-breakers"
URL = f"{BREAKERS}/apollo/limits"
WHY = "their support asked for it"


@pytest.fixture(autouse=True)
def the_environments(settings: Any) -> None:
    settings.RATE_LIMITS = {name: rates.parse(text) for name, text in settings.RATE_LIMIT_DEFAULTS.items()}


@pytest.fixture
def boss() -> APIClient:
    return client_of("admin")


def put(client: APIClient, **body: Any) -> Any:
    version = Breaker.objects.get(pk="apollo").version
    return client.post(URL, {"version": version, "reason": WHY, **body}, format="json")


def test_an_admin_sets_limits_and_the_answer_says_who_when_and_why(boss: APIClient) -> None:
    answer = put(boss, rate_limits="50/60,3000/3600", dispatch_window=9)
    assert answer.status_code == 200
    data = answer.json()["data"]
    event = Event.objects.get(subject_type="policy")
    assert (data["action"], data["changed"]) == ("set_limits", True)
    shown = data["limits"]["rate_limits"]
    assert (shown["value"], shown["environment"], shown["by_hand"]) == ("50/60,3000/3600", "200/60,6000/3600", True)
    assert (shown["set_by"], shown["reason"]) == ("admin", WHY)
    assert shown["set_at"] == event.at.isoformat().replace("+00:00", "Z")
    assert (event.actor, event.door, event.reason) == ("admin", "api", WHY)
    assert data["limits"]["dispatch_window"]["value"] == 9


def test_the_status_of_a_breaker_shows_its_limits(boss: APIClient, viewer: APIClient) -> None:
    put(boss, rate_limits="50/60,3000/3600")
    status = viewer.get("/api/v1/queue-management/status").json()["data"]["circuit_breakers"]
    assert status["apollo"]["limits"]["rate_limits"]["set_by"] == "admin"
    assert status["openai"]["limits"]["rate_limits"]["by_hand"] is False
    assert viewer.get(URL).json()["data"] == status["apollo"]["limits"]


def test_null_and_an_empty_text_are_the_environments(boss: APIClient) -> None:
    put(boss, rate_limits="50/60,3000/3600", dispatch_window=9)
    limits = put(boss, rate_limits="", dispatch_window=None).json()["data"]["limits"]
    assert (limits["rate_limits"]["value"], limits["rate_limits"]["by_hand"]) == ("200/60,6000/3600", False)
    assert (limits["dispatch_window"]["value"], limits["dispatch_window"]["by_hand"]) == (256, False)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"rate_limits": "0/60"}, "rate_limits", "lets nothing through"),
        ({"rate_limits": "-1/60"}, "rate_limits", "Write COUNT/SECONDS"),
        ({"rate_limits": "many"}, "rate_limits", "Write COUNT/SECONDS"),
        ({"rate_limits": "500/60"}, "rate_limits", "Above what is published"),
        ({"dispatch_window": 0}, "dispatch_window", "1 to 10,000 messages"),
        ({"dispatch_window": "many"}, "dispatch_window", "integer"),
        ({"rate_limits": "50/60", "reason": ""}, "reason", "blank"),
        ({"rate_limits": "50/60", "version": None}, "version", "null"),
        ({}, "non_field_errors", "Give rate_limits or dispatch_window"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(
    boss: APIClient, body: dict[str, Any], field: str, words: str
) -> None:
    answer = put(boss, **body)
    assert answer.status_code == 400
    assert words in " ".join(answer.json()["errors"][field])
    assert not Event.objects.filter(subject_type="policy").exists()


def test_more_than_is_published_needs_its_own_word(boss: APIClient) -> None:
    assert put(boss, rate_limits="500/60").status_code == 400
    answer = put(boss, rate_limits="500/60", above_published=True)
    assert answer.status_code == 200
    assert answer.json()["data"]["limits"]["above_published"] is True


def test_who_edits_what_somebody_has_edited_since_is_told_with_409(boss: APIClient) -> None:
    version = boss.get(URL).json()["data"]["version"]
    put(boss, rate_limits="50/60,3000/3600", version=version)
    answer = put(boss, rate_limits="60/60,3000/3600", version=version)
    assert answer.status_code == 409
    assert "apollo was edited meanwhile by admin at" in answer.json()["detail"]
    assert Breaker.objects.get(pk="apollo").rate_limits == "50/60,3000/3600"


def test_an_operator_may_look_but_not_set(operator: APIClient) -> None:
    assert operator.get(URL).status_code == 200
    assert put(operator, rate_limits="50/60,3000/3600").status_code == 403


def test_an_unknown_service_is_400(boss: APIClient) -> None:
    for path in ("limits", "slow", "full-speed"):
        assert boss.post(f"{BREAKERS}/foo/{path}", {"reason": WHY}, format="json").status_code == 400
    assert boss.get(f"{BREAKERS}/foo/limits").status_code == 400


def test_an_operator_slows_a_service_and_brings_it_back(operator: APIClient) -> None:
    answer = operator.post(f"{BREAKERS}/openai/slow", {"reason": WHY})
    assert answer.json()["data"]["message"] == "openai is slowed to 20 % of its rate limits."
    limits = operator.get(f"{BREAKERS}/openai/limits").json()["data"]
    assert (limits["speed"]["value"], limits["speed"]["set_by"], limits["speed"]["reason"]) == (20, "operator", WHY)
    assert limits["in_force"] == "460/300:10,tokens=184000/300:4000"
    answer = operator.post(f"{BREAKERS}/openai/full-speed")
    assert answer.json()["data"]["changed"] is True
    assert operator.post(f"{BREAKERS}/openai/full-speed").json()["data"]["changed"] is False


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": WHY, "percent": 0}, {"reason": WHY, "percent": 100}])
def test_slowing_needs_a_reason_and_a_speed_that_is_slower(operator: APIClient, body: dict[str, Any]) -> None:
    assert operator.post(f"{BREAKERS}/openai/slow", body, format="json").status_code == 400


def test_a_wait_is_shown_and_lifted_with_its_date(operator: APIClient) -> None:
    gate.record("openai", "rate_limit", "HTTP 429", retry_after=3 * 86_400)
    until = operator.get(BREAKERS).json()["data"]["circuit_breakers"]["openai"]["waits_until"]
    assert until
    message = operator.post(f"{BREAKERS}/openai/lift-wait", {"reason": WHY}).json()["data"]["message"]
    assert message == f"The wait of openai until {until[:10]} {until[11:19]} UTC is lifted."
    assert operator.get(BREAKERS).json()["data"]["circuit_breakers"]["openai"]["waits_until"] is None
    assert gate.lift_wait("openai", actor=ANN) is None
