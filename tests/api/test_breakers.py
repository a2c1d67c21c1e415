"""Breakers through the API: the paths, bodies and status codes of docs/contract.md#http."""

import pytest
from rest_framework.test import APIClient

from circuitbreakers import events, incidents, probes, switch
from circuitbreakers.models import Event, Incident
from circuitbreakers.services import SERVICES
from tests.breakers import answer_probes, stored, trip

URL = "/api/v1/queue-management"
BREAKERS = f"{URL}/circuit-breakers"
UNKNOWN = (
    "Invalid service name: foo. Valid services: ['apollo', 'millionverifier', 'perplexity', 'openai', 'instantly']"
)


def test_a_reset_closes_the_breaker_and_says_so_in_the_contracts_words(operator: APIClient) -> None:
    trip("apollo")
    answer = operator.post(f"{BREAKERS}/apollo/reset", {"reason": "new key"})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "data": {
            "service": "apollo",
            "action": "circuit_breaker_reset",
            "changed": True,
            "message": "Circuit breaker reset for apollo - service manually resumed",
        },
    }
    assert stored("apollo")["state"] == "closed"


def test_the_event_of_a_reset_names_the_user_and_the_door(operator: APIClient) -> None:
    trip("apollo")
    operator.post(f"{BREAKERS}/apollo/reset", {"reason": "new key"})
    event = Event.objects.get(verb="reset")
    assert (event.actor, event.door, event.reason) == ("operator", "api", "new key")


def test_a_reset_of_a_closed_breaker_succeeds_and_changes_nothing(operator: APIClient) -> None:
    answer = operator.post(f"{BREAKERS}/apollo/reset")
    assert answer.status_code == 200
    assert answer.json()["data"]["changed"] is False


def test_a_reset_wakes_nobody_and_leaves_the_queue_paused(operator: APIClient) -> None:
    trip("apollo")
    operator.post(f"{BREAKERS}/apollo/reset")
    assert set(operator.get(f"{URL}/status").json()["data"]["queue"].values()) == {"PAUSED"}


def test_a_failing_probe_refuses_the_reset_with_409_and_leaves_it_open(operator: APIClient) -> None:
    trip("apollo")
    answer_probes(False, "apollo")
    answer = operator.post(f"{BREAKERS}/apollo/reset", {"reason": "hope"})
    assert answer.status_code == 409
    assert answer.json()["status"] == "error"
    assert "The probe of apollo failed" in answer.json()["detail"]
    assert stored("apollo")["state"] == "open"


def test_a_forced_reset_needs_a_reason_and_then_needs_no_probe(operator: APIClient) -> None:
    trip("apollo")
    answer_probes(False, "apollo")
    for body in ({"force": True}, {"force": True, "reason": "  "}):
        answer = operator.post(f"{BREAKERS}/apollo/reset", body)
        assert (answer.status_code, set(answer.json()["errors"])) == (400, {"reason"})
    assert operator.post(f"{BREAKERS}/apollo/reset", {"force": True, "reason": "they say so"}).status_code == 200
    assert stored("apollo")["state"] == "closed"


@pytest.mark.parametrize("verb", ["reset", "probe", "hold", "release"])
def test_an_unknown_service_is_a_bad_request_in_the_contracts_words(operator: APIClient, verb: str) -> None:
    answer = operator.post(f"{BREAKERS}/foo/{verb}", {"reason": "x"})
    assert answer.status_code == 400
    assert answer.json() == {"status": "error", "detail": UNKNOWN}


def test_an_unknown_service_in_a_body_is_the_same(operator: APIClient) -> None:
    for verb in ("pause-service", "resume-service"):
        answer = operator.post(f"{URL}/{verb}", {"service": "foo", "reason": "x"})
        assert (answer.status_code, answer.json()["detail"]) == (400, UNKNOWN)
    assert operator.get(f"{URL}/paused-jobs/foo").json()["detail"] == UNKNOWN


def test_while_redis_is_down_a_reset_says_so_in_the_contracts_words(operator: APIClient, redis_down: None) -> None:
    answer = operator.post(f"{BREAKERS}/apollo/reset")
    assert answer.status_code == 503
    assert answer.json() == {"status": "error", "detail": "Error resetting circuit breaker: Redis connection failed"}
    assert int(answer["Retry-After"]) > 0


def test_while_redis_is_down_rows_can_be_read_and_nothing_is_changed(operator: APIClient, redis_down: None) -> None:
    for path in ("campaigns", "leads", "jobs", "vendor-calls", "incidents", "events"):
        assert operator.get(f"/api/v1/{path}").status_code == 200
    assert operator.get(f"{URL}/status").status_code == 503
    before = Event.objects.count()
    for path in ("pause-service", "resume-service", "resume-queue"):
        assert operator.post(f"{URL}/{path}", {"service": "apollo", "reason": "x"}).status_code == 503
    assert operator.post("/api/v1/campaigns", {"name": "x"}).status_code == 503
    assert Event.objects.count() == before


