"""What Instantly says of webhooks, of leads that it wrote to, of campaigns that do not send and of its block list."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations import instantly_outcomes as outcomes
from integrations.errors import FailureType, VendorError
from integrations.results import Blocked, LeadOutcome, SendingStatus, Webhook, WebhookTest
from tests.integrations import bodies
from tests.integrations.conftest import Serve
from tests.integrations.wire import http

SECRET = "Xk2-opaque-91c4"
URL = "https://holdfast.test/hook/Vp7q-opaque"
WEBHOOK = Webhook(
    id="01ab",
    url="https://holdfast.test/hook/9c1e",
    event_type="all_events",
    status=1,
    disabled_at=None,
    campaign="",
    name="Holdfast",
)
LEAD = LeadOutcome(
    id="7aa0",
    email="ida@acme.test",
    campaign="0c1d",
    status=-1,
    interest=outcomes.NOT_INTERESTED,
    replies=1,
    contacted_at=datetime(2026, 11, 2, 8, tzinfo=UTC),
    replied_at=datetime(2026, 11, 3, 8, tzinfo=UTC),
    interest_changed_at=datetime(2026, 11, 3, 8, tzinfo=UTC),
    updated_at=datetime(2026, 11, 3, 8, tzinfo=UTC),
)


def subscribe() -> Webhook:
    return outcomes.create_webhook(url=URL, header="X-Holdfast", secret=SECRET)


def test_a_subscription_is_made_with_its_secret_header_and_answers_without_it(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.WEBHOOK | {"headers": {"X-Holdfast": SECRET}}))
    webhook = outcomes.create_webhook(url=URL, header="X-Holdfast", secret=SECRET, name="Holdfast", campaign_id="0c1d")
    assert webhook == WEBHOOK
    assert server.last.json == {
        "target_hook_url": URL,
        "event_type": "all_events",
        "headers": {"X-Holdfast": SECRET},
        "name": "Holdfast",
        "campaign": "0c1d",
    }


def test_neither_the_secret_nor_the_url_is_in_a_repr_an_error_or_a_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"body/headers/X-Holdfast {SECRET.upper()} must not go to {URL}"
    serve(
        "instantly",
        http(400, bodies.instantly_error(400, "Bad Request", said)),
        http(502, f"upstream said: {said}"),
        http(200, bodies.WEBHOOK | {"target_hook_url": URL, "headers": {"X-Holdfast": SECRET}}),
    )
    texts = []
    for _ in range(2):
        with pytest.raises(VendorError) as caught:
            subscribe()
        texts.append(f"{caught.value!r} {caught.value} {caught.value.message}")
    texts += [repr(subscribe()), caplog.text]
    for text in texts:
        assert "opaque" not in text.lower()
    assert "must not go to" in texts[0]


def test_a_disabled_subscription_says_so(serve: Serve) -> None:
    row = bodies.WEBHOOK | {"status": -1, "timestamp_error": "2026-11-05T08:00:00.000Z"}
    serve("instantly", http(200, {"items": [row, bodies.WEBHOOK, {"name": "no id"}, "no row"]}))
    disabled, active = outcomes.list_webhooks()
    assert (disabled.disabled, active.disabled) == (True, False)
    assert disabled.disabled_at == datetime(2026, 11, 5, 8, tzinfo=UTC)


def test_a_subscription_is_resumed_and_deleted_by_its_id(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.WEBHOOK))
    assert outcomes.resume_webhook("01/ab") == WEBHOOK
    outcomes.delete_webhook("01/ab")
    assert [(seen.method, seen.target, seen.body) for seen in server.received] == [
        ("POST", "/api/v2/webhooks/01%2Fab/resume", b""),
        ("DELETE", "/api/v2/webhooks/01%2Fab", b""),
    ]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"success": True, "message": "Delivered", "status_code": 200}, WebhookTest(True, 200, "Delivered")),
        (
            {"success": False, "status_code": 404, "error": "Not Found", "message": "No"},
            WebhookTest(False, 404, "Not Found"),
        ),
        (
            {"success": False, "error": f"No answer from {URL} at all"},
            WebhookTest(False, None, "No answer from [url] at all"),
        ),
    ],
)
def test_a_receiver_that_refuses_a_test_is_a_result(serve: Serve, answer: object, result: WebhookTest) -> None:
    serve("instantly", http(200, answer))
    assert outcomes.test_webhook("01ab") == result


def test_a_subscription_that_is_gone_is_an_invalid_request(serve: Serve) -> None:
    serve("instantly", http(404, bodies.instantly_error(404, "Not Found", "Resource not found")))
    for call in (outcomes.test_webhook, outcomes.resume_webhook, outcomes.delete_webhook):
        with pytest.raises(VendorError) as caught:
            call("01ab")
        assert caught.value.failure_type == FailureType.INVALID_REQUEST


def test_a_page_of_leads_says_what_became_of_each_and_where_the_next_begins(serve: Serve) -> None:
    server = serve("instantly", http(200, {"items": [bodies.CONTACTED], "next_starting_after": "7aa0"}))
    page = outcomes.list_leads("0c1d", outcomes.FILTER_VAL_BOUNCED, after="6990", limit=50)
    assert (page.rows, page.next) == ((LEAD,), "7aa0")
    assert server.last.json == {
        "campaign": "0c1d",
        "filter": "FILTER_VAL_BOUNCED",
        "limit": 50,
        "starting_after": "6990",
    }


def test_a_lead_that_nothing_happened_to_has_no_instants(serve: Serve) -> None:
    row = {"id": "7aa0", "email": "ida@acme.test", "status": 1, "timestamp_last_contact": "yesterday"}
    serve("instantly", http(200, {"items": [row]}))
    (lead,) = outcomes.list_leads("0c1d", outcomes.FILTER_VAL_CONTACTED).rows
    nothing: dict[str, Any] = dict.fromkeys(
        ("interest", "contacted_at", "replied_at", "interest_changed_at", "updated_at")
    )
    assert lead == replace(LEAD, campaign="", status=1, replies=0, **nothing)
    assert [lead.contacted, lead.bounced, lead.unsubscribed, lead.replied] == [False] * 4


def test_the_last_step_says_that_a_lead_was_contacted_where_nothing_else_does(serve: Serve) -> None:
    serve("instantly", http(200, {"items": [bodies.CONTACTED | {"timestamp_last_contact": None}]}))
    (lead,) = outcomes.list_leads("0c1d", outcomes.FILTER_VAL_CONTACTED).rows
    assert lead.contacted_at == LEAD.contacted_at


@pytest.mark.parametrize(
    "row", [None, 7, {}, {"id": "7aa0"}, {"id": "7aa0", "email": "nobody"}, {"id": "7" * 65, "email": "ida@acme.test"}]
)
def test_a_row_that_cannot_be_read_is_left_out_and_the_page_goes_on(serve: Serve, row: object) -> None:
    serve("instantly", http(200, {"items": [row], "next_starting_after": "7aa0"}))
    page = outcomes.list_leads("0c1d", outcomes.FILTER_VAL_BOUNCED)
    assert (page.rows, page.next) == ((), "7aa0")


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        ({"items": [], "next_starting_after": "7aa0"}, ""),
        ({"items": [bodies.CONTACTED]}, ""),
        ({"items": [bodies.CONTACTED], "next_starting_after": "7aa0"}, "7aa0"),
    ],
)
def test_the_leads_end_with_an_empty_page_no_cursor_or_one_that_goes_in_a_circle(
    serve: Serve, answer: object, after: str
) -> None:
    serve("instantly", http(200, answer))
    assert outcomes.list_leads("0c1d", outcomes.FILTER_VAL_BOUNCED, after=after).next == ""


def test_a_page_without_items_is_malformed(serve: Serve) -> None:
    serve("instantly", http(200, {"leads": []}))
    with pytest.raises(VendorError) as caught:
        outcomes.list_leads("0c1d", outcomes.FILTER_VAL_BOUNCED)
    assert caught.value.failure_type == FailureType.MALFORMED


def test_addresses_and_domains_are_blocked_in_one_call(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.BLOCKED | {"invalid_count": 1}))
    assert outcomes.block(["acme.test", "?"]) == Blocked(created=1, valid=1, invalid=1)
    assert server.last.json == {"bl_values": ["acme.test", "?"]}


@pytest.mark.parametrize("count", [0, 1001])
def test_none_or_too_many_to_block_are_not_sent(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        outcomes.block(["acme.test"] * count)


def test_a_campaign_that_does_not_send_says_why(serve: Serve) -> None:
    serve("instantly", http(200, bodies.CAMPAIGN | {"status": -2}), http(200, bodies.SENDING))
    assert outcomes.sending_status("0c1d") == SendingStatus(
        status=-2,
        code="campaign_bounce_protect",
        sentence="Too many mails bounced",
        since=datetime(2026, 11, 2, 8, tzinfo=UTC),
    )


def test_a_campaign_without_diagnostics_has_its_status_and_no_sentence(serve: Serve) -> None:
    serve("instantly", http(200, bodies.CAMPAIGN), http(200, {"diagnostics": None, "summary": None}))
    assert outcomes.sending_status("0c1d") == SendingStatus(status=0, code="", sentence="", since=None)


@pytest.mark.parametrize(
    ("subscriptions", "room"),
    [
        (bodies.PLAN["subscriptions"], 60),
        ({"outreach": {"total_lead_limit": 100, "current_lead_count": 130}}, 0),
        (
            {
                "outreach": {"total_lead_limit": 0, "current_lead_count": 0},
                "bundle": {"total_lead_limit": 50, "current_lead_count": 8},
            },
            42,
        ),
        ({"outreach": {"plan_name": "Free Trial"}}, None),
        (None, None),
    ],
)
def test_the_room_in_the_plan_is_its_limit_without_what_counts_towards_it(
    serve: Serve, subscriptions: object, room: int | None
) -> None:
    serve("instantly", http(200, {"subscriptions": subscriptions}))
    assert outcomes.plan_room() == room
