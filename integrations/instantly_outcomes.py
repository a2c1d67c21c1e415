"""Instantly tells what became of the leads: by webhooks, by listing leads, by why a campaign does not send. It also
keeps a block list. Every call here is free.

Facts: OpenAPI document of API v2 and the vendor's page on webhook events. The document gives one filter of leads as an
example and the interest statuses as numbers without words; the others of both are those of public clients.
Deliveries are not signed: all that a subscription can give is a header with a secret.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from integrations import http, instantly, reading
from integrations.answers import Answer, by_status
from integrations.errors import FailureType
from integrations.redaction import redact
from integrations.results import Blocked, LeadOutcome, LeadPage, Outlook, SendingStatus, Webhook, WebhookTest

ALL_EVENTS = "all_events"

# Filters of `list_leads`; several cannot be combined.
FILTER_VAL_CONTACTED = "FILTER_VAL_CONTACTED"
FILTER_VAL_BOUNCED = "FILTER_VAL_BOUNCED"
FILTER_VAL_UNSUBSCRIBED = "FILTER_VAL_UNSUBSCRIBED"
FILTER_VAL_REPLIED = "FILTER_VAL_REPLIED"
FILTER_VAL_SKIPPED = "FILTER_VAL_SKIPPED"
FILTER_LEAD_NOT_INTERESTED = "FILTER_LEAD_NOT_INTERESTED"
FILTER_LEAD_WRONG_PERSON = "FILTER_LEAD_WRONG_PERSON"
FILTER_LEAD_OUT_OF_OFFICE = "FILTER_LEAD_OUT_OF_OFFICE"

OUT_OF_OFFICE, NOT_INTERESTED, WRONG_PERSON = 0, -1, -2
# A lead's interest as a number; other numbers are labels of the workspace's own.
INTERESTS = {
    OUT_OF_OFFICE: "out of office",
    1: "interested",
    2: "meeting booked",
    3: "meeting completed",
    4: "closed",
    NOT_INTERESTED: "not interested",
    WRONG_PERSON: "wrong person",
    -3: "lost",
    -4: "no show",
}

MAX_BLOCKED = 1000  # values in one call
LONGEST_CURSOR = 320  # characters; a cursor may be an address
LONGEST_ADDRESS = 320
LONGEST_URL = 2000
LONGEST_WORDS = 300
MOST_READ = 2000  # characters of a vendor's words that are looked at
URL = re.compile(r"\bhttps?:\S+", re.IGNORECASE)


# --- webhooks ---------------------------------------------------------------------------------------------------------


def list_webhooks() -> list[Webhook]:
    """List the workspace's subscriptions, everybody's and not only ours, a hundred at most. Raises VendorError."""
    rows, _ = _listing("GET", "/api/v2/webhooks", params=[("limit", instantly.PAGE)])
    return [webhook for row in rows if (webhook := _webhook(row))]


def create_webhook(
    *, url: str, header: str, secret: str, event_type: str = ALL_EVENTS, name: str = "", campaign_id: str = ""
) -> Webhook:
    """Subscribe `url` to events of all campaigns, or of one; each delivery carries `secret` in the header `header`.

    Repeating it makes a second subscription. Raises VendorError, whose message holds neither the secret nor the URL.
    """

    def refusal(answer: Answer) -> str:
        hidden = re.compile("|".join(re.escape(text) for text in (secret, url) if text), re.IGNORECASE)
        return hidden.sub("[secret]", answer.explanation)

    body = {"target_hook_url": url, "event_type": event_type, "headers": {header: secret}}
    optional = {"name": name, "campaign": campaign_id}
    body |= {field: value for field, value in optional.items() if value}
    return _one_webhook(_call("POST", "/api/v2/webhooks", json=body, advice=refusal))


def delete_webhook(webhook_id: str) -> None:
    """Delete a subscription. Raises VendorError, `invalid_request` if there is none."""
    _call("DELETE", _path("webhooks", webhook_id))


def resume_webhook(webhook_id: str) -> Webhook:
    """Let a subscription deliver again that the vendor disabled; what was lost meanwhile is not delivered. Raises
    VendorError, `invalid_request` if there is none."""
    return _one_webhook(_call("POST", f"{_path('webhooks', webhook_id)}/resume"))


def test_webhook(webhook_id: str) -> WebhookTest:
    """Have the vendor deliver a test. A receiver that refuses it is a result, not an error. Raises VendorError,
    `invalid_request` if there is no such subscription."""
    answer = http.call_as_bearer(instantly.SERVICE, _classify_test, "POST", f"{_path('webhooks', webhook_id)}/test")
    body = answer.body or {}
    if not isinstance(body.get("success"), bool):
        raise http.failed(instantly.SERVICE, FailureType.MALFORMED, answer, "no result of a webhook's test")
    words = reading.text(body.get("error")) or reading.text(body.get("message"))
    return WebhookTest(body["success"], reading.whole(body.get("status_code")), _words(URL.sub("[url]", words)))


def _classify_test(answer: Answer) -> FailureType | None:
    """Judge by the status alone where the answer says how a test went: its `error` is the receiver's."""
    tested = answer.ok and isinstance((answer.body or {}).get("success"), bool)
    return by_status(answer) if tested else instantly.classify(answer)


