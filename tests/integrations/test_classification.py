"""What each vendor's answer is taken for: stop, wait, count, give up on one lead, or nothing wrong.

One table per vendor. The bodies are the real ones as far as any were ever seen.
"""

import json
from types import ModuleType
from typing import Any

import pytest

from integrations import apollo, instantly, millionverifier, openai, perplexity
from integrations.answers import Answer
from integrations.errors import FailureType, VendorError
from tests.integrations import bodies
from tests.integrations.bodies import instantly_error, mail, openai_error, perplexity_error
from tests.integrations.conftest import Serve
from tests.integrations.wire import http

FINE = None
TIMEOUT, SERVER_ERROR, MALFORMED = FailureType.TIMEOUT, FailureType.SERVER_ERROR, FailureType.MALFORMED
QUOTA, AUTH, RATE, INVALID = (
    FailureType.QUOTA_EXHAUSTED,
    FailureType.AUTH,
    FailureType.RATE_LIMIT,
    FailureType.INVALID_REQUEST,
)

Row = tuple[str, int, object, FailureType | None]

# True of all five, whatever the vendor.
EVERYWHERE: list[Row] = [
    ("server error as JSON", 500, {}, SERVER_ERROR),
    ("server error as a page", 502, "<html>Bad Gateway</html>", SERVER_ERROR),
    ("Cloudflare's own error", 522, "<html>timed out</html>", SERVER_ERROR),
    ("request timeout", 408, "", TIMEOUT),
    ("throttled by the edge", 429, "<html>slow down</html>", RATE),
    ("throttled without a word", 429, {}, RATE),
    ("the edge's 401", 401, bodies.PAGE_401, MALFORMED),
    ("the edge's 403", 403, bodies.PAGE_403, MALFORMED),
    ("the edge's 403 in bare text", 403, "error code: 1010", MALFORMED),
    ("the edge's 400", 400, "<html>Bad Request</html>", MALFORMED),
    ("refused key", 401, {"message": "no"}, AUTH),
    ("forbidden", 403, {"message": "no"}, AUTH),
    ("payment required", 402, {"message": "no"}, QUOTA),
    ("bad request", 400, {"message": "no"}, INVALID),
    ("unprocessable", 422, {"message": "no"}, INVALID),
    ("a status nobody has heard of", 418, {}, SERVER_ERROR),
    ("conflict", 409, {}, SERVER_ERROR),
    ("redirect", 302, {}, MALFORMED),
    ("switching protocols", 101, {}, MALFORMED),
    ("success as a page", 200, "<html>Welcome</html>", MALFORMED),
    ("success as garbage", 200, b"\x00\xff", MALFORMED),
    ("success as a list", 200, [], MALFORMED),
    ("success as nothing", 200, "", MALFORMED),
]

APOLLO: list[Row] = [
    ("people found", 200, bodies.APOLLO_FOUND, FINE),
    ("people revealed", 200, bodies.APOLLO_REVEALED, FINE),
    ("nobody matched, which is no failure", 200, bodies.APOLLO_REVEALED | {"matches": [None, None]}, FINE),
    ("credits exhausted (captured)", 422, bodies.APOLLO_NO_CREDIT, QUOTA),
    ("credits exhausted, other status", 402, bodies.APOLLO_NO_CREDIT, QUOTA),
    ("credits exhausted, code only", 422, {"error_details": {"code": "BILLING.LIMIT.CREDITS_EXHAUSTED"}}, QUOTA),
    ("credits exhausted, bare text", 422, "You have insufficient credits!", QUOTA),
    ("bad key, in plain text", 401, bodies.APOLLO_BAD_KEY, AUTH),
    ("a 401 of somebody else's", 401, "Access denied", MALFORMED),
    ("key without the scope", 403, bodies.APOLLO_NO_SCOPE, AUTH),
    (
        "retired path, or a free plan",
        403,
        {"error": "not accessible on a free plan", "error_code": "API_INACCESSIBLE"},
        QUOTA,
    ),
    ("path that is gone", 404, {"error": "Not Found"}, AUTH),
    ("no details", 400, {"status": "failed", "error_code": "INVALID_REQUEST", "error_message": "missing"}, INVALID),
    ("eleven people", 400, {"status": "failed", "error_code": "RECORD_LIMIT_EXCEEDED"}, INVALID),
    ("bad parameters", 422, {"error": "Invalid parameters"}, INVALID),
    ("a Ruby exception as validation", 422, {"status": "failed", "error_code": "UNKNOWN_ERROR"}, INVALID),
    ("validation as a string of JSON", 422, '"{\\n \\"status\\": \\"failed\\"}"', INVALID),
    ("too fast, naming a plan", 429, bodies.APOLLO_TOO_FAST, RATE),
    ("too fast, JSON inside a string", 429, {"message": json.dumps(bodies.APOLLO_TOO_FAST)}, RATE),
    ("an error hidden in a success", 200, {"status": "failed", "error_code": "UNKNOWN_ERROR"}, SERVER_ERROR),
]

