"""OpenAI has the Responses API and chat completions, both with structured output, and the list of models.

Sources: the published OpenAPI document (3.1.0, version 2.3.0), the error-codes guide, openai-python for headers and
retries, public issues for the bodies of the two kinds of 429.
"""

import itertools
import time
from datetime import UTC, date, datetime
from typing import ClassVar

from integrations.sandbox.exchange import Answer, Request, digest
from integrations.sandbox.language import prompts, writing
from integrations.sandbox.language.kept import KeptResponses
from integrations.sandbox.openai import shapes, structured
from integrations.sandbox.vendor import Failing, Route, Vendor, judge

MODELS = ("gpt-6.1-terra", "gpt-6-luna", "gpt-5.6-luna", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "o4-mini")
# The day on which each is shut down, by the deprecations page; from then on it is as unknown as any other.
SHUT_DOWN = {
    "o1-mini": date(2025, 10, 27),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "o3"), date(2026, 12, 11)),
    **dict.fromkeys(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), date(2027, 1, 14)),
    "gpt-5.1": date(2027, 4, 1),
}
# Dated snapshots and other members of these families are taken as known too.
FAMILIES = ("gpt-", "o1", "o3", "o4", "chatgpt-")
# Tokens that a model thinks before it writes; `medium` where the request does not say. Invented.
REASONING = {"none": 0, "minimal": 16, "low": 64, "medium": 320, "high": 1280, "xhigh": 2560, "max": 5120}
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 10_000, 10_000_000
MIN_OUTPUT_TOKENS = 16

# Plus-tags of a lead's address that make its answer go wrong, whatever fault is set.
TAGS = frozenset({"failed", "incomplete", "cancelled", "refusal"})


