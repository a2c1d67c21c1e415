"""What each vendor's answer is taken for: stop, wait, count, give up on one lead, or nothing wrong.

One table per vendor. The bodies are the real ones as far as any were ever seen.
"""

import json
from collections.abc import Callable
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
    ("payment required, in bare text", 402, "Payment Required", QUOTA),
    ("refused key, in bare text", 401, "Nobody has heard of these words.", AUTH),
    ("refused key, without a word", 401, "", AUTH),
    ("the edge's 401 in bare text", 401, "error code: 1010", MALFORMED),
    ("no money, told as a bad request", 400, {"message": "Your credit balance is too low."}, QUOTA),
    ("no money, told as throttling", 429, {"message": "You exceeded your current quota, check your plan."}, QUOTA),
    ("no money, in bare text", 429, "Insufficient credits", QUOTA),
    ("no plan, forbidden", 403, {"message": "Your subscription has expired"}, QUOTA),
    ("account closed, told as a bad request", 400, {"message": "This account has been deactivated."}, AUTH),
    ("refused key, told as a bad request", 400, {"message": "Invalid API key."}, AUTH),
    ("throttling that advertises", 429, {"message": "Rate limit reached: 3 per min. Add a payment method."}, RATE),
    ("throttling told as forbidden", 403, {"message": "Too many requests"}, RATE),
    ("throttling that calls itself a quota", 429, {"message": "Quota exceeded, try again in 20s."}, RATE),
    ("bad value that is quoted", 400, {"message": "Value too long: 'my plan is required'"}, INVALID),
    ("a limit of a plan, with an apostrophe", 400, {"message": "You've reached your plan's limit"}, QUOTA),
    ("upgrade asked for", 403, {"message": "Upgrade required"}, QUOTA),
    ("a breakdown over there that speaks of money", 500, {"message": "billing service: no credits"}, SERVER_ERROR),
    ("bad request", 400, {"message": "no"}, INVALID),
    ("unprocessable", 422, {"message": "no"}, INVALID),
    ("too large, which is no plan's limit", 413, {"message": "Upload limit exceeded"}, INVALID),
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
    ("bad key, in other words (captured)", 401, "Invalid access credentials.", AUTH),
    ("bad key, in words nobody has seen", 401, "Access denied", AUTH),
    ("another limit of the plan", 422, {"error": "No.", "error_details": {"code": "BILLING.LIMIT.SEATS"}}, QUOTA),
    ("credits exhausted, as an error code", 422, {"status": "failed", "error_code": "CREDITS_EXHAUSTED"}, QUOTA),
    ("credits exhausted, other words", 422, {"error": "You are out of credits."}, QUOTA),
    ("credits exhausted, in a success", 200, {"error": "You have insufficient credits!"}, QUOTA),
    ("bad parameters that quote a title", 422, {"error": "Invalid parameters: q_keywords 'credit manager'"}, INVALID),
    ("bad key as validation", 422, {"error": "Invalid access credentials."}, AUTH),
    ("bad key as an error code", 422, {"error": "no", "error_code": "INVALID_API_KEY"}, AUTH),
    ("failed, and nobody matched", 200, bodies.APOLLO_REVEALED | {"status": "failed", "matches": [None]}, SERVER_ERROR),
    ("failed, and somebody matched", 200, bodies.APOLLO_REVEALED | {"status": "failed"}, SERVER_ERROR),
    ("matched, in another state", 200, bodies.APOLLO_REVEALED | {"status": "pending"}, SERVER_ERROR),
    ("matched, without a state", 200, bodies.APOLLO_REVEALED | {"status": None}, FINE),
    ("found, in a state", 200, bodies.APOLLO_FOUND | {"status": "ok"}, FINE),
    ("bad key, in plain text, forbidden", 403, "Invalid access credentials.", AUTH),
    ("throttling hidden in a success", 200, {"status": "failed", "error_code": "RATE_LIMIT_EXCEEDED"}, RATE),
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
    *[
        (f"says email: {words}", 200, bodies.NO_VERDICT | {"error": words}, failure)
        for words, failure in (
            ("Email service is unavailable", SERVER_ERROR),
            ("Email verification is disabled for your account", AUTH),
            ("Email verification limit reached", QUOTA),
            ("email_verification_quota_exceeded", QUOTA),
            ("Your plan has expired, we have sent you an email", QUOTA),
            ("Account suspended. Write an email to support@vendor.example", AUTH),
            ("Please confirm your email address to activate your account", AUTH),
            ("Too many emails per second", RATE),
            ("This email could not be processed", SERVER_ERROR),
            ("invalid_email", INVALID),
            ("Invalid email address: credit@keys.example", INVALID),
            ("email is missing", INVALID),
            ("No email address specified.", INVALID),
            ("Email address is not valid", INVALID),
            ("missing parameter: email", INVALID),
        )
    ],
    *[
        (f"no credit: {words}", 200, {"error": words, "result": "error", "resultcode": 4}, QUOTA)
        for words in ("You have run out of credits", "Insufficient balance", "Payment required", "BulkapiNoCredits")
    ],
    *[
        (f"bad key: {words}", 200, {"error": words, "result": "error", "resultcode": 4}, AUTH)
        for words in (
            "Apikey not found",
            "API-key invalid",
            "Unauthorized",
            "access_denied",
            "Wrong token",
            "IP blocked",
        )
    ],
    ("too fast, in a success", 200, bodies.NO_VERDICT | {"error": "Too many requests"}, RATE),
    ("an error that is an object", 200, bodies.VERDICT | {"error": {"message": "Apikey not found"}}, AUTH),
    ("an error that is a list", 200, bodies.VERDICT | {"error": ["x"]}, SERVER_ERROR),
    ("an error that is true", 200, bodies.VERDICT | {"error": True}, SERVER_ERROR),
    ("no error, as false", 200, bodies.VERDICT | {"error": False}, FINE),
    ("no error, as a blank", 200, bodies.VERDICT | {"error": " "}, FINE),
    ("an error told elsewhere", 200, {"result": "error", "resultcode": 4, "message": "Apikey not found"}, AUTH),
    ("no credit, throttled", 429, {"error": "insufficient_credits"}, QUOTA),
    ("an error nobody has heard of, as a bad request", 400, {"error": "Email service disabled"}, SERVER_ERROR),
    ("bad address, as a bad request", 400, {"error": "Invalid email"}, INVALID),
    ("too fast, at once", 200, {"error": "too many concurrent requests"}, RATE),
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


