"""Instantly receives the lead and its mail. Uses the plan's quota of uploads.

Facts: OpenAPI document of API v2. Three surprises: a 200 may have uploaded nothing, no header tells of a limit, and the
skip flag called `skip_if_in_campaign` means any campaign of the workspace when adding in bulk, so none is sent: the
bulk endpoint itself does not add twice to one campaign, and says so.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import causes, http, prices, probing, reading
from integrations.answers import PHRASES, Answer, by_status
from integrations.errors import FailureType
from integrations.results import InstantlyCampaign, Push, PushOutcome, Usage

SERVICE = "instantly"

PAGE = 100  # items per page, at most

# What a campaign of ours sends: the lead's own custom variables of these names.
SUBJECT_VARIABLE = "subject"
BODY_VARIABLE = "body"

STATUSES = {phrase: status for status, phrase in PHRASES.items()}  # what its `error` says is the status in words
QUOTA = FailureType.QUOTA_EXHAUSTED
NO_ENDPOINT = "Route "  # "Route POST:/api/v2/leads/add not found": its web framework's words

# Counters of a bulk answer, each naming what became of the one lead sent.
OUTCOMES: tuple[tuple[str, PushOutcome], ...] = (
    ("leads_uploaded", "pushed"),
    ("duplicated_leads", "duplicate"),
    ("duplicate_email_count", "duplicate"),
    ("in_blocklist", "blocked"),
    ("invalid_email_count", "invalid"),
    ("incomplete_count", "invalid"),
    ("skipped_count", "skipped"),
)


def classify(answer: Answer) -> FailureType | None:
    """Say what went wrong, None if nothing did. A 403 without JSON (`error code: 1010`) is Cloudflare's, not the
    key's."""
    body = answer.body
    if body is None:
        return by_status(answer)
    # A few endpoints put their error into a 200.
    named = STATUSES.get(reading.text(body.get("error")))
    hidden = reading.whole(body.get("statusCode")) or named if answer.ok else None
    status = hidden if hidden is not None and hidden >= 400 else answer.status
    if status == 404 and not reading.text(body.get("message")).startswith(NO_ENDPOINT):
        return FailureType.INVALID_REQUEST  # a campaign that does not exist, not a retired endpoint
    if status == 403 and " plan" in answer.words:
        return QUOTA
    if "leads_uploaded" in body and answer.ok and _outcome(body) is None:
        left = reading.whole(body.get("remaining_in_plan"))
        used_up = left is not None and left <= 0
        return causes.by_words(answer.complaint) or (QUOTA if used_up else FailureType.MALFORMED)
    return by_status(replace(answer, status=status))


def push(*, campaign_id: str, lead: dict[str, Any]) -> Push:
    """Put one lead into a campaign. Repeating it reports `duplicate` and adds nothing. Raises VendorError.

    `lead` has `email` and any of first_name, last_name, company_name, job_title, phone, website, personalization,
    custom_variables (flat); the vendor refuses other fields.
    """
    answer = _call("POST", "/api/v2/leads/add", json={"campaign_id": campaign_id, "leads": [lead]})
    body = answer.body or {}
    outcome = _outcome(body)
    if outcome is None:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no counts in the answer to an upload")
    created = [row for row in reading.mappings(body.get("created_leads")) if row.get("index") == 0]
    used = Decimal(1 if outcome == "pushed" else 0)
    return Push(
        outcome=outcome,
        lead_id=reading.identifier(created[0].get("id")) if created and outcome == "pushed" else "",
        remaining_in_plan=reading.whole(body.get("remaining_in_plan")),
        usage=Usage(credits=used, cost_usd=prices.cost(SERVICE, credits=used)),
        request_id=answer.request_id,
        http_status=answer.status,
        limits=None,
    )


def find_lead(campaign_id: str, email: str) -> str | None:
    """Find the id of the lead with this address in this campaign, None if there is none. Free. Raises VendorError."""
    wanted = email.strip().lower()
    # Of one address there is a handful, one a campaign, should the vendor's filter be wider than ours: one page.
    for lead in _items(
        "POST", "/api/v2/leads/list", json={"campaign": campaign_id, "contacts": [email], "limit": PAGE}
    ):
        here = reading.text(lead.get("campaign")) in ("", campaign_id)
        if here and reading.text(lead.get("email")).strip().lower() == wanted:
            return reading.identifier(lead.get("id")) or None
    return None