MILLIONVERIFIER: list[Row] = [
    ("good", 200, bodies.VERDICT, FINE),
    ("known by its number only", 200, bodies.VERDICT | {"result": "", "resultcode": 6}, FINE),
    ("risky", 200, bodies.VERDICT | {"result": "unknown", "resultcode": 3}, FINE),
    ("credits", 200, {"credits": 941, "bulk_credits": 900, "renewing_credits": 41, "plan": 0}, FINE),
    ("bad key (tested live)", 200, bodies.NO_VERDICT | {"error": "apikey_not_found"}, AUTH),
    ("bad key (2023)", 200, bodies.NO_VERDICT | {"error": "apikey not found"}, AUTH),
    ("bad key (simulators)", 200, bodies.NO_VERDICT | {"error": "invalid_api_key"}, AUTH),
    ("bad key beside a verdict", 200, bodies.VERDICT | {"error": "No API key specified"}, AUTH),
    ("blocked address of ours", 200, bodies.NO_VERDICT | {"error": "ip_address_blocked"}, AUTH),
    ("no credits (simulators)", 200, bodies.NO_VERDICT | {"error": "insufficient_credits"}, QUOTA),
    ("no credits (schema name)", 200, {"error": "Insufficient credits"}, QUOTA),
    ("no address", 200, bodies.NO_VERDICT | {"error": "No email specified"}, INVALID),
    ("internal error", 200, bodies.NO_VERDICT | {"error": "internal_error"}, SERVER_ERROR),
    ("internal error about an address", 200, {"error": "internal error: email server"}, SERVER_ERROR),
    ("an error nobody has heard of", 200, {"error": "unsupported timeout value"}, SERVER_ERROR),
    ("error as a verdict", 200, bodies.VERDICT | {"result": "error", "resultcode": 4}, SERVER_ERROR),
    ("error as a number", 200, bodies.VERDICT | {"result": "", "resultcode": 4}, SERVER_ERROR),
    ("not verified after all", 200, bodies.VERDICT | {"result": "unverified"}, SERVER_ERROR),
    ("to be verified again", 200, bodies.VERDICT | {"result": "reverify"}, SERVER_ERROR),
    ("a verdict nobody has heard of", 200, bodies.VERDICT | {"result": "splendid", "resultcode": 1}, MALFORMED),
    ("neither verdict nor error", 200, bodies.NO_VERDICT, MALFORMED),
    ("a burst (reported, body guessed)", 403, "Too many requests", RATE),
    ("bad key with a status", 401, {"error": "apikey_not_found"}, AUTH),
    ("bad key with a wrong status", 400, {"error": "apikey_not_found"}, AUTH),
    ("throttled with a text", 429, {"error": "too many requests for this key"}, RATE),
    ("an overload with a text", 503, {"error": "no credit to anyone"}, SERVER_ERROR),
]

NO_QUOTA = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)


