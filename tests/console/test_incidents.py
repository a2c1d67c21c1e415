"""Who is at an incident, on the recovery page, the dashboard and the incident's own page."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from circuitbreakers import notes
from circuitbreakers.models import Event, Incident
from tests.breakers import ANN, reset, trip
from tests.builders import make_user
from tests.console.conftest import text_of

pytestmark = pytest.mark.django_db
PAGE = "/admin/recovery/"


def an_opening() -> Incident:
    trip("openai")
    return Incident.objects.get()


def act(client: Client, verb: str, incident: Incident, **data: Any) -> Any:
    return client.post(reverse(f"console:incident_{verb}", args=[incident.pk]), data, follow=True)


def pages(client: Client) -> list[str]:
    return [text_of(client.get(address)) for address in (PAGE, reverse("admin:index"))]


def test_recovery_page_and_dashboard_say_who_is_at_it(operator: Client) -> None:
    incident = an_opening()
    assert all("Nobody is at it yet." in page for page in pages(operator))
    answer = text_of(act(operator, "acknowledge", incident, reason="I look at it"))
    assert f"Incident {incident.pk} is acknowledged." in answer
    assert all("operator is at it." in page for page in pages(operator))
    assert "was acknowledged already" in text_of(act(operator, "acknowledge", incident))


def test_an_incident_is_assigned_to_oneself_or_to_somebody(operator: Client) -> None:
    make_user("vera", "operator")
    incident = an_opening()
    assert f"Incident {incident.pk} is operator&#x27;s." in text_of(act(operator, "assign", incident))
    assert "vera&#x27;s." in text_of(act(operator, "assign", incident, to="vera", reason="it is her night"))
    assert all("vera is at it." in page for page in pages(operator))
    incident.refresh_from_db()
    assert (incident.assigned_to, incident.acknowledged_by) == ("vera", "operator")
    event = Event.objects.filter(verb="assigned").latest("pk")
    assert (event.door, event.reason, event.incident_id) == ("admin", "it is her night", incident.pk)
    assert (event.before, event.after) == ({"assigned_to": "operator"}, {"assigned_to": "vera"})


@pytest.mark.parametrize("to", ["nobody-of-that-name", "gone"])
def test_nobody_else_can_be_assigned(operator: Client, to: str) -> None:
    make_user("gone", "operator", is_active=False)
    incident = an_opening()
    assert f"Refused: There is no active user {to}." in text_of(act(operator, "assign", incident, to=to))
    incident.refresh_from_db()
    assert (incident.assigned_to, incident.acknowledged_at) == ("", None)


def test_a_note_needs_words_and_stands_on_the_timeline(operator: Client) -> None:
    incident = an_opening()
    assert "A reason is needed" in text_of(act(operator, "note", incident))
    act(operator, "note", incident, reason="their status page says 14:00")
    page = text_of(operator.get(reverse("admin:circuitbreakers_incident_change", args=[incident.pk])))
    assert "their status page says 14:00" in page


def test_a_reset_incident_can_be_taken_until_the_resume(operator: Client) -> None:
    incident = an_opening()
    reset("openai")
    assert reverse("console:incident_assign", args=[incident.pk]) in text_of(operator.get(PAGE))


def test_an_incident_is_taken_from_its_own_page(operator: Client) -> None:
    incident = an_opening()
    address = reverse("admin:circuitbreakers_incident_verb", args=[incident.pk, "take"])
    operator.post(address, {"confirmed": "1", "reason": ""})
    assert notes.at_it(Incident.objects.get()) == "operator"
    assert "operator" in text_of(operator.get(reverse("admin:circuitbreakers_incident_changelist")))


@pytest.mark.parametrize("verb", ["acknowledge", "assign", "note"])
def test_a_viewer_sees_it_and_may_not_say_it(viewer: Client, verb: str) -> None:
    incident = an_opening()
    notes.acknowledge(incident.pk, actor=ANN)
    assert act(viewer, verb, incident, reason="me").status_code == 403
    page = text_of(viewer.get(PAGE))
    assert "ann is at it." in page
    assert reverse("console:incident_assign", args=[incident.pk]) not in page
    assert viewer.get(reverse(f"console:incident_{verb}", args=[incident.pk])).status_code == 405


def test_an_incident_that_is_not_there_is_refused(operator: Client) -> None:
    answer = operator.post(reverse("console:incident_note", args=[7]), {"reason": "x"}, follow=True)
    assert "Refused:" in text_of(answer)