def create_campaign(name: str) -> str:
    """Make a campaign that sends each lead's own subject and body, and return its id. It is a draft: creating never
    sends, and activating it is left to people. Raises VendorError."""
    variant = {"subject": f"{{{{{SUBJECT_VARIABLE}}}}}", "body": f"{{{{{BODY_VARIABLE}}}}}"}
    schedule = {
        "name": "Office hours",
        "timing": {"from": "09:00", "to": "17:00"},
        "days": {str(day): 1 <= day <= 5 for day in range(7)},
        # Of the vendor's closed list, the one that is UTC all year.
        "timezone": settings.INSTANTLY_TIMEZONE,
    }
    answer = _call(
        "POST",
        "/api/v2/campaigns",
        json={
            "name": name,
            "campaign_schedule": {"schedules": [schedule]},
            "sequences": [{"steps": [{"type": "email", "delay": 0, "variants": [variant]}]}],
        },
    )
    return _campaign(answer, answer.body or {}).id


def get_campaign(campaign_id: str) -> InstantlyCampaign:
    """Read one campaign. Free. Raises VendorError, `invalid_request` if there is none."""
    answer = _call("GET", f"/api/v2/campaigns/{quote(campaign_id, safe='')}")
    return _campaign(answer, answer.body or {})


def find_campaigns(name: str) -> list[InstantlyCampaign]:
    """Find the campaigns whose name contains `name`, a hundred at most; the vendor may find others too. Free. Raises
    VendorError."""
    rows = _items("GET", "/api/v2/campaigns", params=[("search", name), ("limit", PAGE)])
    return [
        InstantlyCampaign(campaign_id, reading.text(row.get("name")), reading.whole(row.get("status")) or 0)
        for row in rows
        if (campaign_id := reading.identifier(row.get("id")))
    ]


def probe() -> ProbeResult:
    """Make the free health call, which reads the workspace behind the key. It needs a scope of its own
    (workspaces:read)."""

    def ask() -> str:
        answer = _call("GET", "/api/v2/workspaces/current", longest=http.PROBE_DEADLINE)
        if not reading.identifier((answer.body or {}).get("id")):
            raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no workspace in the answer")
        return "The key is accepted"

    return probing.probed(
        "the key is valid and may read its workspace; not that it may add leads, nor that the plan has room", ask
    )


def needs() -> list[tuple[str, Callable[[], object]]]:
    """List what a key must be allowed, with calls that list, or that the vendor must refuse: no lead, no name."""
    ask = partial(_call, longest=http.PROBE_DEADLINE)
    return [
        ("list campaigns", partial(ask, "GET", "/api/v2/campaigns", params=[("limit", 1)])),
        ("make campaigns", partial(ask, "POST", "/api/v2/campaigns", json={})),
        ("add leads", partial(ask, "POST", "/api/v2/leads/add", json={"leads": []})),
    ]


def _call(method: str, path: str, **request: Any) -> Answer:
    return http.call_as_bearer(SERVICE, classify, method, path, **request)


def _items(method: str, path: str, **request: Any) -> list[dict[str, Any]]:
    """Return the items of one page of a listing."""
    answer = _call(method, path, **request)
    items = (answer.body or {}).get("items")
    if not isinstance(items, list):
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no items in a listing")
    return reading.mappings(items)


def _outcome(body: dict[str, Any]) -> PushOutcome | None:
    return next((outcome for counter, outcome in OUTCOMES if reading.tally(body.get(counter)) > 0), None)


def _campaign(answer: Answer, row: dict[str, Any]) -> InstantlyCampaign:
    campaign_id = reading.identifier(row.get("id"))
    if not campaign_id:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no id in a campaign")
    return InstantlyCampaign(campaign_id, reading.text(row.get("name")), reading.whole(row.get("status")) or 0)
