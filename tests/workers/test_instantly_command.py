"""`manage.py instantly`: the subscription from its making to its end, against the sandbox and the real webhook."""

import json
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command

from campaigns.models import OutcomeEvent
from circuitbreakers.models import Event
from integrations import instantly, instantly_outcomes
from integrations.sandbox import Sandbox
from tests.integrations.sandbox.calls import Client
from tests.integrations.sandbox.receiving import settled
from tests.stores import break_vendor

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "kYf3vQm8RzT1xWc6LbN9hJd2GsP5aE7u"
SECRET = "s0Z-uVq4eBn7MxKt1Yw8HgRj3DcLp6Fa9I"


@pytest.fixture(autouse=True)
def configured(sandbox: Sandbox, settings: Any, live_server: Any) -> None:
    """The site is up, and Instantly reaches it."""
    settings.INSTANTLY_WEBHOOK_PATH, settings.INSTANTLY_WEBHOOK_SECRET = PATH, SECRET
    settings.WEB_URL = live_server.url


def instantly_(*arguments: str) -> str:
    out = StringIO()
    try:
        call_command("instantly", *arguments, stdout=out)
    except CommandError as error:
        out.write(f"{error} ({error.returncode})")
    text = out.getvalue()
    assert PATH not in text
    assert SECRET not in text
    return text


def disable(sandbox: Sandbox, settings: Any) -> None:
    """Deliveries fail until Instantly disables the subscription."""
    target = instantly.create_campaign("Autumn")
    instantly.push(campaign_id=target, lead={"email": "ida@acme.example"})
    settings.INSTANTLY_WEBHOOK_SECRET = SECRET[::-1]
    with Client(sandbox.url) as client:
        client.control("PUT", "instantly/hooks", json={"retry_seconds": 0})
        body = {"event": "email_sent", "email": "ida@acme.example"}
        requests.post(f"{sandbox.url}/_control/instantly/emit", json=body, timeout=5).raise_for_status()
        settled(client)
    settings.INSTANTLY_WEBHOOK_SECRET = SECRET
    assert [hook.disabled for hook in instantly_outcomes.list_webhooks()] == [True]


def test_a_subscription_is_made_once_and_its_test_arrives() -> None:
    assert "Subscribed to all events" in instantly_("subscribe", "--reason", "going live", "--actor", "olga")
    assert "subscribed already" in instantly_("subscribe")
    assert len(instantly_outcomes.list_webhooks()) == 1
    assert "A test arrived: we answered 200" in instantly_("check")
    assert OutcomeEvent.objects.count() == 1
    event = Event.objects.get(subject_type="webhook")
    assert (event.verb, event.actor, event.reason) == ("subscribed", "olga", "going live")


def test_what_it_prints_for_programs_holds_no_secret() -> None:
    instantly_("subscribe")
    shown = json.loads(instantly_("check", "--json"))
    assert shown["url"].endswith("/hooks/instantly/[secret]")
    assert shown["test"]["success"] is True
    assert [hook["disabled"] for hook in shown["subscriptions"]] == [False]


def test_without_a_subscription_the_check_fails() -> None:
    assert instantly_("check") == "There is no subscription to our webhook. Make one: subscribe (1)"


def test_one_that_instantly_has_disabled_is_named_and_resumed(sandbox: Sandbox, settings: Any) -> None:
    instantly_("subscribe")
    disable(sandbox, settings)
    assert "Instantly has disabled it since" in instantly_("check")
    assert instantly_("subscribe").endswith("check --resume (1)")
    assert "A test arrived" in instantly_("check", "--resume")
    assert [hook.disabled for hook in instantly_outcomes.list_webhooks()] == [False]
    assert Event.objects.filter(subject_type="webhook", verb="resumed").count() == 1


def test_a_test_that_does_not_arrive_fails_the_check(settings: Any) -> None:
    instantly_("subscribe")
    settings.INSTANTLY_WEBHOOK_SECRET = SECRET[::-1]
    shown = instantly_("check")
    assert "A test failed: we answered 401" in shown
    assert shown.endswith("Instantly's test did not arrive. (1)")


def test_all_of_ours_are_deleted_also_those_with_an_older_path_and_nobody_elses(settings: Any) -> None:
    instantly_("subscribe")
    instantly_outcomes.create_webhook(url="https://other.example/hooks/instantly/x", header="X", secret="y")
    settings.INSTANTLY_WEBHOOK_PATH = PATH[::-1]
    instantly_("subscribe")
    assert "Deleted: 2." in instantly_("unsubscribe")
    assert "There was no subscription of ours." in instantly_("unsubscribe")
    assert len(instantly_outcomes.list_webhooks()) == 1


@pytest.mark.parametrize("verb", ["subscribe", "check", "unsubscribe"])
def test_without_its_settings_nothing_is_done(verb: str, settings: Any) -> None:
    settings.INSTANTLY_WEBHOOK_PATH = settings.INSTANTLY_WEBHOOK_SECRET = ""
    assert instantly_(verb).endswith("for the web processes too. (1)")


def test_a_wrong_address_is_refused() -> None:
    assert instantly_("subscribe", "--url", "ftp://x").endswith("(2)")


def test_what_instantly_refuses_is_said(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "instantly", "server_error")
    assert instantly_("subscribe").endswith("(1)")