class OpenAI(Vendor):
    """Charges one unit an answer, also for one that the client never hears of: the tokens were spent."""

    name: ClassVar[str] = "openai"
    prefix: ClassVar[str] = "/openai/v1"
    bills_unheard: ClassVar[bool] = True

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept = KeptResponses()
        self.routes = [
            Route("POST", "/responses", self.responses, paid=True, keys=prompts.lead),
            Route("GET", "/responses/{id}", self.retrieve),
            Route("POST", "/chat/completions", self.chat_completions, paid=True, keys=prompts.lead),
            Route("GET", "/models", self.models, probe=True),
            Route("GET", "/models/{id}", self.model, probe=True),
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def responses(self, request: Request, spoiled: str = "") -> Answer:
        body = request.json()
        if refusal := _complaint(body, "input"):
            return refusal
        written = _write(request, body, body.get("max_output_tokens"), spoiled)
        value = shapes.response(written, body, self._id("resp_"), int(time.time()))
        self._kept.keep(value)
        answer = Answer.json(200, value)
        answer.charges = written.charges()
        return answer

    def chat_completions(self, request: Request, spoiled: str = "") -> Answer:
        body = request.json()
        if refusal := _complaint(body, "messages"):
            return refusal
        written = _write(request, body, body.get("max_completion_tokens", body.get("max_tokens")), spoiled)
        if written.status in ("failed", "cancelled"):
            return _server_error()
        answer = Answer.json(200, shapes.completion(written, body, self._id("chatcmpl-"), int(time.time())))
        answer.charges = written.charges()
        return answer

    def retrieve(self, request: Request) -> Answer:
        if response := self._kept.get(request.last):
            return Answer.json(200, response)
        return _error(404, f"Response with id '{request.last}' not found.", "invalid_request_error")

    def models(self, _: Request) -> Answer:
        return Answer.json(
            200, {"object": "list", "data": [_model(name) for name in (*MODELS, *SHUT_DOWN) if _runs(name)]}
        )

    def model(self, request: Request) -> Answer:
        name = request.last
        if name in (*MODELS, *SHUT_DOWN) and _runs(name):
            return Answer.json(200, _model(name))
        return _unknown_model(name)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{digest('openai', next(self._numbers)):032x}"

    # --- refusals and faults ------------------------------------------------------------------------------------------

    def refuse(self, request: Request, _: Route | None) -> Answer | None:
        credential = judge(request.bearer())
        if credential == "missing":
            return _error(401, "You didn't provide an API key.", "invalid_request_error")
        if credential == "bad":
            return _wrong_key()
        if credential == "unscoped":
            return _error(
                403,
                "You have insufficient permissions for this operation.",
                "invalid_request_error",
                "insufficient_permissions",
            )
        return None

    def not_found(self, request: Request) -> Answer:
        return _error(404, f"Invalid URL ({request.method} /v1{request.path})", "invalid_request_error")

    def unreadable(self, reason: str) -> Answer:
        return _error(400, f"We could not parse the JSON body of your request. ({reason})", "invalid_request_error")

    def dress(self, answer: Answer, request: Request) -> Answer:
        """Rate headers state the limits and a use of one call; the sandbox enforces none."""
        answer.headers |= {
            "x-request-id": f"req_{digest('request', next(self._numbers)):032x}",
            "openai-organization": "sandbox",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "20",
        }
        if answer.status in (200, 429) and request.method == "POST":
            spent = answer.status == 429
            answer.headers |= {
                "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
                "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
                "x-ratelimit-remaining-requests": str(0 if spent else REQUESTS_PER_MINUTE - 1),
                "x-ratelimit-remaining-tokens": str(TOKENS_PER_MINUTE - 1000),
                "x-ratelimit-reset-requests": "1m0s" if spent else "6ms",
                "x-ratelimit-reset-tokens": "6ms",
            }
        return answer

    def server_error(self, _: Failing) -> Answer:
        return _server_error()

    def rate_limit(self, failing: Failing) -> Answer:
        message = (
            f"Rate limit reached in organization org-sandbox on requests per min (RPM): Limit {REQUESTS_PER_MINUTE}, "
            f"Used {REQUESTS_PER_MINUTE}, Requested 1."
        )
        answer = _error(429, message, "requests", "rate_limit_exceeded")
        if failing.setting.retry_after is not None:
            answer.headers["Retry-After"] = f"{failing.setting.retry_after:g}"
        return answer

    def quota_exhausted(self, failing: Failing) -> Answer | None:
        """Refuse what is paid; whether the list of models still answers was never verified, here it does."""
        if not failing.route.paid:
            return None
        message = "You exceeded your current quota, please check your plan and billing details."
        return _error(429, message, "insufficient_quota", "credit_balance_exhausted")

    def bad_key(self, _: Failing) -> Answer:
        return _wrong_key()

    def html(self, _: Failing) -> Answer:
        return Answer.html(403, "Just a moment...", cf_ray="8a1b2c3d4e5f6072-FRA")

    def silent(self, failing: Failing) -> Answer | None:
        """Cut an output short, which is billed: `status: incomplete` without a reason, or `finish_reason: length`."""
        if failing.route.path == "/responses":
            return self.responses(failing.request, spoiled="incomplete")
        return self.chat_completions(failing.request, spoiled="incomplete") if failing.route.paid else None

    def forget(self) -> None:
        self._kept.clear()


def _write(request: Request, body: dict[str, object], limit: object, spoiled: str) -> shapes.Written:
    """Write what the model writes. Too small a token limit cuts it short, as it does at the vendor's."""
    prompt = prompts.prompt(request)
    subject = writing.subject_of(prompt)
    schema, _ = prompts.schema_of(body)
    text = structured.fill(schema, subject) if schema else writing.mail_body(subject)
    status = spoiled or (subject.tag if subject.tag in TAGS else "completed")
    thought = REASONING[_effort(body) or "medium"]
    tokens = thought + writing.tokens(text)
    if isinstance(limit, int) and tokens > limit:
        thought = min(thought, limit)
        status, text, tokens = "incomplete", text[: (limit - thought) * 4], limit
    elif status == "incomplete":
        text = text[: len(text) // 2]
    asked = writing.tokens(prompt + str(body.get("instructions") or ""))
    return shapes.Written(
        subject.key,
        status,
        text,
        asked,
        tokens,
        thought=thought,
        tag=subject.tag if status == "completed" else "",
        reason=None if spoiled else "max_output_tokens",
    )


def _complaint(body: dict[str, object], content: str) -> Answer | None:
    for name in ("model", content):
        if not body.get(name):
            return _error(
                400,
                f"Missing required parameter: '{name}'.",
                "invalid_request_error",
                "missing_required_parameter",
                name,
            )
    if not str(body["model"]).startswith(FAMILIES) or not _runs(str(body["model"])):
        return _unknown_model(str(body["model"]))
    if (effort := _effort(body)) and effort not in REASONING:
        message = f"Invalid value: '{effort}'. Supported values are: {', '.join(map(repr, REASONING))}."
        return _error(400, message, "invalid_request_error", "invalid_value", "reasoning.effort")
    if body.get("stream"):
        return _error(
            400, "stream is not supported by the sandbox", "invalid_request_error", "unsupported_value", "stream"
        )
    limit = body.get("max_output_tokens")
    if isinstance(limit, int) and limit < MIN_OUTPUT_TOKENS:
        message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {MIN_OUTPUT_TOKENS}."
        return _error(400, message, "invalid_request_error", "integer_below_min_value", "max_output_tokens")
    schema, strict = prompts.schema_of(body)
    try:
        if schema is not None and strict:
            structured.check_strict(schema)
    except structured.BadSchema as error:
        parameter = "text.format.schema" if content == "input" else "response_format"
        message = f"Invalid schema for response_format: {error}"
        return _error(400, message, "invalid_request_error", "invalid_json_schema", parameter)
    return None


def _runs(name: str) -> bool:
    end = SHUT_DOWN.get(name)
    return end is None or datetime.now(UTC).date() < end


def _effort(body: dict[str, object]) -> str:
    """Return how hard the request wants the model to think, "" if it does not say; either form has its own field."""
    reasoning = body.get("reasoning")
    asked = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return str(asked or "")


def _error(status: int, message: str, kind: str, code: str | None = None, parameter: str | None = None) -> Answer:
    return Answer.json(status, {"error": {"message": message, "type": kind, "param": parameter, "code": code}})


def _server_error() -> Answer:
    return _error(500, "The server had an error while processing your request. Sorry about that!", "server_error")


def _wrong_key() -> Answer:
    """The vendor repeats a masked key; none is repeated here."""
    message = "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
    return _error(401, message, "invalid_request_error", "invalid_api_key")


def _unknown_model(name: str) -> Answer:
    message = f"The model '{name}' does not exist or you do not have access to it."
    return _error(404, message, "invalid_request_error", "model_not_found")


def _model(name: str) -> dict[str, object]:
    end = SHUT_DOWN.get(name)
    return {
        "id": name,
        "object": "model",
        "created": 1_760_000_000,
        "owned_by": "openai",
        "shutdown_date": end.isoformat() if end else None,
    }
