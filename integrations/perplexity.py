"""Perplexity: researches a person and a company on the web. Billed by tokens and searches.

Facts: docs.perplexity.ai, Agent API. Its predecessor, Sonar chat completions, was retired on 2026-09-27 and answers a
valid key with 403, so a 403 may mean a retired endpoint. Three more surprises: a failure inside a 200, an edge's HTML
401, and a model list that proves no key.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import http, messages, probing, ratelimits, responses_api
from integrations.answers import Answer, by_status
from integrations.errors import FailureType
from integrations.results import Research, Usage

SERVICE = "perplexity"

# No body of an exhausted balance is known; lapsed billing was reported as 401 and 403.
NO_CREDIT_WORDS = ("credit", "billing", "balance", "quota", "payment")


def classify(answer: Answer) -> FailureType | None:
    """What went wrong, None if nothing did."""
    body = answer.body
    if body is None:
        return by_status(answer)
    if answer.ok:
        return responses_api.by_outcome(body) if body.keys() & {"output", "status", "choices"} else by_status(answer)
    failure = responses_api.by_codes(body.get("error"))
    if failure is not None:
        return failure
    if answer.status in (401, 403) and any(word in answer.words for word in NO_CREDIT_WORDS):
        return FailureType.QUOTA_EXHAUSTED
    return by_status(answer)


def research(*, instructions: str, prompt: str) -> Research:
    """What the web says, with its sources. Asking again charges again. Raises VendorError."""
    answer = _call(
        "POST",
        "/v1/agent",
        json={
            # A preset makes it search; without a model it may run on any.
            "model": _model(),
            "preset": settings.PERPLEXITY_PRESET,
            "instructions": instructions,
            "input": prompt,
            "max_output_tokens": settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
        },
        billed=_usage,
        advice=lambda answer: responses_api.advice(answer, "PERPLEXITY_MAX_OUTPUT_TOKENS"),
    )
    body = answer.body or {}
    text = messages.prose(body)
    if not text:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no text in the answer", _usage(answer))
    return Research(
        text=text,
        sources=responses_api.sources(body),
        usage=_usage(answer),
        request_id=responses_api.request_id(answer),
        http_status=answer.status,
        limits=ratelimits.openai(answer.headers),
    )


def probe() -> ProbeResult:
    """The free health call: the list of models. It runs none, and asks for no key."""

    def ask() -> str:
        answer = _call("GET", "/v1/models", longest=http.PROBE_DEADLINE)
        models = (answer.body or {}).get("data")
        if not isinstance(models, list):
            raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no list of models in the answer")
        return f"The API answers with {len(models)} models"

    return probing.probed("the API is reachable; neither that the key is valid nor that credit is left", ask)


def needs() -> list[tuple[str, Callable[[], object]]]:
    """What a key must be allowed, with a call that the vendor refuses before it runs a model: the input is missing.
    The probe proves no key, so this is all that does."""
    return [("ask the agent", lambda: _call("POST", "/v1/agent", json={"model": _model()}))]


def _call(method: str, path: str, **request: Any) -> Answer:
    headers = {"Authorization": f"Bearer {settings.VENDORS[SERVICE]['api_key']}"}
    return http.call(SERVICE, classify, method, path, headers=headers, **request)


def _model() -> str:
    return str(settings.PERPLEXITY_MODEL)


def _usage(answer: Answer) -> Usage:
    return responses_api.usage(SERVICE, answer, _model())
