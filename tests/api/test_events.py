"""The record of what happened: read, filtered and searched by everybody who may see it, changed by nobody."""

import pytest
from django.db import DatabaseError, connection, transaction
from rest_framework.test import APIClient

from circuitbreakers.models import Event
from tests.breakers import trip

URL = "/api/v1/events"


def verbs(client: APIClient, query: str) -> list[str]:
    return [row["verb"] for row in client.get(f"{URL}?{query}").json()["data"]["results"]]


def test_events_are_filtered_and_searched(operator: APIClient) -> None:
    trip("apollo")
    operator.post("/api/v1/queue-management/circuit-breakers/apollo/reset", {"reason": "the key is new"})
    assert verbs(operator, "subject_type=breaker&subject_id=apollo&door=api") == ["reset", "probed"]
    assert verbs(operator, "search=key is new") == ["reset"]
    assert verbs(operator, f"incident={Event.objects.get(verb='reset').incident_id}&verb=opened") == ["opened"]
    assert verbs(operator, "after=2020-01-01T00:00:00Z&before=2020-01-02T00:00:00Z") == []
    assert operator.get(f"{URL}?after=yesterday").json()["errors"]["after"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_method_changes_an_event(operator: APIClient, method: str) -> None:
    assert getattr(operator, method)(URL, {"verb": "nothing happened"}).status_code == 405


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'nobody'", "DELETE FROM events"])
def test_the_database_refuses_to_change_an_event(statement: str) -> None:
    trip("apollo")
    before = Event.objects.count()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == before > 0


def test_a_number_with_a_fraction_is_no_incident(viewer: APIClient) -> None:
    answer = viewer.get(f"{URL}?incident=1.5")
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"incident"})
