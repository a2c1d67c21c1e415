"""Planned pauses through the API: planned, listed, reminded of, taken back."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from circuitbreakers import planned
from circuitbreakers.models import Event, PlannedPause

URL = "/api/v1/queue-management"
PLANS = f"{URL}/planned-pauses"


def body(**changes: object) -> dict[str, object]:
    start = timezone.now() + timedelta(hours=1)
    return {
        "service": "apollo",
        "reason": "their maintenance",
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=2)).isoformat(),
        **changes,
    }


def test_a_pause_is_planned_and_listed(operator: APIClient) -> None:
    answer = operator.post(PLANS, body())
    assert answer.status_code == 201
    planned_pause = answer.json()["data"]
    assert (planned_pause["service"], planned_pause["actor"]) == ("apollo", "operator")
    assert operator.get(PLANS).json()["data"]["results"] == [planned_pause]
    assert operator.get(f"{URL}/status").json()["data"]["planned_pauses"] == [planned_pause]
    assert Event.objects.get().door == "api"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service": "foo"}, None),
        ({"reason": ""}, "reason"),
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
    ],
)
def test_what_makes_no_sense_is_refused(operator: APIClient, changes: dict[str, object], field: str | None) -> None:
    answer = operator.post(PLANS, body(**changes))
    assert answer.status_code == 400
    if field:
        assert field in answer.json()["errors"]
    assert not PlannedPause.objects.exists()


def test_it_is_taken_back_once(operator: APIClient) -> None:
    pk = operator.post(PLANS, body()).json()["data"]["id"]
    said = [operator.post(f"{PLANS}/{pk}/cancel", {"reason": "put off"}).json()["data"] for _ in range(2)]
    assert [one["changed"] for one in said] == [True, False]
    assert operator.get(PLANS).json()["data"]["results"] == []
    assert operator.post(f"{PLANS}/{pk + 1}/cancel").status_code == 404


def test_the_status_reminds_with_the_resumes_plan(operator: APIClient) -> None:
    operator.post(PLANS, body())
    before = timezone.now() - timedelta(hours=3)
    PlannedPause.objects.update(starts_at=before, ends_at=None)
    planned.begin_due()
    assert operator.get(f"{URL}/status").json()["data"]["reminders"] == []
    PlannedPause.objects.update(ends_at=before + timedelta(hours=2))
    status = operator.get(f"{URL}/status").json()["data"]
    (reminder,) = status["reminders"]
    assert reminder["service"] == "apollo"
    assert "planned to end" in reminder["text"]
    assert "A queue resume" in status["resume_plan"]