NO_MONEY = (
    *("billing_not_active", "billing_hard_limit_reached", "billing_limit_user_error", "account_billing_overdue"),
    *(
        "monthly_quota_exceeded",
        "user_quota_exceeded",
        "insufficient_credits",
        "insufficient_funds",
        "credits_depleted",
    ),
    *("project_budget_exceeded", "project_usage_limit_exceeded", "payment_required", "hard_limit_reached"),
)
TOO_FAST = (
    *("rate_limit_exceeded", "requests", "tokens", "tokens_usage_based", "organization_rate_limit_exceeded"),
    *("tokens_per_min_quota_exceeded", "concurrency_limit_exceeded", "something_else", "engine_overloaded", None),
)
CLOSED = ("account_deactivated", "organization_deactivated", "access_terminated", "project_archived", "user_suspended")


def by_code(error: Callable[[str | None], dict[str, Any]]) -> list[Row]:
    """What both language services say by a code, known or not, as the code or as the type."""
    return [
        *[
            (f"no money: {code}, {status}", status, error(code), QUOTA)
            for code in NO_MONEY
            for status in (429, 400, 403)
        ],
        *[(f"too fast: {code}", 429, error(code), RATE) for code in TOO_FAST],
        *[(f"closed: {code}, {status}", status, error(code), AUTH) for code in CLOSED for status in (429, 400, 401)],
        ("money trouble over there", 500, error("billing_service_error"), SERVER_ERROR),
        ("a quota of requests", 429, error("request_quota_exceeded"), RATE),
        ("trouble over there", 500, error("billing_service_error"), SERVER_ERROR),
        ("no such model any more", 400, error("model_deprecated"), AUTH),
        ("a model without access", 403, error("model_access_denied"), AUTH),
        ("prompt too long for the model", 400, error("model_context_length_exceeded"), INVALID),
        ("refused key as a bad request", 400, error("invalid_api_key"), AUTH),
    ]


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
        ("failed for money, by a new name", 200, body | {"status": "failed", "error": {"code": "billing_x"}}, QUOTA),
        ("cut off by our own limit", 200, body | {"status": "incomplete", "incomplete_details": cut}, INVALID),
        ("cut off by theirs", 200, body | {"status": "incomplete", "incomplete_details": {"reason": "x"}}, MALFORMED),
        ("cut off, as chat says it", 200, {"choices": [{"finish_reason": "length"}]}, INVALID),
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
    *by_code(lambda code: perplexity_error(code or "", 0)),
    ("no money, as a bad request", 400, perplexity_error("invalid_request", 400, "You have no credits left"), QUOTA),
    ("no money, as the whole error", 403, {"error": "insufficient_credits"}, QUOTA),
    ("no money, as a detail", 400, {"detail": "Insufficient balance."}, QUOTA),
    ("the retired endpoint, gone", 410, {"error": {"type": "agent_api_migration_required"}}, AUTH),
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
    *by_code(lambda code: openai_error("invalid_request_error", code)),
    ("not active, by the type alone", 429, openai_error("billing_not_active", None), QUOTA),
    ("not active, by the words alone", 429, openai_error("requests", None, "Your account is not active."), QUOTA),
    (
        "too fast, with an advertisement",
        429,
        openai_error("tokens", None, "Rate limit reached on tokens per min (TPM). Add a payment method: /billing."),
        RATE,
    ),
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
    (
        "plan's limit, as a bad request",
        400,
        instantly_error(400, "Bad Request", "Upload limit of your plan reached"),
        QUOTA,
    ),
    ("plan's code", 403, instantly_error(403, "Forbidden", "hyper_credits_plan_required"), QUOTA),
    ("trial over", 401, instantly_error(401, "Unauthorized", "Your trial has ended. Upgrade to continue"), QUOTA),
    ("plan's limit, as throttling", 429, instantly_error(429, "Too Many Requests", "Monthly quota exceeded"), QUOTA),
    ("suspended", 400, instantly_error(400, "Bad Request", "Workspace is suspended"), AUTH),
    ("leads used up", 400, instantly_error(400, "Bad Request", "Lead limit reached. Please upgrade"), QUOTA),
    ("refused, in a success", 200, {"error": "Unauthorized", "message": "Invalid key"}, AUTH),
    ("plan used up, in a success", 200, bodies.NOT_UPLOADED | {"message": "Plan limit reached"}, QUOTA),
    ("suspended workspace", 400, instantly_error(400, "Bad Request", "Workspace is suspended"), AUTH),
    ("endpoint gone", 404, instantly_error(404, "Not Found", "Route POST:/api/v2/leads/add not found"), AUTH),
    ("nothing uploaded, plan overdrawn", 200, bodies.NOT_UPLOADED | {"remaining_in_plan": -3}, QUOTA),
    ("nothing uploaded, the plan as text", 200, bodies.NOT_UPLOADED | {"remaining_in_plan": "0"}, QUOTA),
    ("bad address", 400, instantly_error(400, "Bad Request", 'body/leads/0/email must match format "email"'), INVALID),
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


CUT: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.mark.parametrize(
    ("vendor", "body", "call"),
    [
        (openai, mail(**CUT), lambda: openai.write_mail(instructions="i", prompt="p")),
        (perplexity, bodies.RESEARCH | CUT, lambda: perplexity.research(instructions="i", prompt="p")),
    ],
)
def test_a_text_cut_off_by_our_own_limit_was_billed_and_says_what_to_do(
    serve: Serve, vendor: ModuleType, body: dict[str, Any], call: Callable[[], object]
) -> None:
    serve(vendor.SERVICE, http(200, body))
    with pytest.raises(VendorError) as caught:
        call()
    error = caught.value
    assert error.failure_type == INVALID
    assert f"raise {vendor.SERVICE.upper()}_MAX_OUTPUT_TOKENS" in error.message
    assert "reasoning" in error.message
    # No counts in it: who compares messages sees that it is always the same.
    assert not any(letter.isdigit() for letter in error.message.removeprefix("HTTP 200"))
    assert error.usage is not None
    counts = body["usage"]
    assert (error.usage.tokens_in, error.usage.tokens_out) == (counts["input_tokens"], counts["output_tokens"])


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
