"""The queue through the API: status, plan, resume and what a refusal says."""

from collections.abc import Sequence
from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns import recovery
from campaigns.models import Campaign, Job
from circuitbreakers.models import Event
from circuitbreakers.services import SERVICES
from tests.breakers import reset, trip
from tests.builders import make_campaign, make_job
from tests.stores import away, locked, refusing

URL = "/api/v1/queue-management"
RESUME = f"{URL}/resume-queue"


def a_system_pause(service: str = "apollo", campaigns: int = 1) -> list[Campaign]:
    """Campaigns with a job each that the opening of a breaker paused, after its reset."""
    running = [make_campaign("RUNNING", name=f"c{number}") for number in range(campaigns)]
    for campaign in running:
        make_job(campaign)
    trip(service)
    return running


def test_the_status_counts_jobs_and_campaigns_and_names_the_pause(viewer: APIClient) -> None:
    a_system_pause()
    data = viewer.get(f"{URL}/status").json()["data"]
    assert data["circuit_breakers"]["apollo"]["circuit_state"] == "open"
    assert data["queue"] == dict.fromkeys(SERVICES, "PAUSED")
    assert data["campaigns"] == {"PAUSED": 1}
    assert data["jobs"] == {"PAUSED": 1}
    assert data["paused_jobs"] == {"millionverifier": 1}
    assert data["pauses"][0]["key"] == "system"
    assert data["mode"] == "sandbox"
    assert data["timestamp"].endswith("Z")


def test_a_resume_with_open_breakers_is_refused_in_the_contracts_words(
    operator: APIClient, live_processes: None
) -> None:
    trip("apollo")
    trip("perplexity")
    answer = operator.post(RESUME)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "detail": "Cannot resume queue: Circuit breakers still open for: apollo (open), perplexity (open)",
    }


def test_a_resume_answers_with_the_contracts_body(operator: APIClient, live_processes: None) -> None:
    campaigns = a_system_pause(campaigns=2)
    reset()
    answer = operator.post(RESUME, {"reason": "all well"})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "data": {
            "queue_resumed": True,
            "jobs_resumed": 2,
            "campaigns_eligible": 2,
            "campaigns_resumed": 2,
            "services_resumed": list(SERVICES),
            "services_still_paused": [],
            "campaigns_still_paused": 0,
            "prerequisites_met": "All circuit breakers closed",
            "stages": {"apollo": "canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %"},
            "message": "Queue resumed successfully: 2 jobs and 2 campaigns resumed",
        },
    }
    assert {c.status for c in Campaign.objects.all()} == {"RUNNING"}
    assert Event.objects.filter(subject_id=str(campaigns[0].pk), verb="resumed", actor="operator", door="api").exists()


def test_a_resume_with_nothing_to_resume_succeeds_with_zeros(operator: APIClient, live_processes: None) -> None:
    data = operator.post(RESUME).json()["data"]
    assert (data["queue_resumed"], data["jobs_resumed"], data["campaigns_resumed"]) == (True, 0, 0)


@pytest.mark.django_db(transaction=True)  # another session keeps the row
def test_a_campaign_that_fails_is_reported_and_the_others_resume(operator: APIClient, live_processes: None) -> None:
    stuck = a_system_pause(campaigns=3)[1].pk
    reset()
    with locked("campaigns", stuck):
        data = operator.post(RESUME).json()["data"]
    assert (data["campaigns_eligible"], data["campaigns_resumed"]) == (3, 2)
    assert data["campaign_resume_errors"] == [f"Campaign {stuck}: OperationalError"]
    assert data["message"] == "Queue resumed successfully: 2 jobs and 2 campaigns resumed (with 1 campaign errors)"