def _one_webhook(answer: Answer) -> Webhook:
    webhook = _webhook(answer.body or {})
    if webhook is None:
        raise http.failed(instantly.SERVICE, FailureType.MALFORMED, answer, "no id in a webhook")
    return webhook


def _webhook(row: dict[str, Any]) -> Webhook | None:
    webhook_id = reading.identifier(row.get("id"))
    if not webhook_id:
        return None
    return Webhook(
        id=webhook_id,
        url=reading.text(row.get("target_hook_url"))[:LONGEST_URL],
        event_type=reading.identifier(row.get("event_type")),
        status=reading.whole(row.get("status")),
        disabled_at=_instant(row.get("timestamp_error")),
        campaign=reading.identifier(row.get("campaign")),
        name=_words(reading.text(row.get("name"))),
    )


# --- leads ------------------------------------------------------------------------------------------------------------


def list_leads(campaign_id: str, filter: str, after: str = "", limit: int = instantly.PAGE) -> LeadPage:
    """List the leads of a campaign that pass a filter, a page at a time (`limit` 1 to 100), from the cursor `after` on.

    A row without id or address is left out. The last page may name a cursor: the page after it is empty, and its `next`
    is "". Raises VendorError.
    """
    body: dict[str, Any] = {"campaign": campaign_id, "filter": filter, "limit": limit}
    rows, following = _listing("POST", "/api/v2/leads/list", json=body | ({"starting_after": after} if after else {}))
    outcomes = tuple(outcome for row in rows if (outcome := _lead(row)))
    # A cursor that leads back to where it came from would never end.
    return LeadPage(outcomes, following if following != after else "")


def _lead(row: dict[str, Any]) -> LeadOutcome | None:
    lead_id, email = reading.identifier(row.get("id")), reading.text(row.get("email")).strip()
    if not lead_id or "@" not in email or len(email) > LONGEST_ADDRESS:
        return None
    last_step = reading.mapping(reading.mapping(row.get("status_summary")).get("lastStep"))
    return LeadOutcome(
        id=lead_id,
        email=email,
        campaign=reading.identifier(row.get("campaign")),
        status=reading.whole(row.get("status")),
        interest=reading.whole(row.get("lt_interest_status")),
        replies=reading.tally(row.get("email_reply_count")),
        contacted_at=_instant(row.get("timestamp_last_contact")) or _instant(last_step.get("timestamp_executed")),
        replied_at=_instant(row.get("timestamp_last_reply")),
        interest_changed_at=_instant(row.get("timestamp_last_interest_change")),
        updated_at=_instant(row.get("timestamp_updated")),
    )


