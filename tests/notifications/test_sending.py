"""From an event to a mailbox and a webhook: who is told, with what words, again after a failure, and once by its id."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from circuitbreakers import events, incidents, notes
from circuitbreakers.models import Event, Incident
from circuitbreakers.signals import event_recorded
from notifications import channels, retries, routing, sealing, sending
from notifications.models import Channel, Delivery, Message
from tests.breakers import ANN, reset, trip
from tests.builders import make_campaign, make_fleet
from tests.integrations.wire import Server, http, serving
from tests.notifications.receivers import (
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    Mailbox,
    ids,
    make_channel,
    states,
    subject_of,
    tell,
    text_of,
    verified,
)

pytestmark = pytest.mark.django_db


# --- an opening -------------------------------------------------------------------------------------------------------


def test_an_opening_reaches_mailbox_and_webhook_with_the_consoles_sentence_and_the_link(
    mail: Mailbox, receiver: Server, settings: Any
) -> None:
    make_fleet()
    make_campaign()
    make_channel(mail.url, kind="apprise")
    make_channel(receiver.url)
    trip("openai")
    assert tell() == 2
    (letter,), (hook,) = mail.mails, verified(receiver)
    assert subject_of(letter) == "Holdfast SANDBOX: openai has stopped: everything is paused"
    sentence = "because OpenAI refused our key. 1 campaign and 0 jobs wait. Next: probe and reset OpenAI."
    assert sentence in " ".join(text_of(letter).split())
    assert f"{settings.WEB_URL}/admin/recovery/" in text_of(letter)
    assert hook["type"] == "holdfast.opened"
    assert hook["data"]["severity"] == "critical"
    assert sentence in hook["data"]["text"]
    assert hook["data"]["url"] == f"{settings.WEB_URL}/admin/recovery/"
    assert hook["data"]["incident"] == Incident.objects.get().pk


def test_one_opening_is_one_message_however_many_processes_finish_it(receiver: Server) -> None:
    make_channel(receiver.url)
    for _ in range(30):
        make_campaign()
    trip()
    opening = Event.objects.get(subject_type="breaker", verb="opened")
    event_recorded.send_robust(sender=None, event=opening)
    tell()
    assert len(receiver.received) == 1


def test_an_opening_is_told_with_a_savepoint_and_a_failure_there_keeps_no_campaign_from_its_pause(
    receiver: Server, monkeypatch: Any
) -> None:
    campaign = make_campaign()
    make_channel(receiver.url)
    with monkeypatch.context() as broken:
        broken.setattr("notifications.outbox.fit", lambda *args: "x" * 1000)  # the row is refused
        trip()
    campaign.refresh_from_db()
    assert (campaign.status, Incident.objects.count(), Message.objects.filter(kind="opened").count()) == (
        "PAUSED",
        1,
        0,
    )


def test_a_reset_and_who_is_at_it_are_told(receiver: Server) -> None:
    trip()
    make_channel(receiver.url)
    incident = Incident.objects.get()
    notes.acknowledge(incident.pk, actor=ANN)
    reset()
    tell()
    kinds = [hook["type"] for hook in verified(receiver)]
    assert {"holdfast.acknowledged", "holdfast.reset"} <= set(kinds)


def test_no_lead_and_no_key_is_in_a_message(receiver: Server, settings: Any) -> None:
    make_channel(receiver.url)
    secret = settings.VENDORS["openai"]["api_key"]
    reason = f"ida.locke@acme.example was refused, key {secret}, Bearer abcDEF123456"
    events.record("queue", "all", "resume_refused", actor=ANN, reason=reason)
    tell()
    text = receiver.last.body.decode()
    assert "ida.locke" not in text
    assert "acme.example" not in text
    assert secret not in text
    assert "abcDEF123456" not in text
    assert "was refused" in text


# --- who is told ------------------------------------------------------------------------------------------------------


def test_a_channel_is_told_of_its_severity_and_kinds_alone(receiver: Server) -> None:
    grave = make_channel(receiver.url, severity="critical")
    some = make_channel(receiver.url, kinds=["reset"])
    off = make_channel(receiver.url, enabled=False)
    trip()
    reset()
    tell()
    assert [row.message.kind for row in Delivery.objects.filter(channel=grave)] == ["opened"]
    assert [row.message.kind for row in Delivery.objects.filter(channel=some)] == ["reset"]
    assert states(off) == []


def test_a_storm_becomes_one_message_and_an_opening_passes_it(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    for number in range(40):
        events.record("budget", f"campaign:{number}", "nears_limit", actor=ANN, reason="nearly used up")
    trip()
    tell()
    sent = [hook["type"] for hook in verified(receiver)]
    assert sent.count("holdfast.budget_nears_limit") == routing.MOST
    assert sent.count("holdfast.opened") == 1
    assert routing.fold() == 0  # more may come
    Delivery.objects.filter(state="FOLDED").update(queued_at=timezone.now() - routing.QUIET)
    assert routing.fold() == 1
    assert routing.fold() == 0
    tell()
    digest = verified(receiver)[-1]
    assert digest["type"] == "holdfast.digest"
    assert "30 more messages" in digest["data"]["title"]
    assert "30 budget nears limit" in digest["data"]["text"]
    assert states(channel).count("FOLDED") == 30
    assert len(receiver.received) == routing.MOST + 2


# --- what fails -------------------------------------------------------------------------------------------------------


def fail_all_attempts(channel: Channel) -> int:
    """Let the clock pass over every retry; how many attempts there were."""
    attempts = 0
    while Delivery.objects.filter(channel=channel, state="PENDING").update(next_at=timezone.now()):
        attempts += sending.send_due(channel.pk)
    return attempts


def test_it_is_tried_again_for_a_day_under_one_id_and_then_given_up_and_shown() -> None:
    assert 23 * 3600 < sum(retries.WAITS) < 26 * 3600
    with serving(http(503, {})) as down:
        channel = make_channel(down.url)
        trip()
        routing.route()
        assert fail_all_attempts(channel) == len(retries.WAITS) + 1
        assert len(set(ids(down))) == 1
    assert states(channel) == ["GIVEN_UP"]
    assert channels.troubles() == [f"Channel {channel.name} does not get through: It answered 503."]


def test_what_was_given_up_can_be_sent_again_under_its_old_id(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    trip()
    tell()
    (row,) = Delivery.objects.filter(channel=channel)
    channels.replay(row, actor=ANN)
    with pytest.raises(channels.ChannelRefused, match="is on its way"):
        channels.replay(row, actor=ANN)
    tell()
    assert len(receiver.received) == 2
    assert len(set(ids(receiver))) == 1
    assert states(channel) == ["SENT"]


def test_a_redirect_is_not_followed(receiver: Server) -> None:
    with serving(http(302, "", location=f"{receiver.url}/inside")) as elsewhere:
        channel = make_channel(elsewhere.url)
        trip()
        tell()
    assert receiver.received == []
    assert Delivery.objects.get(channel=channel).last_error == "It answered 302."


def test_a_mail_keeps_its_id_in_each_attempt(mail: Mailbox) -> None:
    channel = make_channel(mail.url, kind="apprise")
    trip()
    tell()
    channels.replay(Delivery.objects.get(channel=channel), actor=ANN)
    tell()
    assert len(mail.ids) == 2
    assert set(mail.ids) == {f"<{Message.objects.get(kind='opened').pk.hex}@127.0.0.1>"}


def test_a_later_attempt_alone_may_note_how_it_ended(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    trip()
    routing.route()
    first = sending.claim(channel.pk)
    assert first is not None
    assert sending.claim(channel.pk) is None  # leased
    Delivery.objects.update(next_at=timezone.now())
    second = sending.claim(channel.pk)
    assert second is not None
    assert sending.note(second, "") is True
    assert sending.note(first, "too late") is False
    assert states(channel) == ["SENT"]


def test_what_waits_for_a_channel_that_is_off_gets_stale() -> None:
    channel = make_channel("http://127.0.0.1:1/")
    trip()
    routing.route()
    Channel.objects.update(enabled=False)
    assert sending.due_channels() == []
    Delivery.objects.update(queued_at=timezone.now() - routing.STALE - timedelta(seconds=1))
    assert routing.give_up_stale() == 1
    assert states(channel) == ["GIVEN_UP"]


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_while_a_secret_rotates_both_sign_and_a_day_later_the_new_one_alone(receiver: Server, monkeypatch: Any) -> None:
    channel = make_channel(receiver.url)
    channels.save(channel, url="", secret=OTHER_SECRET, actor=ANN)
    channels.test(channel, actor=ANN)
    tell()
    assert verified(receiver) == verified(receiver, OTHER_SECRET)
    real = time.time()
    monkeypatch.setattr("notifications.webhooks.time.time", lambda: real + 90_000)
    target = sealing.unseal(Channel.objects.get().sealed)
    assert target.signing(real + 90_000) == [OTHER_SECRET]
    assert len(target.signing(real)) == 2


def test_a_wrong_secret_verifies_nothing(receiver: Server) -> None:
    channels.test(make_channel(receiver.url), actor=ANN)
    tell()
    with pytest.raises(WebhookVerificationError):
        verified(receiver, OTHER_SECRET)


def test_what_an_older_key_sealed_is_read_and_sealed_anew(receiver: Server, settings: Any) -> None:
    channel = make_channel(receiver.url)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key-of-fifty-characters" * 2
    channels.test(channel, actor=ANN)
    assert tell() == 1
    assert len(verified(receiver)) == 1
    settings.SECRET_KEY_FALLBACKS = []
    assert sealing.unseal(Channel.objects.get().sealed).url == receiver.url
    settings.SECRET_KEY = "a-third-one-of-which-nobody-knew-anything" * 2
    channels.test(channel, actor=ANN)
    tell()
    assert "SECRET_KEY has changed" in Delivery.objects.latest("pk").last_error


def test_no_secret_is_in_rows_events_logs_and_errors(mail: Mailbox, caplog: Any) -> None:
    url = f"mailto://user:{PASSWORD}@127.0.0.1:{mail.port}?from=holdfast@example.com&to=ops@example.com"
    channel = make_channel(url, kind="apprise")  # this server knows no login
    trip()
    tell()
    row = Delivery.objects.get(channel=channel)
    assert row.last_error != ""
    said = [row.last_error, caplog.text, channel.hint, repr(sealing.unseal(channel.sealed)), channel.sealed]
    said += [str(vars(event)) for event in Event.objects.all()]
    assert [text for text in said if PASSWORD in text or SECRET in text] == []


@pytest.mark.parametrize(
    ("kind", "url", "secret", "says"),
    [
        ("webhook", "https://hooks.example/x", "", "needs a secret"),
        ("webhook", "https://hooks.example/x", "whsec_c2hvcnQ=", "must hold 24 to 64 bytes"),
        ("webhook", "https://hooks.example/x", "secret", "must be whsec_ and base64"),
        ("webhook", "https://user:pw@hooks.example/x", SECRET, "without user and password"),
        ("webhook", "ftp://hooks.example/x", SECRET, "looks like https"),
        ("webhook", "http://8.8.8.8/x", SECRET, "needs https"),
        ("webhook", "https://10.0.0.1/x", SECRET, "is a private address"),
        ("webhook", "https://[::ffff:10.0.0.1]/x", SECRET, "is a private address"),
        ("apprise", "file:///etc/passwd", "", "not among NOTIFY_SCHEMAS"),
        ("apprise", "dbus://", "", "not among NOTIFY_SCHEMAS"),
        ("apprise", "syslog://", "", "not among NOTIFY_SCHEMAS"),
        ("apprise", "json://example.com", "", "not among NOTIFY_SCHEMAS"),
        ("apprise", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd", "", "not taken"),
        ("apprise", "mailto://a@example.com?smtp=10.1.2.3&to=b@example.com", "", "is a private address"),
        ("apprise", "slack://", "", "does not understand"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_by_name(kind: str, url: str, secret: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        make_channel(url, kind=kind, secret=secret)
    assert Channel.objects.count() == 0


# --- our own network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
def test_nothing_is_sent_into_our_own_network_whatever_was_true_when_the_channel_was_made(
    kind: str, mail: Mailbox, receiver: Server, settings: Any
) -> None:
    channel = make_channel(receiver.url if kind == "webhook" else mail.url, kind=kind)
    settings.NOTIFY_PRIVATE_HOSTS = []
    trip()
    tell()
    assert (receiver.received, mail.mails) == ([], [])
    assert "127.0.0.1 is a private address" in Delivery.objects.get(channel=channel).last_error


def test_an_allowed_host_is_allowed_with_its_port_alone(receiver: Server, settings: Any) -> None:
    port = receiver.url.rpartition(":")[2]
    settings.NOTIFY_PRIVATE_HOSTS = [f"localhost:{port}"]
    channels.test(make_channel(f"http://127.0.0.1:{port}/"), actor=ANN)
    tell()
    assert len(receiver.received) == 1
    settings.NOTIFY_PRIVATE_HOSTS = ["localhost:1"]
    channels.replay(Delivery.objects.get(), actor=ANN)
    tell()
    assert len(receiver.received) == 1


# --- incidents --------------------------------------------------------------------------------------------------------


def test_the_message_of_an_event_belongs_to_its_incident() -> None:
    trip()
    incident = incidents.current()
    assert incident is not None
    assert [row.kind for row in incident.messages.all()] == ["opened"]
