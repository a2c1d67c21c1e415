"""`manage.py notify` and `manage.py incident` in the shell."""

from typing import Any

import pytest

from circuitbreakers.models import Event, Incident
from notifications import routing
from notifications.models import Delivery, Message
from tests.breakers import reset, trip
from tests.builders import make_user
from tests.campaigns.conftest import manage  # noqa: F401  (a fixture)
from tests.integrations.wire import Server
from tests.notifications.receivers import make_channel, tell

pytestmark = pytest.mark.django_db


def given_up(receiver: Server) -> Delivery:
    make_channel(receiver.url, name="On call")
    trip("openai")
    routing.route()
    Delivery.objects.update(state="GIVEN_UP", attempts=10, last_error="It answered 503.")
    return Delivery.objects.get()


def test_channels_are_listed_with_those_that_do_not_get_through(manage: Any, receiver: Server) -> None:  # noqa: F811
    given_up(receiver)
    ran = manage("notify", "list")
    assert "Channel On call does not get through: It answered 503." in ran.out
    assert receiver.url not in ran.out
    data = manage("notify", "list", "--json").data
    assert [row["name"] for row in data["channels"]] == ["On call"]


def test_a_test_goes_out_and_deliveries_say_how_it_went(manage: Any, receiver: Server) -> None:  # noqa: F811
    make_channel(receiver.url, name="On call")
    assert manage("notify", "test", "On call").out == "A test message to On call is on its way.\n"
    tell()
    (row,) = manage("notify", "deliveries", "--json").data["deliveries"]
    assert (row["channel"], row["state"], row["attempts"]) == ("On call", "SENT", 1)
    assert manage("notify", "deliveries", "--state", "GIVEN_UP", "--json").data["deliveries"] == []
    assert manage("notify", "test", "Nobody").status == 1


def test_some_are_sent_again_and_the_others_named(manage: Any, receiver: Server) -> None:  # noqa: F811
    row = given_up(receiver)
    ran = manage("notify", "replay", row.pk, 999, "--reason", "it was mended")
    assert ran.status == 0
    assert ran.out.startswith("1 sent again, 1 skipped.\n999: ")
    assert Event.objects.get(verb="replayed").reason == "it was mended"
    assert manage("notify", "replay", row.pk).status == 1  # it is on its way
    tell()
    assert len(receiver.received) == Message.objects.filter(kind="opened").count() == 1


def test_incidents_are_listed_with_who_is_at_them(manage: Any) -> None:  # noqa: F811
    trip("apollo")
    reset("apollo")
    trip("openai")
    make_user("vera", "operator")
    first, second = Incident.objects.order_by("pk")
    listed = manage("incident", "list", "--json").data["incidents"]
    assert [row["id"] for row in listed] == [second.pk, first.pk]  # what is not reset comes first
    assert manage("incident", "acknowledge", second.pk).out == f"Incident {second.pk} is acknowledged.\n"
    assert "was acknowledged already" in manage("incident", "acknowledge", second.pk).out
    assert manage("incident", "assign", second.pk, "vera").out == f"Incident {second.pk} is vera's.\n"
    assert "vera" in manage("incident", "list").out
    assert manage("incident", "note", second.pk, "--reason", "they say 14:00").status == 0
    assert Event.objects.get(verb="noted").reason == "they say 14:00"


def test_what_cannot_be_is_refused(manage: Any) -> None:  # noqa: F811
    trip("openai")
    pk = Incident.objects.get().pk
    assert "There is no active user nobody" in manage("incident", "assign", pk, "nobody").err
    assert manage("incident", "note", pk).status == 1
    assert manage("incident", "acknowledge", 999).status == 1
