"""Perplexity has the Agent API, which searches and answers. Chat completions are retired and say so.

Sources: the published OpenAPI document (behind in its presets and status values), the page on rate limits and usage
tiers, and for the retired path bodies that users reported after September 2026. What an exhausted balance answers is
not established: users report 401 and 403; the body here is an assumption.
"""

import itertools
import time
from typing import ClassVar

from integrations.sandbox.exchange import Answer, Request, digest
from integrations.sandbox.language import prompts, writing
from integrations.sandbox.language.kept import KeptResponses
from integrations.sandbox.openai import structured
from integrations.sandbox.perplexity import shapes
from integrations.sandbox.vendor import Failing, Route, Vendor, judge

# Today's names, then those of the August document.
PRESETS = frozenset({"fast", "low", "medium", "high", "xhigh", "fast-search", "pro-search", "deep-research"})
MODELS = (
    "perplexity/sonar",
    "perplexity/sonar-pro",
    "anthropic/claude-sonnet-4-6",
    "openai/gpt-5.4",
    "openai/gpt-5.4-mini",
)
DEFAULT_MODEL = MODELS[0]
MAX_MODELS, MAX_STEPS = 5, 10
REQUESTS_PER_MINUTE = 50

# Plus-tags of a lead's address that make its answer go wrong, whatever fault is set.
TAGS = frozenset({"failed", "incomplete", "cancelled"})


class Perplexity(Vendor):
    """Charges one unit an answer, also for one that the client never hears of: the tokens were spent."""

    name: ClassVar[str] = "perplexity"
    prefix: ClassVar[str] = "/perplexity"
    bills_unheard: ClassVar[bool] = True

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept = KeptResponses()
        self.routes = [
            *(Route("POST", path, self.agent, paid=True, keys=prompts.lead) for path in ("/v1/agent", "/v1/responses")),
            *(Route("GET", path, self.retrieve) for path in ("/v1/agent/{id}", "/v1/responses/{id}")),
            Route("GET", "/v1/models", self.models, probe=True),
            *(Route("POST", path, self.retired) for path in ("/chat/completions", "/v1/chat/completions", "/v1/sonar")),
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def agent(self, request: Request, spoiled: str = "") -> Answer:
        body = request.json()
        if complaint := _complaint(body):
            return _error(400, *complaint)
        schema, _ = prompts.schema_of(body)
        prompt = prompts.prompt(request)
        subject = writing.subject_of(prompt)
        searched = bool(body.get("preset")) or _forces_search(body)
        text = structured.fill(schema, subject) if schema else writing.research(subject)
        if not searched:
            text = text.replace(" [1]", "").replace(" [2]", "")
        spent = writing.tokens(prompt + str(body.get("instructions") or "")), writing.tokens(text)
        limit = body.get("max_output_tokens")
        status = spoiled or (subject.tag if subject.tag in TAGS else "completed")
        if isinstance(limit, int) and spent[1] > limit:
            status, text, spent = "incomplete", text[: limit * 4], (spent[0], limit)
        elif status == "incomplete":
            text = text[: len(text) // 2]
        output = shapes.output(subject, text, status, searched=searched)
        identifier = f"resp_{digest('perplexity', next(self._numbers)):032x}"
        value = shapes.response(identifier, _model(body), status, output, spent)
        answer = Answer.json(200, value)
        if status in ("completed", "incomplete"):
            answer.charges = {subject.key: 1}
        self._kept.keep(value)
        if body.get("background") and status == "completed":
            early = {key: part for key, part in value.items() if key not in ("completed_at", "usage")}
            return Answer(
                200, Answer.json(200, early | {"status": "queued", "output": []}).body, charges=answer.charges
            )
        return answer

    def retrieve(self, request: Request) -> Answer:
        response = self._kept.get(request.last)
        return Answer.json(200, response) if response else self.not_found(request)

    def models(self, _: Request) -> Answer:
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in MODELS]
        return Answer.json(200, {"object": "list", "data": rows})

    def retired(self, _: Request) -> Answer:
        return _error(
            403,
            "chat_completions_not_available",
            "Sonar is now the Agent API. Use /v1/responses instead of /chat/completions.",
        )

    # --- refusals and faults ------------------------------------------------------------------------------------------

    def refuse(self, request: Request, route: Route | None) -> Answer | None:
        """The list of models needs no key, so it proves reachability only."""
        if route and route.probe:
            return None
        credential = judge(request.bearer())
        if credential == "unscoped":
            return _error(403, "forbidden", "This API key is not allowed to use this endpoint.")
        return None if credential == "good" else _error(401, "forbidden", "Invalid API key provided.")

    def not_found(self, _: Request) -> Answer:
        return _error(404, "not_found", "The requested resource was not found.")

    def unreadable(self, reason: str) -> Answer:
        return _error(400, "invalid_request", reason)

    def dress(self, answer: Answer, _: Request) -> Answer:
        """Add `X-RateLimit-*`, which are known from 429 answers only."""
        if answer.status == 429:
            answer.headers |= {
                "X-RateLimit-Limit": str(REQUESTS_PER_MINUTE),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(time.time()) + int(float(answer.headers.get("Retry-After", "60")))),
            }
        return answer

    def server_error(self, _: Failing) -> Answer:
        return _error(500, "internal_error", "An internal error occurred.")

    def rate_limit(self, failing: Failing) -> Answer:
        answer = _error(429, "request_rate_limit_exceeded", "Request rate limit exceeded, please try again later.")
        if failing.setting.retry_after is not None:
            answer.headers["Retry-After"] = f"{failing.setting.retry_after:g}"
        return answer

    def quota_exhausted(self, failing: Failing) -> Answer | None:
        if not failing.route.paid:
            return None
        return _error(
            401, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."
        )

    def bad_key(self, failing: Failing) -> Answer | None:
        return None if failing.route.probe else _error(401, "forbidden", "Invalid API key provided.")

    def html(self, _: Failing) -> Answer:
        """Answer with the edge's own page instead of the envelope, as was seen with a bad key."""
        return Answer.html(401, "401 Authorization Required")

    def silent(self, failing: Failing) -> Answer | None:
        return self.agent(failing.request, spoiled="failed") if failing.route.paid else None

    def forget(self) -> None:
        self._kept.clear()


