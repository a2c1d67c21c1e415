"""OpenAI's Responses API and Perplexity's Agent API, as far as they are one: a model is given a prompt, and its answer
is a `status` inside a 200 that may hide a failure, a list of output items, and tokens."""

from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings

from integrations import causes, http, language_models, messages, prices, reading
from integrations.answers import Answer, by_status
from integrations.errors import FailureType
from integrations.results import Usage

# Four of 2026 beside the long-standing one; a body of 2023 had it as the type and no code.
NO_QUOTA = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)
TOO_FAST = frozenset({"rate_limit_exceeded", "request_rate_limit_exceeded", "slow_down"})
GONE = frozenset({"model_not_found", "invalid_model", "chat_completions_not_available", "agent_api_migration_required"})
# Our own limit; the long-standing name first, then those of other models behind the same API.
CUT_OFF = frozenset({"max_output_tokens", "max_tokens", "max_completion_tokens", "length"})

# A `failed` answer of one of these kinds would fail again with the same prompt.
PROMPTS_FAULT = frozenset(
    {"invalid_prompt", "bio_policy", "data_residency_mismatch", "invalid_request", "invalid_request_error"}
)


def respond(
    service: str, classify: http.Classify, path: str, *, instructions: str, prompt: str, **options: Any
) -> Answer:
    """Have the service's model answer a prompt, within our limit of tokens. Asking again charges again.

    `options` are further fields of the request. Raises VendorError, which says what was charged all the same.
    """
    limit = f"{service.upper()}_MAX_OUTPUT_TOKENS"
    body = {
        "model": language_models.ours(service),
        "instructions": instructions,
        "input": prompt,
        "max_output_tokens": getattr(settings, limit),
        **options,
    }
    billed, advise = partial(usage, service), partial(advice, setting=limit)
    return http.call_as_bearer(service, classify, "POST", path, json=body, billed=billed, advice=advise)


def classify(answer: Answer) -> FailureType | None:
    """Say what went wrong, None if nothing did; where the status says nothing, the answer's own fields do."""
    body = answer.body
    if body is None:
        return by_status(answer)
    if answer.ok:
        return by_outcome(body) if body.keys() & {"output", "status", "choices"} else by_status(answer)
    return by_codes(body.get("error")) or by_status(answer)


def codes(error: Any) -> set[str]:
    """Return `type` and `code` of an error object; either may be null, and Perplexity's code is a number."""
    fields = reading.mapping(error)
    return {reading.identifier(fields.get(name)) for name in ("type", "code")} - {""}


def by_codes(error: Any) -> FailureType | None:
    """Say what the structured fields of an error mean, None if they do not tell."""
    named = codes(error)
    if named & NO_QUOTA:
        return FailureType.QUOTA_EXHAUSTED
    if named & TOO_FAST:
        return FailureType.RATE_LIMIT
    # Every lead would fail by it and no retry cures it, like a retired endpoint.
    return FailureType.AUTH if named & GONE else None


def by_outcome(body: dict[str, Any]) -> FailureType | None:
    """Say what a 200 hides; None when a whole text came.

    A refusal or a filtered text is this prompt's fault and would come again. So would a text that our own limit cut
    off, which is no failure of the vendor's: whoever sends the request is told to raise the limit.
    """
    if cut_off(body):
        return FailureType.INVALID_REQUEST
    status = body.get("status")
    if status == "completed":
        if messages.refused(body):
            return FailureType.INVALID_REQUEST
        return None if messages.candidates(body) else FailureType.MALFORMED
    if status == "incomplete":
        reason = reading.mapping(body.get("incomplete_details")).get("reason")
        return FailureType.INVALID_REQUEST if reason == "content_filter" else FailureType.MALFORMED
    if status in ("failed", "cancelled"):
        error = body.get("error")
        if codes(error) & PROMPTS_FAULT:
            return FailureType.INVALID_REQUEST
        return by_codes(error) or causes.by_names(codes(error)) or FailureType.SERVER_ERROR
    return FailureType.MALFORMED


def cut_off(body: dict[str, Any]) -> bool:
    """Say whether the text ended at our limit of tokens; also as chat completions say it."""
    if body.get("status") == "incomplete":
        return reading.mapping(body.get("incomplete_details")).get("reason") in CUT_OFF
    return any(choice.get("finish_reason") == "length" for choice in reading.mappings(body.get("choices")))


def advice(answer: Answer, setting: str) -> str:
    """Say what an operator can do about a failed answer, "" if the vendor's own words are all there is to say. Always
    the same words for the same cause."""
    if not (answer.ok and answer.body and cut_off(answer.body)):
        return ""
    return f"cut off at our own limit of tokens, which the model's reasoning uses too: raise {setting}"


def sources(body: dict[str, Any]) -> list[str]:
    """List the URLs of all search results in their order, each once."""
    searches = [item for item in reading.mappings(body.get("output")) if item.get("type") == "search_results"]
    urls = [reading.text(page.get("url")) for search in searches for page in reading.mappings(search.get("results"))]
    return list(dict.fromkeys(url for url in urls if url))


def usage(service: str, answer: Answer) -> Usage:
    """Read the tokens, and their price: the vendor's own figure in USD where it sends one, else by the price table."""
    body = answer.body or {}
    counts = reading.mapping(body.get("usage"))
    tokens_in, tokens_out = reading.tally(counts.get("input_tokens")), reading.tally(counts.get("output_tokens"))
    cost = reading.mapping(counts.get("cost"))
    price = reading.amount(cost.get("total_cost")) if cost.get("currency", "USD") == "USD" else None
    if price is None:
        used = reading.text(body.get("model")) or language_models.ours(service)
        price = prices.cost(service, model=used, tokens_in=tokens_in, tokens_out=tokens_out)
    return Usage(tokens_in=tokens_in, tokens_out=tokens_out, cost_usd=max(price, Decimal(0)))


def request_id(answer: Answer) -> str:
    """Return the header's id, which support asks for; else the response's own."""
    return answer.request_id or reading.identifier((answer.body or {}).get("id"))
