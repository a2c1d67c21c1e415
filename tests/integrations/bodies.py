"""What the five really answer, as documented, captured or reported."""

from typing import Any

APOLLO_FOUND: dict[str, Any] = {
    "total_entries": 2,
    "people": [
        {
            "id": "6650aa01",
            "first_name": "Ida",
            "last_name_obfuscated": "Lo***e",
            "title": "Head of Data",
            "last_refreshed_at": "2026-10-01T08:00:00.000+00:00",
            "has_email": True,
            "has_direct_phone": "Yes",
            "organization": {"name": "Acme", "has_industry": True},
        },
        {"id": "6650aa02", "first_name": "Zed", "title": None, "has_email": False, "organization": None},
    ],
}
APOLLO_PERSON: dict[str, Any] = {
    "id": "6650aa01",
    "first_name": "Ida",
    "last_name": "Locke",
    "name": "Ida Locke",
    "email": "ida@acme.test",
    "email_status": "verified",
    "title": "Head of Data",
    "headline": "Head of Data at Acme",
    "linkedin_url": "http://www.linkedin.com/in/ida-locke",
    "city": "Århus",
    "state": None,
    "country": "Denmark",
    "organization": {"name": "Acme", "primary_domain": "acme.test"},
}
APOLLO_REVEALED: dict[str, Any] = {
    "status": "success",
    "error_code": None,
    "error_message": None,
    "total_requested_enrichments": 2,
    "unique_enriched_records": 1,
    "missing_records": 1,
    "credits_consumed": 1.5,
    "matches": [APOLLO_PERSON, None],
    "request_id": -1039995589705121900,
}
APOLLO_NO_CREDIT: dict[str, Any] = {
    "error": 'You have insufficient credits! <a href="https://app.apollo.io/">Buy</a> more.',
    "error_details": {
        "code": "BILLING.LIMIT.CREDITS_EXHAUSTED",
        "message": "You have insufficient credits",
        "suggestions": ["Buy more"],
        "context": {
            "credit_type": {"value": "lead credits"},
            "credit_balance": {"value": 0},
            "next_billing_date": {"value": "2026-09-18"},
        },
    },
}
APOLLO_BAD_KEY = "Invalid API key. See https://docs.apollo.io/reference/authentication for how to authenticate."
APOLLO_NO_SCOPE = {
    "error": "This API key is not authorized to access api/v1/mixed_people/api_search. Request an API key from your "
    "administrator that includes this endpoint in its configured scope.",
    "error_code": "API_INACCESSIBLE",
}
APOLLO_TOO_FAST = {
    "message": "The maximum number of api calls allowed for api/v1/people/bulk_match is 600 times per hour. "
    "Please upgrade your plan from https://app.apollo.io/#/settings/plans/upgrade."
}

VERDICT: dict[str, Any] = {
    "email": "ida+x@acme.test",
    "quality": "good",
    "result": "ok",
    "resultcode": 1,
    "subresult": "ok",
    "free": False,
    "role": False,
    "didyoumean": "",
    "credits": 941,
    "executiontime": 1,
    "error": "",
    "livemode": True,
}
NO_VERDICT = VERDICT | {"quality": "", "result": "", "resultcode": 0, "subresult": ""}

RESEARCH: dict[str, Any] = {
    "id": "resp_91",
    "object": "response",
    "created_at": 1795400000,
    "status": "completed",
    "model": "perplexity/sonar",
    "output": [
        {
            "type": "search_results",
            "queries": ["Acme Robotics products"],
            "results": [
                {"id": 1, "url": "https://acme.test/p", "title": "Products", "snippet": "...", "source": "web"},
                {"id": 2, "url": "https://acme.test/p", "title": "Products again", "snippet": "...", "source": "web"},
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "It sells arms [1].", "annotations": []}],
        },
    ],
    "usage": {
        "input_tokens": 40,
        "output_tokens": 18,
        "total_tokens": 58,
        "cost": {"currency": "USD", "input_cost": 0.0001, "output_cost": 0.0002, "total_cost": 0.0053},
    },
}
SONAR_RETIRED = {
    "error": {
        "message": "Sonar is now the Agent API. Use /v1/responses instead of /chat/completions.",
        "type": "chat_completions_not_available",
        "code": 403,
    }
}


def perplexity_error(kind: str, code: int, message: str = "No.") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


def mail(text: str = '{"subject": "Hello Ida", "body": "About arms."}', **changes: Any) -> dict[str, Any]:
    """An answer of OpenAI's with this text."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": "resp_7",
        "object": "response",
        "created_at": 1795400000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-mini-2025-08-07",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]},
        ],
        "usage": {"input_tokens": 400, "output_tokens": 120, "total_tokens": 520},
    } | changes


def refused(text: str = "I can't help with that.") -> dict[str, Any]:
    part = {"type": "refusal", "refusal": text}
    return mail(output=[{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}])


def openai_error(kind: str, code: str | None, message: str = "No.") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


UPLOADED: dict[str, Any] = {
    "status": "success",
    "total_sent": 1,
    "leads_uploaded": 1,
    "in_blocklist": 0,
    "blocklist_used": None,
    "duplicated_leads": 0,
    "skipped_count": 0,
    "invalid_email_count": 0,
    "incomplete_count": 0,
    "duplicate_email_count": 0,
    "remaining_in_plan": 9992,
    "created_leads": [{"index": 0, "id": "7aa0", "email": "ida@acme.test"}],
}
NOT_UPLOADED = UPLOADED | {"leads_uploaded": 0, "created_leads": []}
CAMPAIGN = {"id": "0c1d", "name": "Autumn", "status": 0, "campaign_schedule": {}, "timestamp_created": "2026-11-01"}

WEBHOOK: dict[str, Any] = {
    "id": "01ab",
    "organization": "0a0b",
    "campaign": None,
    "name": "Holdfast",
    "target_hook_url": "https://holdfast.test/hook/9c1e",
    "event_type": "all_events",
    "headers": {"X-Holdfast": "5e1f"},
    "timestamp_created": "2026-11-01T08:00:00.000Z",
    "status": 1,
    "timestamp_error": None,
}
CONTACTED: dict[str, Any] = {
    "id": "7aa0",
    "email": "ida@acme.test",
    "campaign": "0c1d",
    "status": -1,
    "email_reply_count": 1,
    "lt_interest_status": -1,
    "status_summary": {"lastStep": {"from": "campaign", "timestamp_executed": "2026-11-02T08:00:00.000Z"}},
    "timestamp_updated": "2026-11-03T08:00:00.000Z",
    "timestamp_last_contact": "2026-11-02T08:00:00.000Z",
    "timestamp_last_reply": "2026-11-03T08:00:00.000Z",
    "timestamp_last_interest_change": "2026-11-03T08:00:00.000Z",
}
BLOCKED: dict[str, Any] = {"items": [{"id": "b1", "bl_value": "acme.test"}], "valid_count": 1, "invalid_count": 0}
SENDING: dict[str, Any] = {
    "diagnostics": {"campaign_id": "0c1d", "status": "campaign_bounce_protect", "issue_tracking": {}},
    "summary": {
        "status": "campaign_bounce_protect",
        "status_message": "Too many mails bounced",
        "issue_started_at": "2026-11-02T08:00:00.000Z",
    },
}
PLAN: dict[str, Any] = {"subscriptions": {"outreach": {"total_lead_limit": 100, "current_lead_count": 40}}}


def instantly_error(status: int, error: str, message: str) -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message}


PAGE_401 = "<html><head><title>401 Authorization Required</title></head><body>openresty</body></html>"
PAGE_403 = "<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>"
