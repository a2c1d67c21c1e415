"""`manage.py sandbox emit`: something happens to a lead by hand."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from integrations.sandbox import Sandbox
from tests.integrations.sandbox.calls import CAMPAIGN, Client
from tests.integrations.sandbox.receiving import listed, push, settled, subscribe, told
from tests.integrations.wire import http, serving

IDA = "ida@a.example"


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox() as sandbox, Client(sandbox.url) as client:
        yield client


def emit(client: Client, *arguments: str) -> str:
    out = StringIO()
    call_command("sandbox", "emit", *arguments, "--url", client.url, stdout=out)
    return out.getvalue()


def test_an_event_by_hand_reaches_the_lead_and_the_webhook(client: Client) -> None:
    push(client, CAMPAIGN, IDA)
    with serving(http(200, {})) as receiver:
        subscribe(client, receiver)
        assert emit(client, "lead_unsubscribed", IDA, "--copies", "2") == "Happened: 1. Deliveries on their way: 2.\n"
        settled(client)
        assert told(receiver) == [("lead_unsubscribed", IDA)] * 2
    assert listed(client, filter="FILTER_VAL_UNSUBSCRIBED") == [IDA]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lead_vanished", IDA), "Unknown event 'lead_vanished'"),
        (("lead_unsubscribed", "nobody@a.example"), "Nobody like that"),
        (("lead_unsubscribed", IDA, "--campaign", "unknown"), "no campaign 'unknown'"),
    ],
)
def test_an_event_that_cannot_happen_says_why(client: Client, arguments: tuple[str, ...], words: str) -> None:
    push(client, CAMPAIGN, IDA)
    with pytest.raises(CommandError, match=words):
        emit(client, *arguments)


def test_a_sandbox_that_does_not_run_is_named() -> None:
    with pytest.raises(CommandError, match=r"No sandbox answers on http://127\.0\.0\.1:9 "):
        call_command("sandbox", "emit", "email_sent", IDA, "--url", "http://127.0.0.1:9")