def silent(body: dict[str, Any], **changes: Any) -> list[Row]:
    """The 200s of both language services that are none."""
    empty = [{"type": "message", "content": [{"type": "output_text", "text": "  "}]}]
    cut = {"reason": "max_output_tokens"}
    return [
        ("completed", 200, body, FINE),
        ("failed without a reason", 200, body | {"status": "failed", "error": None}, SERVER_ERROR),
        (
            "failed over there",
            200,
            body | {"status": "failed", "error": {"code": "server_error", "message": "x"}},
            SERVER_ERROR,
        ),
        ("failed by the prompt", 200, body | {"status": "failed", "error": {"code": "invalid_prompt"}}, INVALID),
        ("failed by our speed", 200, body | {"status": "failed", "error": {"code": "rate_limit_exceeded"}}, RATE),
        ("failed for money", 200, body | {"status": "failed", "error": {"type": "insufficient_quota"}}, QUOTA),
        ("cancelled", 200, body | {"status": "cancelled"}, SERVER_ERROR),
        ("cut off", 200, body | {"status": "incomplete", "incomplete_details": cut}, MALFORMED),
        ("cut off without a reason", 200, body | {"status": "incomplete"}, MALFORMED),
        ("filtered", 200, body | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, INVALID),
        ("still running", 200, body | {"status": "in_progress"}, MALFORMED),
        ("wants a tool", 200, body | {"status": "requires_action"}, MALFORMED),
        ("completed with nothing", 200, body | {"output": []}, MALFORMED),
        ("completed with blanks", 200, body | {"output": empty}, MALFORMED),
        ("no status", 200, {"output": body["output"]}, MALFORMED),
        ("models", 200, {"object": "list", "data": [{"id": "a"}]}, FINE),
    ]


PERPLEXITY: list[Row] = [
    *silent(bodies.RESEARCH),
    ("the retired endpoint", 403, bodies.SONAR_RETIRED, AUTH),
    ("the retired endpoint, by code", 403, {"error": {"code": "agent_api_migration_required", "message": "x"}}, AUTH),
    ("bad key", 401, perplexity_error("forbidden", 401), AUTH),
    ("blocked key", 403, perplexity_error("forbidden", 403), AUTH),
    ("lapsed billing", 401, perplexity_error("forbidden", 401, "Please add billing credits"), QUOTA),
    ("bad field", 400, perplexity_error("invalid_parameter", 400), INVALID),
    ("legacy validation", 422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "x"}]}, INVALID),
    ("bare sonar, not known any more", 400, perplexity_error("invalid_model", 400), AUTH),
    ("path that is gone", 404, perplexity_error("not_found", 404), AUTH),
    ("too large", 413, perplexity_error("payload_too_large", 413), INVALID),
    ("connector", 424, perplexity_error("external_connector_error", 424), SERVER_ERROR),
    ("too fast", 429, perplexity_error("request_rate_limit_exceeded", 429), RATE),
    ("its upstream's fault", 500, perplexity_error("upstream_structured_output_failed", 500), SERVER_ERROR),
]

OPENAI: list[Row] = [
    *silent(mail()),
    ("refused", 200, bodies.refused(), INVALID),
    ("refused and failed by policy", 200, mail(status="failed", error={"code": "bio_policy", "message": "x"}), INVALID),
    *[(f"no money: {code}", 429, openai_error("insufficient_quota", code), QUOTA) for code in NO_QUOTA],
    ("no money, body of 2023", 429, openai_error("insufficient_quota", None), QUOTA),
    ("no money, told by the code only", 429, openai_error("requests", "insufficient_quota"), QUOTA),
    ("too fast", 429, openai_error("requests", "rate_limit_exceeded"), RATE),
    ("ramped up too fast", 429, openai_error("invalid_request_error", "slow_down"), RATE),
    ("ramped up too fast, as overload", 503, openai_error("server_error", "slow_down"), RATE),
    ("overloaded", 503, openai_error("server_error", "server_is_overloaded"), SERVER_ERROR),
    ("bad key", 401, openai_error("invalid_request_error", "invalid_api_key"), AUTH),
    ("country not supported", 403, openai_error("request_forbidden", "unsupported_country_region_territory"), AUTH),
    ("no such model", 404, openai_error("invalid_request_error", "model_not_found"), AUTH),
    ("no such model, as bad request", 400, openai_error("invalid_request_error", "model_not_found"), AUTH),
    ("prompt too long", 400, openai_error("invalid_request_error", "context_length_exceeded"), INVALID),
]

