"""Who is at an incident, through the API: acknowledged, assigned, with notes."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from circuitbreakers.models import Event, Incident
from tests.breakers import trip
from tests.builders import make_user


@pytest.fixture
def incident() -> Incident:
    trip("openai")
    return Incident.objects.get()


def post(client: APIClient, incident: Incident, verb: str, **body: Any) -> Any:
    return client.post(f"/api/v1/incidents/{incident.pk}/{verb}", body, format="json")


def test_an_incident_is_acknowledged_once_on_record(operator: APIClient, incident: Incident) -> None:
    data = post(operator, incident, "acknowledge", reason="I look at it").json()["data"]
    assert (data["action"], data["changed"]) == ("acknowledge", True)
    assert data["message"] == f"Incident {incident.pk} is acknowledged."
    assert (data["incident"]["acknowledged_by"], data["incident"]["assigned_to"]) == ("operator", "")
    assert post(operator, incident, "acknowledge").json()["data"]["changed"] is False
    event = Event.objects.get(verb="acknowledged")
    assert (event.door, event.reason, event.incident_id) == ("api", "I look at it", incident.pk)


def test_it_is_ones_own_unless_somebody_is_named(operator: APIClient, incident: Incident) -> None:
    make_user("vera", "operator")
    assert post(operator, incident, "assign").json()["data"]["incident"]["assigned_to"] == "operator"
    data = post(operator, incident, "assign", to="vera", reason="her night").json()["data"]
    assert (data["changed"], data["message"]) == (True, f"Incident {incident.pk} is vera's.")
    assert post(operator, incident, "assign", to="vera").json()["data"]["changed"] is False
    shown = operator.get(f"/api/v1/incidents/{incident.pk}").json()["data"]
    assert (shown["assigned_to"], shown["acknowledged_by"]) == ("vera", "operator")


def test_it_cannot_be_given_to_somebody_who_is_not_there(operator: APIClient, incident: Incident) -> None:
    answer = post(operator, incident, "assign", to="nobody")
    assert (answer.status_code, answer.json()["detail"]) == (409, "There is no active user nobody.")


def test_a_note_is_on_its_timeline(operator: APIClient, incident: Incident) -> None:
    assert post(operator, incident, "note", text="their status page says 14:00").status_code == 200
    timeline = operator.get(f"/api/v1/incidents/{incident.pk}").json()["data"]["timeline"]
    assert [entry["reason"] for entry in timeline if entry["verb"] == "noted"] == ["their status page says 14:00"]
    assert post(operator, incident, "note", text="").status_code == 400
    assert post(operator, incident, "note", text="x" * 10_000).status_code == 400


@pytest.mark.parametrize("verb", ["acknowledge", "assign", "note"])
def test_one_that_is_not_there_is_not_found(operator: APIClient, verb: str) -> None:
    assert operator.post(f"/api/v1/incidents/7/{verb}", {"text": "x"}, format="json").status_code == 404
