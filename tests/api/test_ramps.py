"""The way back after a queue resume, through the API."""

import pytest
from rest_framework.test import APIClient

from api import queue
from circuitbreakers.models import Event, Ramp
from circuitbreakers.services import SERVICES
from tests.api.test_bodies import assert_described
from tests.breakers import admit, reset, trip
from tests.builders import make_campaign, make_job

URL = "/api/v1/queue-management"
RAMP = f"{URL}/circuit-breakers/apollo/ramp"


@pytest.fixture
def resumed(operator: APIClient, live_processes: None) -> APIClient:
    """An operator who has resumed after an opening of Apollo's."""
    make_job(make_campaign())
    trip()
    reset()
    assert operator.post(f"{URL}/resume-queue").json()["data"]["stages"].keys() == {"apollo"}
    return operator


def test_the_stage_is_shown_with_what_moves_it_on(resumed: APIClient) -> None:
    ramp = resumed.get(RAMP).json()["data"]["ramp"]
    assert (ramp["stage"], ramp["sentence"][:6], ramp["calls"]) == (0, "canary", 0)
    body = resumed.get(f"{URL}/status").json()["data"]
    assert_described(queue.QueueStatus, body)
    assert body["circuit_breakers"]["apollo"]["ramp"] == ramp
    assert body["circuit_breakers"]["openai"]["ramp"] is None
    assert resumed.get(RAMP.replace("apollo", "openai")).json()["data"] == {"ramp": None}


def test_it_is_moved_on_record(resumed: APIClient) -> None:
    body = {"move": "hold", "reason": "let us see"}
    assert [resumed.post(RAMP, body).json()["data"]["changed"] for _ in range(2)] == [True, False]
    assert resumed.get(RAMP).json()["data"]["ramp"]["hold_reason"] == "let us see"
    assert resumed.post(RAMP, {"move": "all_at_once", "reason": "they said so"}).status_code == 200
    assert Ramp.objects.get().ended_how == "skipped"
    assert Event.objects.filter(verb="ramp_skipped", door="api", reason="they said so").exists()


def test_what_cannot_be_is_refused(resumed: APIClient) -> None:
    assert resumed.post(RAMP, {"move": "back"}).status_code == 409
    assert resumed.post(RAMP.replace("apollo", "openai"), {"move": "back"}).status_code == 409
    assert resumed.post(RAMP, {"move": "hold"}).status_code == 400
    assert resumed.post(RAMP, {"move": "fly"}).status_code == 400
    assert resumed.post(f"{URL}/resume-queue", {"all_at_once": True}).status_code == 400


def test_a_resume_may_ask_for_canaries_everywhere_or_nowhere(resumed: APIClient) -> None:
    data = resumed.post(f"{URL}/resume-queue", {"all_at_once": True, "reason": "they said so"}).json()["data"]
    assert "stages" not in data
    trip()
    reset()
    data = resumed.post(f"{URL}/resume-queue", {"canary": "all"}).json()["data"]
    assert set(data["stages"]) == set(SERVICES)


def test_a_stopped_resume_is_told(resumed: APIClient) -> None:
    admit().settle("auth")
    told = ["apollo: resume stopped at the canary after 1 call, $0.00"]
    assert resumed.get(f"{URL}/status").json()["data"]["stopped_resumes"] == told


def test_one_job_is_tried_while_the_system_is_paused(operator: APIClient) -> None:
    make_job(make_campaign(), kind="find")
    trip()
    url = f"{URL}/circuit-breakers/apollo/try-one"
    assert operator.post(url, {"reason": "why not"}).status_code == 409
    reset()
    assert operator.post(url, {}).status_code == 400
    assert "is let through" in operator.post(url, {"reason": "why not"}).json()["data"]["message"]