def _error(status: int, kind: str, message: str) -> Answer:
    return Answer.json(status, {"error": {"message": message, "type": kind, "code": status}})


def _complaint(body: dict[str, object]) -> tuple[str, str] | None:
    """Say what is wrong with a request, as error type and message."""
    if not body.get("input"):
        return "invalid_request", "input is required"
    models = body.get("models") or ([body["model"]] if body.get("model") else [])
    if not models and not body.get("preset"):
        return "invalid_request", "one of model, models or preset is required"
    if not isinstance(models, list) or len(models) > MAX_MODELS:
        return "invalid_parameter", f"models takes at most {MAX_MODELS} names"
    if unknown := [name for name in models if "/" not in str(name)]:
        return "invalid_model", f"model is not supported: {unknown[0]}"
    if body.get("preset") and body["preset"] not in PRESETS:
        return "invalid_parameter", f"unknown preset: {body['preset']}"
    steps = body.get("max_steps", 1)
    if not isinstance(steps, int) or not 1 <= steps <= MAX_STEPS:
        return "invalid_parameter", f"max_steps must be between 1 and {MAX_STEPS}"
    if body.get("stream"):
        return "invalid_parameter", "stream is not supported by the sandbox"
    return None


def _model(body: dict[str, object]) -> str:
    """Name the model that answers: the one asked for, the first of a fallback chain, or the preset's."""
    models = body.get("models")
    return str(body.get("model") or (models[0] if isinstance(models, list) and models else DEFAULT_MODEL))


def _forces_search(body: dict[str, object]) -> bool:
    """A tool that is merely offered is not used (verified live by a third party): force it, or give a preset."""
    tools = body.get("tools")
    if not isinstance(tools, list) or body.get("tool_choice") in (None, "auto", "none"):
        return False
    return any(isinstance(tool, dict) and tool.get("type") == "web_search" for tool in tools)