INSTANTLY: list[Row] = [
    ("uploaded", 200, bodies.UPLOADED, FINE),
    ("uploaded the last one of the plan", 200, bodies.UPLOADED | {"remaining_in_plan": 0}, FINE),
    ("already in this campaign", 200, bodies.NOT_UPLOADED | {"duplicated_leads": 1}, FINE),
    (
        "already there, and the plan is full",
        200,
        bodies.NOT_UPLOADED | {"duplicated_leads": 1, "remaining_in_plan": 0},
        FINE,
    ),
    ("nothing uploaded, the plan is full", 200, bodies.NOT_UPLOADED | {"remaining_in_plan": 0}, QUOTA),
    ("nothing uploaded, nobody knows why", 200, bodies.NOT_UPLOADED, MALFORMED),
    ("nothing uploaded into a list", 200, bodies.NOT_UPLOADED | {"remaining_in_plan": None}, MALFORMED),
    ("a campaign", 200, bodies.CAMPAIGN, FINE),
    (
        "no paid plan",
        402,
        instantly_error(402, "Payment Required", "Workspace does not have an active paid plan"),
        QUOTA,
    ),
    ("no paid plan, forbidden", 403, instantly_error(403, "Forbidden", "Your plan does not include the API"), QUOTA),
    ("missing scope", 403, instantly_error(403, "Forbidden", "Missing scope leads:create"), AUTH),
    ("bad key", 401, instantly_error(401, "Unauthorized", "Missing Authorization header"), AUTH),
    ("no such campaign", 404, instantly_error(404, "Not Found", "Resource not found"), INVALID),
    (
        "field it does not know",
        400,
        instantly_error(400, "Bad Request", "body must NOT have additional properties"),
        INVALID,
    ),
    ("too fast, without any header", 429, instantly_error(429, "Too Many Requests", "Rate limit exceeded"), RATE),
    ("down", 503, instantly_error(503, "Service Unavailable", "x"), SERVER_ERROR),
    ("an error hidden in a success", 200, instantly_error(402, "Payment Required", "no paid plan"), QUOTA),
    ("throttling hidden in a success", 200, instantly_error(429, "Too Many Requests", "x"), RATE),
]


def check(vendor: ModuleType, row: Row) -> None:
    _, status, body, expected = row
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert vendor.classify(Answer(status, {}, content)) == expected


def rows(table: list[Row]) -> Any:
    merged = {row[0]: row for row in [*EVERYWHERE, *table]}
    assert len(merged) == len(EVERYWHERE) + len(table), "two rows of one name"
    return pytest.mark.parametrize("row", merged.values(), ids=merged.keys())


@rows(APOLLO)
def test_what_apollo_says(row: Row) -> None:
    check(apollo, row)


@rows(MILLIONVERIFIER)
def test_what_millionverifier_says(row: Row) -> None:
    check(millionverifier, row)


@rows(PERPLEXITY)
def test_what_perplexity_says(row: Row) -> None:
    check(perplexity, row)


@rows(OPENAI)
def test_what_openai_says(row: Row) -> None:
    check(openai, row)


@rows(INSTANTLY)
def test_what_instantly_says(row: Row) -> None:
    check(instantly, row)


def test_the_error_carries_the_vendors_words_its_wish_and_its_id(serve: Serve) -> None:
    serve(
        "openai",
        http(429, openai_error("requests", "slow_down", "Slow down."), retry_after_ms="1500", x_request_id="req_1"),
    )
    with pytest.raises(VendorError) as caught:
        openai.write_mail(instructions="i", prompt="p")
    error = caught.value
    assert error.message == "HTTP 429: slow_down: Slow down."
    assert (error.service, error.http_status, error.retry_after) == ("openai", 429, 1.5)
    assert (error.request_id, error.sent, error.usage) == ("req_1", True, None)


def test_a_text_cut_off_was_billed_all_the_same(serve: Serve) -> None:
    serve("openai", http(200, mail(status="incomplete", incomplete_details={"reason": "max_output_tokens"})))
    with pytest.raises(VendorError) as caught:
        openai.write_mail(instructions="i", prompt="p")
    assert caught.value.failure_type == MALFORMED
    assert "max_output_tokens" in caught.value.message
    assert caught.value.usage is not None
    assert (caught.value.usage.tokens_in, caught.value.usage.tokens_out) == (400, 120)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (bodies.APOLLO_NO_CREDIT, "HTTP 422: You have insufficient credits! Buy more."),
        ("You have insufficient credits!", "HTTP 422: no JSON object: you have insufficient credits!"),
        ({}, "HTTP 422: no explanation"),
        ("", "HTTP 422: an empty body"),
        ({"error": "x" * 5000}, "HTTP 422: " + "x" * 290),
    ],
)
def test_the_vendors_words_come_without_markup_and_at_bounded_length(serve: Serve, body: object, words: str) -> None:
    serve("apollo", http(422, body))
    with pytest.raises(VendorError) as caught:
        apollo.reveal(["1"])
    assert caught.value.message == words
