"""People are told of an opening within seconds, by mail and by a signed webhook, beside a channel that is dead."""

import time

import pytest

from local.drill import ENVIRONMENT, SEARCH, Drill
from local.stack import Stack
from tests.integrations.wire import http, serving
from tests.notifications.receivers import SECRET, ids, mailbox, subject_of, text_of, verified

WITHIN = 5.0  # seconds after the opening
MAKE_CHANNELS = """
import os, django
django.setup()
from circuitbreakers.events import Actor
from notifications import channels
from notifications.models import Channel
for name in ("mail", "hook", "dead"):
    kind = "apprise" if name == "mail" else "webhook"
    secret = "" if name == "mail" else os.environ["SECRET"]
    row = Channel(name=name, kind=kind)
    channels.save(row, url=os.environ[name.upper()], secret=secret, actor=Actor("ann", "command"))
"""


@pytest.fixture(scope="module")
def mail():
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def receiver():
    with serving(http(200, {})) as server:
        yield server


@pytest.fixture(scope="module")
def drill(tmp_path_factory, mail, receiver):
    env = {**ENVIRONMENT, "NOTIFY_PRIVATE_HOSTS": "127.0.0.1"}
    with (
        serving(lambda talk: talk.stopping.wait()) as dead,
        Stack(tmp_path_factory.mktemp("stack"), env=env, processes=1, threads=8) as stack,
    ):
        targets = {"MAIL": mail.url, "HOOK": receiver.url, "DEAD": dead.url}
        stack.python("-c", MAKE_CHANNELS, check=True, SECRET=SECRET, **targets)
        drill = Drill(stack)
        yield drill
        assert dead.received
        drill.database.close()


def kinds(receiver):
    return [hook["type"].removeprefix("holdfast.") for hook in verified(receiver)]


def openings(mail):
    return [letter for letter in mail.mails if "has stopped: everything is paused" in subject_of(letter)]


@pytest.mark.processes
def test_an_opening_is_told_within_five_seconds_on_every_channel_that_lives(drill, mail, receiver):
    drill.command("campaign", "create", "From a search", "--apollo-url", SEARCH, "--max-leads", "600", "--start")
    drill.until("leads have ended", lambda: drill.ended() >= 5)
    drill.control("openai", {"fault": "server_error"})
    drill.until("it is told", lambda: "opened" in kinds(receiver) and openings(mail))
    arrived = time.time()
    opened_at, seconds = drill.rows("SELECT opened_at, cascade_seconds FROM incidents")[0]
    assert arrived - opened_at.timestamp() < WITHIN
    assert seconds < WITHIN
    (letter,) = openings(mail)
    assert subject_of(letter) == "Holdfast SANDBOX: openai has stopped: everything is paused"
    assert "Paused since" in text_of(letter)
    assert f"{drill.stack.web_url}/admin/recovery/" in text_of(letter)
    assert drill.command("notify", "list")["channels"][0]["name"] == "dead"


@pytest.mark.processes
def test_the_way_back_is_told_with_its_end(drill, receiver):
    drill.control("openai", {"fault": "none"})
    drill.command("breaker", "reset", "openai", "--reason", "it is well")
    drill.until("a resume is possible", lambda: drill.stack.manage("queue", "plan").returncode == 0)
    drill.command("queue", "resume", "--reason", "it is well")
    drill.until("its end is told", lambda: "resume_done" in kinds(receiver))
    told = kinds(receiver)
    assert told.index("opened") < told.index("reset") < told.index("resumed") < told.index("resume_done")


@pytest.mark.processes
def test_what_a_killed_supervisor_has_not_told_its_successor_tells(drill, mail, receiver):
    opened = "SELECT count(*) FROM incidents"
    before = drill.value(opened)
    drill.control("openai", {"fault": "server_error"})
    drill.until("the breaker has opened", lambda: drill.value(opened) > before)
    drill.stack.child("supervisor").kill()
    drill.until("it is told", lambda: kinds(receiver).count("opened") > 1 and len(openings(mail)) > 1)
    told = {pk for pk, kind in zip(ids(receiver), kinds(receiver), strict=True) if kind == "opened"}
    assert len(told) == len({letter["Message-ID"] for letter in openings(mail)}) == 2
    assert drill.value("SELECT count(*) FROM messages WHERE kind = 'opened'") == 2
