"""Channels in the console: an Admin keeps them, nobody sees where they lead; deliveries are sent again."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from circuitbreakers.models import Event
from notifications import channels, routing, sealing
from notifications.models import Channel, Delivery, Message
from tests.breakers import ANN, trip
from tests.console.conftest import text_of
from tests.notifications.receivers import OTHER_SECRET, SECRET, make_channel

pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/channel/"
DELIVERIES = "/admin/notifications/delivery/"
URL = "https://hooks.example.com/services/T0123/verysecretpath"
FIELDS = {"name": "On call", "kind": "webhook", "url": URL, "secret": SECRET, "severity": "warning", "enabled": "on"}


@pytest.fixture(autouse=True)
def nobody_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names lead nowhere in here."""
    monkeypatch.setattr("notifications.guard.addresses_of", lambda host: [])


def add(client: Client, **fields: Any) -> Any:
    return client.post(f"{LIST}add/", {**FIELDS, **fields}, follow=True)


def change(client: Client, row: Channel, **fields: Any) -> Any:
    kept = {"name": row.name, "severity": row.severity, "url": "", "secret": ""}
    address = reverse("admin:notifications_channel_change", args=[row.pk])
    return client.post(address, {**kept, "enabled": "on", **fields}, follow=True)


def verb(client: Client, model: str, row: Any, name: str, **data: Any) -> Any:
    address = reverse(f"admin:notifications_{model}_verb", args=[row.pk, name])
    return client.post(address, {"confirmed": "1", "reason": "a try", **data}, follow=True)


def test_an_admin_makes_a_channel_and_its_target_is_seen_nowhere(boss: Client) -> None:
    answer = text_of(add(boss, kinds=["opened", "reset"]))
    assert "Channel On call is made: send it a test message." in answer
    row = Channel.objects.get()
    assert (row.kinds, row.severity, row.enabled, row.created_by) == (["opened", "reset"], "warning", True, "boss")
    assert (sealing.unseal(row.sealed).url, sealing.unseal(row.sealed).secrets) == (URL, [(SECRET, None)])
    shown = [
        answer,
        text_of(boss.get(LIST)),
        text_of(boss.get(reverse("admin:notifications_channel_change", args=[row.pk]))),
        *(str(vars(event)) for event in Event.objects.all()),
        *(str(vars(entry)) for entry in LogEntry.objects.all()),
    ]
    for text in shown:
        assert "verysecretpath" not in text
        assert SECRET not in text
    assert "https://, ends in path" in shown[1]
    assert Event.objects.get(subject_type="channel").door == "admin"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": ""}, "Where does it lead?"),
        ({"secret": ""}, "A webhook needs a secret"),
        ({"url": "https://10.0.0.1/x"}, "10.0.0.1 is a private address"),
        ({"kind": "apprise", "url": "exec://x", "secret": ""}, "is not among NOTIFY_SCHEMAS"),
        ({"name": ""}, "This field is required"),
        ({"kinds": ["no-such"]}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_what_was_typed_is_not_shown(
    boss: Client, fields: dict[str, Any], says: str
) -> None:
    answer = text_of(add(boss, **fields))
    assert says in answer
    assert "verysecretpath" not in answer
    assert SECRET not in answer
    assert Channel.objects.count() == 0
    assert not Event.objects.filter(subject_type="channel").exists()


def test_two_channels_cannot_have_one_name(boss: Client) -> None:
    add(boss)
    assert "already exists" in text_of(add(boss))
    assert Channel.objects.count() == 1


def test_a_change_leaves_the_target_alone_unless_it_is_typed(boss: Client) -> None:
    add(boss)
    row = Channel.objects.get()
    assert "Channel Ops is changed." in text_of(change(boss, row, name="Ops", severity="critical"))
    row.refresh_from_db()
    assert (row.name, row.severity, sealing.unseal(row.sealed).url) == ("Ops", "critical", URL)
    change(boss, row, secret=OTHER_SECRET)
    row.refresh_from_db()
    newest, oldest = sealing.unseal(row.sealed).secrets
    assert (newest, oldest[0]) == ((OTHER_SECRET, None), SECRET)
    change(boss, row, url=f"{URL}2")
    row.refresh_from_db()
    assert sealing.unseal(row.sealed).url == f"{URL}2"


def test_a_test_message_goes_to_that_channel_alone(boss: Client) -> None:
    row, _ = make_channel(URL), make_channel(URL)
    assert f"A test message to {row.name} is on its way" in text_of(verb(boss, "channel", row, "test_channel"))
    assert Message.objects.get().channel == row
    Channel.objects.update(enabled=False)
    assert "is switched off" in text_of(verb(boss, "channel", row, "test_channel"))


def test_a_channel_is_removed_on_record(boss: Client) -> None:
    row = make_channel(URL)
    assert f"Channel {row.name} is removed." in text_of(verb(boss, "channel", row, "remove_channel"))
    assert Channel.objects.count() == 0
    assert Event.objects.get(verb="removed").reason == "a try"


def test_an_operator_sees_channels_and_keeps_none(operator: Client) -> None:
    row = make_channel(URL)
    page = text_of(operator.get(reverse("admin:notifications_channel_change", args=[row.pk])))
    assert "https://, ends in path" in page
    assert 'name="url"' not in page
    assert add(operator, name="Mine").status_code == 403
    assert change(operator, row, name="Mine").status_code == 403
    for name in ("test_channel", "remove_channel"):
        assert verb(operator, "channel", row, name).status_code == 403
    assert Channel.objects.get().name == row.name


def told_and_given_up() -> Delivery:
    make_channel(URL)
    trip("openai")
    routing.route()
    Delivery.objects.update(state="GIVEN_UP", attempts=10, last_error="It answered 503.")
    return Delivery.objects.get()


def test_the_log_of_deliveries_says_how_they_went_and_an_operator_sends_one_again(operator: Client) -> None:
    row = told_and_given_up()
    page = text_of(operator.get(DELIVERIES))
    assert "It answered 503." in page
    assert "Given up" in page
    verb(operator, "delivery", row, "replay")
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("PENDING", 0)
    assert "is on its way" in text_of(verb(operator, "delivery", row, "replay"))
    assert Event.objects.get(verb="replayed").door == "admin"


def test_the_dashboard_says_which_channel_does_not_get_through(viewer: Client) -> None:
    row = told_and_given_up()
    sentence = f"Channel {row.channel.name} does not get through: It answered 503."
    assert sentence in text_of(viewer.get(reverse("admin:index")))
    assert verb(viewer, "delivery", row, "replay").status_code == 403


def test_a_message_is_shown_with_its_text_and_its_incident(viewer: Client) -> None:
    told_and_given_up()
    page = text_of(viewer.get(reverse("admin:notifications_message_change", args=[Message.objects.get().pk])))
    assert "Paused since" in page
    assert "openai has stopped: everything is paused" in page


def test_a_channel_is_in_the_record_of_who_changed_it() -> None:
    row = make_channel(URL)
    channels.save(row, url="", secret=OTHER_SECRET, actor=ANN)
    made, changed = Event.objects.filter(subject_type="channel").order_by("pk")
    assert made.after
    assert changed.after
    assert (made.after["secret"], changed.after["secret"]) == ("new", "new")
    assert (made.after["target"], changed.after["target"]) == ("new", "as before")