# --- block list, sending, plan ----------------------------------------------------------------------------------------


def block(values: Sequence[str]) -> Blocked:
    """Put 1 to 1,000 addresses or domains on the workspace's block list. Repeating it is harmless.

    Whether an entry that was there already counts as created is not documented. Raises VendorError, and ValueError for
    none or too many.
    """
    if not 1 <= len(values) <= MAX_BLOCKED:
        raise ValueError(f"1 to {MAX_BLOCKED} values can be blocked in one call, not {len(values)}")
    answer = _call("POST", "/api/v2/block-lists-entries/bulk-create", json={"bl_values": list(values)})
    body = answer.body or {}
    return Blocked(
        created=len(reading.mappings(_list(answer, body.get("items"), "no items in an answer of the block list"))),
        valid=reading.tally(body.get("valid_count")),
        invalid=reading.tally(body.get("invalid_count")),
    )


def sending_status(campaign_id: str) -> SendingStatus:
    """Ask whether a campaign sends and, in a second request, why not. Raises VendorError, `invalid_request` if there is
    no such campaign."""
    campaign = instantly.get_campaign(campaign_id)
    answer = _call("GET", f"{_path('campaigns', campaign_id)}/sending-status")
    body = answer.body or {}
    summary, diagnostics = (reading.mapping(body.get(part)) for part in ("summary", "diagnostics"))
    return SendingStatus(
        status=campaign.status,
        code=reading.identifier(summary.get("status") or diagnostics.get("status")),
        sentence=_words(reading.text(summary.get("status_message"))),
        since=_instant(summary.get("issue_started_at")),
    )


def plan_room() -> int | None:
    """Say how many uploads the plan has left, None when the vendor does not say.

    The key needs a scope of its own (workspace_billing:read), so a refusal says nothing of the other calls. Raises
    VendorError.
    """
    answer = _call("GET", "/api/v2/workspace-billing/plan-details")
    subscriptions = reading.mapping((answer.body or {}).get("subscriptions"))
    rooms = []
    for name in ("outreach", "bundle"):
        plan = reading.mapping(subscriptions.get(name))
        limit, count = reading.whole(plan.get("total_lead_limit")), reading.whole(plan.get("current_lead_count"))
        if limit is not None and count is not None:
            rooms.append(max(limit - count, 0))
    return max(rooms, default=None)


def outlook() -> Outlook:
    """Tell how many contacts the plan has room for; free. Raises VendorError."""
    room = plan_room()
    return Outlook(left=None if room is None else Decimal(room), unit="contacts")


# --- calls and fields -------------------------------------------------------------------------------------------------


def _call(method: str, path: str, **request: Any) -> Answer:
    return http.call_as_bearer(instantly.SERVICE, instantly.classify, method, path, **request)


def _path(kind: str, identifier: str) -> str:
    return f"/api/v2/{kind}/{quote(identifier, safe='')}"


def _listing(method: str, path: str, **request: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of one page and its cursor, which an empty page has not: the last one may still carry one."""
    answer = _call(method, path, **request)
    body = answer.body or {}
    items = _list(answer, body.get("items"), "no items in a listing")
    following = reading.identifier(body.get("next_starting_after"), LONGEST_CURSOR)
    return reading.mappings(items), following if items else ""


def _list(answer: Answer, value: object, missing: str) -> list[object]:
    if not isinstance(value, list):
        raise http.failed(instantly.SERVICE, FailureType.MALFORMED, answer, missing)
    return value


def _instant(value: object) -> datetime | None:
    """Return an ISO 8601 instant; None for anything else. One without a zone is taken for UTC."""
    try:
        instant = datetime.fromisoformat(reading.text(value))
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _words(text: str) -> str:
    return redact(reading.line(text[:MOST_READ]))[:LONGEST_WORDS]