@pytest.mark.django_db(transaction=True)  # the database refuses a row, so that they come back one by one
def test_a_resume_that_another_opening_interrupts_is_a_conflict(
    operator: APIClient, live_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, last = a_system_pause(campaigns=3)
    reset()
    real = recovery._lift

    def and_then_openai_opens(pks: Sequence[int], *rest: Any) -> recovery.Lifted:
        done = real(pks, *rest)
        if len(pks) == 1 and Event.objects.filter(subject_id="openai", verb="opened").count() == 0:
            trip("openai")
        return done

    monkeypatch.setattr(recovery, "_lift", and_then_openai_opens)
    with refusing("campaigns", last.pk):
        answer = operator.post(RESUME)
    assert answer.status_code == 409
    assert answer.json()["status"] == "error"
    assert answer.json()["detail"].startswith("Paused again by openai while resuming: 1 of 3 campaigns")
    assert Campaign.objects.filter(status="RUNNING").count() == 0


@pytest.mark.parametrize("store", ["REDIS_SWITCH_URL", "REDIS_BROKER_URL"])
def test_while_redis_is_away_a_resume_is_unavailable_and_the_plan_says_why(
    store: str, operator: APIClient, live_processes: None
) -> None:
    a_system_pause()
    reset()
    with away(store):
        answer = operator.post(RESUME)
        assert answer.status_code == 503
        assert answer.json()["detail"] == "Error resuming queue: Redis connection failed"
        assert operator.get(RESUME).json()["data"]["ready"] is False
    assert Campaign.objects.filter(status="RUNNING").count() == 0


def test_the_plan_lists_each_prerequisite_and_what_would_come_back(viewer: APIClient, live_processes: None) -> None:
    a_system_pause()
    data = viewer.get(RESUME).json()["data"]
    checks = {item["name"]: item for item in data["prerequisites"]}
    assert not data["ready"]
    assert checks["circuit_breakers"]["detail"] == "Circuit breakers still open for: apollo (open)"
    assert checks["circuit_breakers"]["mend"]
    assert checks["workers"]["ok"]
    assert (data["campaigns"], data["jobs"], data["jobs_by_service"]) == (1, 1, {"millionverifier": 1})


def test_paused_jobs_are_paged(viewer: APIClient) -> None:
    campaign = make_campaign("RUNNING")
    ids = [make_job(campaign).pk for _ in range(5)]
    make_job(campaign, kind="write")
    trip("apollo")
    page = viewer.get(f"{URL}/paused-jobs/millionverifier?page_size=2").json()["data"]
    seen = [row["id"] for row in page["results"]]
    assert page["previous"] is None
    while page["next"]:
        page = viewer.get(page["next"]).json()["data"]
        seen += [row["id"] for row in page["results"]]
    assert seen == sorted(ids, reverse=True)
    assert Job.objects.get(pk=seen[0]).error == f"Job paused: Campaign {campaign.pk} is paused"


def test_campaigns_are_shown_by_status_with_their_reasons(viewer: APIClient) -> None:
    paused = a_system_pause()[0]
    make_campaign("COMPLETED")
    data = viewer.get(f"{URL}/campaign-status").json()["data"]
    assert data["counts"] == {"COMPLETED": 1, "PAUSED": 1}
    row = data["campaigns"]["PAUSED"][0]
    assert row["id"] == paused.pk
    assert row["status_message"] == "System pause: apollo circuit breaker opened"
    assert data["truncated"] == []


def test_a_failed_campaign_is_shown_with_its_reason(viewer: APIClient) -> None:
    make_campaign("FAILED", status_message="Apollo refused the search")
    data = viewer.get(f"{URL}/campaign-status").json()["data"]
    assert [row["status_message"] for row in data["campaigns"]["FAILED"]] == ["Apollo refused the search"]


def test_of_too_many_campaigns_the_latest_are_shown_and_it_says_so(
    viewer: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.queue.NAMED", 2)
    failed = [make_campaign("FAILED").pk for _ in range(2)]
    created = [make_campaign("CREATED").pk for _ in range(3)]
    data = viewer.get(f"{URL}/campaign-status").json()["data"]
    assert {status: [row["id"] for row in rows] for status, rows in data["campaigns"].items()} == {
        "CREATED": created[:0:-1],
        "FAILED": failed[::-1],
    }
    assert (data["counts"], data["truncated"]) == ({"CREATED": 3, "FAILED": 2}, ["CREATED"])
