"""A sender is killed at each of its lines: whoever comes after it sends what is left, and a receiver that knows ids is
told of each thing once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from local.stack import ROOT
from notifications.models import Delivery, Message
from notifications.sending import LEASE
from tests.breakers import trip
from tests.builders import make_campaign
from tests.integrations.wire import Conversation, Server, http, serving
from tests.notifications.receivers import SECRET, Mailbox, ids, mailbox, make_channel, states, tell, verified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

# Sends as a supervisor does, and kills itself there: before or after a function of ours, at its first call.
SENDS = """
import os, signal, sys
import django
django.setup()
from importlib import import_module
from notifications import routing, sending

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dies(function, when):
    def dying(*args, **kwargs):
        if when == "before":
            die()
        result = function(*args, **kwargs)
        die()
        return result
    return dying

when, name = sys.argv[1:]
if name:
    module, _, function = name.rpartition(".")
    module = import_module(module)
    dying = dies(getattr(module, function), when)
    setattr(module, function, dying)
    for kind, send in sending.SENDERS.items():
        if send.__module__ + ".send" == name:
            sending.SENDERS[kind] = dying
routing.route()
for channel in sending.due_channels():
    sending.send_due(channel)
"""
# Each line of a sender's way, from the unrouted message to the note.
LINES = [
    ("before", "notifications.texts.sentence"),
    ("before", "notifications.routing._route"),
    ("before", "notifications.routing._channels_of"),  # its text is written, not committed
    ("before", "notifications.routing._is_storm"),
    ("after", "notifications.routing._is_storm"),
    ("after", "notifications.routing._route"),
    ("before", "notifications.sending.claim"),
    ("after", "notifications.sending.claim"),
    ("before", "notifications.sealing.unseal"),
    ("after", "notifications.sealing.unseal"),
    ("before", "notifications.webhooks.send"),
    ("before", "notifications.apprise_channels.send"),
    ("after", "notifications.webhooks.send"),  # sent and not noted
    ("after", "notifications.apprise_channels.send"),
    ("after", "notifications.sending.attempt"),
    ("before", "notifications.sending.note"),
    ("after", "notifications.sending.note"),
]


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


def send_in_a_process_of_its_own(when: str, line: str) -> int:
    """Its exit status; -9 when it was killed."""
    known = connection.settings_dict
    url = f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SENDS, when, line],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": url,
            "REDIS_URL": django_settings.REDIS_URL,
            "SECRET_KEY": django_settings.SECRET_KEY,
            "NOTIFY_PRIVATE_HOSTS": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def let_the_lease_pass() -> None:
    """As if it were a lease later."""
    later = timezone.now()
    Delivery.objects.filter(state="PENDING").update(next_at=later)


@pytest.mark.parametrize(("when", "line"), LINES)
def test_a_sender_that_is_killed_there_tells_each_channel_once(
    when: str, line: str, mail: Mailbox, receiver: Server
) -> None:
    make_campaign()
    channels = [make_channel(receiver.url), make_channel(mail.url, kind="apprise")]
    trip("openai")
    assert send_in_a_process_of_its_own(when, line) == -signal.SIGKILL
    let_the_lease_pass()
    tell()
    assert [states(channel) for channel in channels] == [["SENT"], ["SENT"]]
    told = Message.objects.get(kind="opened").pk.hex
    assert set(ids(receiver)) == {f"msg_{told}"}
    assert set(mail.ids) == {f"<{told}@127.0.0.1>"}
    assert 2 <= len(receiver.received) + len(mail.mails) <= 3
    # What came twice is the same to the letter.
    assert len({request.body for request in receiver.received}) == 1
    assert len(verified(receiver, SECRET)) == len(receiver.received)


def test_until_its_lease_has_passed_nobody_else_sends_it(mail: Mailbox, receiver: Server) -> None:
    make_channel(receiver.url)
    trip()
    send_in_a_process_of_its_own("after", "notifications.sending.claim")
    assert tell() == 0
    left = Delivery.objects.get().next_at - timezone.now()
    assert 0 < left.total_seconds() <= LEASE


def test_one_that_is_killed_while_it_waits_for_the_answer_is_followed_by_another() -> None:
    process: list[subprocess.Popen[bytes]] = []

    def kill(talk: Conversation) -> None:
        talk.reset()

    with serving(kill, http(200, {})) as server:
        make_channel(server.url)
        trip()
        assert send_in_a_process_of_its_own("before", "notifications.sending.note") == -signal.SIGKILL
        let_the_lease_pass()
        tell()
        assert len(server.received) == 2
        assert len(set(ids(server))) == 1
    assert process == []


def test_two_senders_at_once_send_it_once(receiver: Server) -> None:
    channel = make_channel(receiver.url)
    for _ in range(3):
        trip()
        tell()
    assert len(receiver.received) == len(set(ids(receiver))) == len(states(channel))
