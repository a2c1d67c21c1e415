"""A sender is killed at each of its lines: whoever comes after it sends what is left, and a receiver that knows ids is
told of each thing once."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from circuitbreakers import events
from circuitbreakers.models import Event
from local.stack import ROOT
from notifications import retries, routing, sending
from notifications.models import Delivery, Message
from tests.breakers import ANN, at_once, trip
from tests.integrations.wire import Server
from tests.notifications.receivers import Mailbox, ids, make_channel, states, tell, verified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

Dies = Callable[[str], str]


@pytest.fixture(autouse=True)
def quietly(monkeypatch: Any) -> None:
    """The sentence costs more than all the rest."""
    monkeypatch.setattr("notifications.texts._sentence", [lambda: "Paused."])


@pytest.fixture
def dies() -> Iterator[Dies]:
    """`dies("send 17")` has a process of its own send and die at that line: `killed`, or `done` if it has fewer."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.notifications.dying_sender"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict),
            "REDIS_URL": django_settings.REDIS_URL,
            "SECRET_KEY": django_settings.SECRET_KEY,
            "NOTIFY_PRIVATE_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "ERROR",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked
        assert answers

        def ask(order: str) -> str:
            asked.write(f"{order}\n")
            asked.flush()
            return answers.readline().strip()

        yield ask
        asked.close()


def let_the_lease_pass() -> None:
    """As if it were a lease later."""
    Delivery.objects.filter(state="PENDING").update(next_at=timezone.now())


def tell_until_all_know(message: UUID, channels: int, within: float = 30) -> None:
    """Send, as a supervisor does again and again: what a killed process has locked is passed over until PostgreSQL sees
    that it is gone."""
    until = time.monotonic() + within
    while Delivery.objects.filter(message=message, state="SENT").count() < channels:
        assert time.monotonic() < until, f"not told of {message}"
        let_the_lease_pass()
        tell()


def forget_the_storm() -> None:
    """As if what was sent so far had been sent long ago."""
    Delivery.objects.update(queued_at=timezone.now() - 2 * routing.WINDOW)


def test_a_sender_that_is_killed_at_any_of_its_lines_tells_each_channel_once(
    dies: Dies, mail: Mailbox, receiver: Server
) -> None:
    channels = [make_channel(receiver.url), make_channel(mail.url, kind="apprise")]
    twice = 0
    for line in itertools.count(1):
        receiver.received.clear()
        mail.mails.clear()
        events.record("budget", "system", "used_up", actor=ANN, reason="used up")
        told = Message.objects.latest("at").pk
        how = dies(f"send {line}")
        assert how in ("killed", "done"), line
        tell_until_all_know(told, len(channels))
        assert [states(channel)[-1] for channel in channels] == ["SENT", "SENT"], line
        assert set(ids(receiver)) == {f"msg_{told.hex}"}, line
        assert set(mail.ids) == {f"<{told.hex}@127.0.0.1>"}, line
        sent = len(receiver.received) + len(mail.mails)
        assert sent in (2, 3), line
        twice += sent == 3
        # What came twice is the same to the letter.
        assert len({request.body for request in receiver.received}) == 1, line
        assert len(verified(receiver)) == len(receiver.received), line
        forget_the_storm()
        if how == "done":
            break
    assert line > 150
    assert 2 <= twice < 50  # it died between the answer and the note, on each of the channels


def test_whoever_is_killed_at_any_line_of_an_event_leaves_it_with_its_message_or_neither(dies: Dies) -> None:
    for line in itertools.count(1):
        how = dies(f"record {line}")
        assert how in ("killed", "done"), line
        on_record = Event.objects.filter(verb="used_up").count()
        assert Message.objects.count() == on_record, line
        if how == "done":
            break
    assert line > 20
    assert on_record == 2  # one of them died with nothing left to do but return


def test_until_its_lease_has_passed_nobody_else_sends_it(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    trip()
    routing.route()
    assert sending.claim(channel.pk)
    assert sending.due_channels() == []
    assert sending.claim(channel.pk) is None
    left = Delivery.objects.get().next_at - timezone.now()
    assert sending.LEASE - 5 < left.total_seconds() <= sending.LEASE


def test_a_message_under_which_every_sender_dies_is_given_up(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    trip()
    routing.route()
    for _ in range(retries.MOST):
        assert sending.claim(channel.pk)
        let_the_lease_pass()
    assert tell() == 1
    assert receiver.received == []
    assert states(channel) == ["GIVEN_UP"]
    assert Delivery.objects.get().last_error == sending.NEVER_ENDED


def test_senders_that_run_at_once_send_each_message_once(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    for number in range(8):
        events.record("budget", f"campaign:{number}", "used_up", actor=ANN, reason="used up")
    routed = at_once(*[routing.route] * 4)
    assert sum(routed) == 8
    sent = at_once(*[lambda: sending.send_due(channel.pk)] * 4)
    assert sum(sent) == 8
    assert len(receiver.received) == len(set(ids(receiver))) == 8
