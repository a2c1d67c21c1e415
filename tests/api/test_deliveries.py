"""Channels and deliveries through the API: listed without their targets, tested, sent again."""

import pytest
from rest_framework.test import APIClient

from circuitbreakers.models import Event
from notifications import routing
from notifications.models import Delivery, Message
from tests.api.conftest import client_of
from tests.breakers import reset, trip
from tests.notifications.receivers import SECRET, make_channel

URL = "https://hooks.example.com/services/T0123/verysecretpath"


@pytest.fixture(autouse=True)
def nobody_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names lead nowhere in here."""
    monkeypatch.setattr("notifications.guard.addresses_of", lambda host: [])


def test_channels_are_listed_without_their_targets(viewer: APIClient) -> None:
    row = make_channel(URL, kinds=["opened"], severity="critical")
    answer = viewer.get("/api/v1/channels")
    (shown,) = answer.json()["data"]["channels"]
    assert (shown["id"], shown["name"], shown["kinds"], shown["severity"]) == (row.pk, row.name, ["opened"], "critical")
    assert shown["hint"] == "https://, ends in path"
    assert "verysecretpath" not in answer.content.decode()
    assert SECRET not in answer.content.decode()


def test_an_admin_sends_a_test_and_the_delivery_says_how_it_went(viewer: APIClient, operator: APIClient) -> None:
    row = make_channel(URL)
    address = f"/api/v1/channels/{row.pk}/test"
    assert operator.post(address).status_code == 403
    data = client_of("admin").post(address).json()["data"]
    assert data["message"] == f"A test message to {row.name} is on its way."
    routing.route()
    Delivery.objects.update(last_error="It answered 404.", attempts=1)
    (shown,) = viewer.get("/api/v1/deliveries").json()["data"]["results"]
    assert (shown["message"], shown["kind"], shown["last_error"]) == (data["id"], "test", "It answered 404.")
    sentence = f"Channel {row.name} does not get through: It answered 404."
    assert viewer.get("/api/v1/channels").json()["data"]["troubles"] == [sentence]


def test_one_that_is_switched_off_is_not_tested() -> None:
    row = make_channel(URL, enabled=False)
    answer = client_of("admin").post(f"/api/v1/channels/{row.pk}/test")
    assert (answer.status_code, answer.json()["detail"]) == (409, f"Channel {row.name} is switched off.")


def test_deliveries_are_filtered(viewer: APIClient) -> None:
    first, second = make_channel(URL), make_channel(URL, severity="critical")
    trip()
    reset()
    routing.route()
    Delivery.objects.filter(message__kind="reset").update(state="GIVEN_UP")

    def listed(query: str) -> set[tuple[str, str]]:
        rows = viewer.get(f"/api/v1/deliveries?{query}").json()["data"]["results"]
        return {(row["channel_name"], row["kind"]) for row in rows}

    assert listed("kind=opened") == {(first.name, "opened"), (second.name, "opened")}
    assert listed("state=GIVEN_UP") == {(first.name, "reset")}
    assert listed(f"channel={second.pk}") == {(second.name, "opened")}


def test_an_operator_has_one_sent_again_under_its_id(operator: APIClient, viewer: APIClient) -> None:
    make_channel(URL)
    trip()
    routing.route()
    row = Delivery.objects.get()
    address = f"/api/v1/deliveries/{row.pk}/replay"
    assert viewer.post(address, {"reason": "again"}).status_code == 403
    assert operator.post(address, {"reason": "again"}).status_code == 409  # it is on its way
    Delivery.objects.update(state="GIVEN_UP", attempts=10)
    assert operator.post(address, {"reason": "it was mended"}).status_code == 200
    row.refresh_from_db()
    assert (row.state, row.attempts, Message.objects.count()) == ("PENDING", 0, 1)
    event = Event.objects.get(verb="replayed")
    assert (event.subject_id, event.reason, event.door) == (str(row.pk), "it was mended", "api")
    assert operator.post("/api/v1/deliveries/999/replay", {"reason": "x"}).status_code == 404