def test_values_that_are_not_valid_come_back_by_field(operator: APIClient) -> None:
    answer = operator.post(f"{BREAKERS}/apollo/reset", {"reason": "x" * 501, "force": "perhaps"})
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"status", "detail", "errors"}
    assert set(body["errors"]) == {"reason", "force"}
    assert all(isinstance(message, str) for messages in body["errors"].values() for message in messages)


def test_a_probe_says_what_it_found_and_closes_nothing(operator: APIClient) -> None:
    trip("openai")
    data = operator.post(f"{BREAKERS}/openai/probe").json()["data"]
    assert (data["ok"], data["detail"], data["proves"]) == (True, "answers", "the key is good")
    assert stored("openai")["state"] == "open"


def test_a_second_probe_at_the_same_time_is_refused(operator: APIClient) -> None:
    switch.take_probe_lease("openai", "somebody", probes.LEASE)
    assert operator.post(f"{BREAKERS}/openai/probe").status_code == 409


def test_a_hold_opens_the_breaker_and_only_a_release_makes_a_reset_possible(operator: APIClient) -> None:
    assert operator.post(f"{BREAKERS}/apollo/hold", {}).status_code == 400
    held = operator.post(f"{BREAKERS}/apollo/hold", {"reason": "audit", "remind_at": "2030-01-01T00:00:00Z"})
    assert (held.status_code, held.json()["data"]["changed"]) == (200, True)
    assert stored("apollo")["state"] == "open"
    assert operator.post(f"{BREAKERS}/apollo/reset", {"reason": "x"}).status_code == 409
    assert operator.post(f"{BREAKERS}/apollo/release").status_code == 200
    assert operator.post(f"{BREAKERS}/apollo/reset", {"reason": "x"}).status_code == 200


def test_the_breakers_are_listed_with_the_contracts_fields(viewer: APIClient) -> None:
    trip("perplexity")
    data = viewer.get(BREAKERS).json()["data"]["circuit_breakers"]
    assert list(data) == list(SERVICES)
    wanted = {"circuit_state", "queue_paused", "failure_count", "failure_threshold"}
    wanted |= {"opened_at", "open_until", "reason", "last_probe"}
    assert wanted <= set(data["perplexity"])
    assert data["perplexity"]["circuit_state"] == "open"
    assert data["perplexity"]["opened_at"].endswith("Z")
    assert data["apollo"]["circuit_state"] == "closed"


def test_an_incident_comes_with_its_evidence_and_timeline(operator: APIClient) -> None:
    trip("apollo")
    operator.post(f"{BREAKERS}/apollo/reset", {"reason": "new key"})
    rows = operator.get("/api/v1/incidents?service=apollo&open=false").json()["data"]["results"]
    assert len(rows) == 1
    incident = operator.get(f"/api/v1/incidents/{rows[0]['id']}").json()["data"]
    assert incident["timeline"][0]["verb"] == "opened"
    assert incident["timeline"][-1]["verb"] == "reset"
    assert incident["evidence"]
    assert incident["timeline_truncated"] is False


def test_an_incident_says_that_its_timeline_goes_on(viewer: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    trip("apollo")
    row = Incident.objects.get()
    for n in range(3):
        events.record("incident", row.pk, f"noted_{n}", actor=events.WORKER, incident=row)
    most = incidents.timeline(row).count()
    for limit, truncated in ((most, False), (most - 1, True)):
        monkeypatch.setattr("api.breaker_serializers.TIMELINE", limit)
        answer = viewer.get(f"/api/v1/incidents/{row.pk}").json()["data"]
        assert (len(answer["timeline"]), answer["timeline_truncated"]) == (limit, truncated)


def test_an_operators_pause_of_one_service_is_lifted_on_its_own(operator: APIClient) -> None:
    paused = operator.post(f"{URL}/pause-service", {"service": "openai", "reason": "budget"})
    assert (paused.status_code, paused.json()["data"]["changed"]) == (200, True)
    assert operator.get(f"{URL}/status").json()["data"]["queue"]["openai"] == "PAUSED"
    operator.post(f"{URL}/pause-service", {"service": "all", "reason": "lunch"})
    lifted = operator.post(f"{URL}/resume-service", {"service": "all"}).json()["data"]
    assert lifted["services_still_paused"] == ["openai"]
    assert operator.post(f"{URL}/resume-service", {"service": "openai"}).json()["data"]["services_still_paused"] == []
