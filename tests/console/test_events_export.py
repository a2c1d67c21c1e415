"""The record of what changed leaves the console as CSV, as the list shows it, and harmless to a spreadsheet."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from circuitbreakers import events
from tests.builders import make_user

pytestmark = pytest.mark.django_db
OLGA = events.Actor("olga", "admin")


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(make_user("vera", "Viewer"), "django.contrib.auth.backends.ModelBackend")
    return client


def exported(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(reverse("admin:circuitbreakers_event_export") + query)
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="events.csv"'
    rows = csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig")))
    return [row for row in rows if row["actor"] == OLGA.name]  # setting up the stores is on record too


def test_every_event_is_in_it_oldest_first(viewer: Client) -> None:
    for service in ("apollo", "openai"):
        events.record("breaker", service, "held", actor=OLGA, reason="maintenance", after={"state": "open"})
    assert [(row["subject_type"], row["subject_id"], row["verb"], row["after"]) for row in exported(viewer)] == [
        ("breaker", "apollo", "held", '{"state": "open"}'),
        ("breaker", "openai", "held", '{"state": "open"}'),
    ]


def test_it_is_narrowed_as_the_list_is(viewer: Client) -> None:
    for service in ("apollo", "openai"):
        events.record("breaker", service, "held", actor=OLGA)
    assert [row["subject_id"] for row in exported(viewer, "?q=openai")] == ["openai"]


def test_a_reason_that_is_a_formula_is_shown_and_not_run(viewer: Client) -> None:
    events.record("breaker", "apollo", "held", actor=OLGA, reason='=HYPERLINK("http://evil.example")')
    (row,) = exported(viewer, "?q=apollo")
    assert row["reason"] == '\'=HYPERLINK("http://evil.example")'


def test_who_may_not_see_events_may_not_export_them() -> None:
    client = Client()
    client.force_login(make_user("nobody", is_staff=True), "django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse("admin:circuitbreakers_event_export")).status_code == 403
