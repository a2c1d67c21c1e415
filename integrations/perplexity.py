"""Perplexity researches a person and a company on the web. Billed by tokens and searches.

Facts: docs.perplexity.ai, Agent API. Its predecessor, Sonar chat completions, was retired on 2026-09-27 and answers a
valid key with 403, so a 403 may mean a retired endpoint. Three more surprises: a failure inside a 200, an edge's HTML
401, and a model list that proves no key.
"""

from collections.abc import Callable

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import http, language_models, messages, probing, ratelimits, responses_api
from integrations.answers import Answer
from integrations.errors import FailureType
from integrations.results import Outlook, Research

SERVICE = "perplexity"

# No body of an exhausted balance is known; lapsed billing was reported as 401 and 403.
NO_CREDIT_WORDS = ("credit", "billing", "balance", "quota", "payment")


def classify(answer: Answer) -> FailureType | None:
    """Say what went wrong, None if nothing did. A refusal whose codes say nothing may speak of money."""
    body = answer.body
    untold = body is not None and not responses_api.by_codes(body.get("error"))
    if untold and answer.status in (401, 403) and any(word in answer.words for word in NO_CREDIT_WORDS):
        return FailureType.QUOTA_EXHAUSTED
    return responses_api.classify(answer)


def research(*, instructions: str, prompt: str) -> Research:
    """Ask what the web says, with its sources. Asking again charges again. Raises VendorError."""
    # A preset makes it search; without a model, too, it might run on any.
    answer = responses_api.respond(
        SERVICE, classify, "/v1/agent", instructions=instructions, prompt=prompt, preset=settings.PERPLEXITY_PRESET
    )
    body, usage = answer.body or {}, responses_api.usage(SERVICE, answer)
    text = messages.prose(body)
    if not text:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no text in the answer", usage)
    return Research(
        text=text,
        sources=responses_api.sources(body),
        usage=usage,
        request_id=responses_api.request_id(answer),
        http_status=answer.status,
        limits=ratelimits.openai(answer.headers),
    )


def probe() -> ProbeResult:
    """Make the free health call, which lists the models, ours among them. It runs none, and asks for no key."""

    def ask() -> str:
        listed = language_models.listed(SERVICE, classify, "/v1/models")
        return f"The API answers; {language_models.availability(SERVICE, listed)}"

    return probing.probed("the API is reachable; neither that the key is valid nor that credit is left", ask)


def outlook() -> Outlook:
    """Tell when our model ends, from the list of models; free. Raises VendorError, also if it has."""
    return language_models.outlook(SERVICE, language_models.listed(SERVICE, classify, "/v1/models"))


def needs() -> list[tuple[str, Callable[[], object]]]:
    """List what a key must be allowed, with a call that the vendor refuses before it runs a model: there is no input.

    The probe proves no key, so this is all that does.
    """
    body = {"model": language_models.ours(SERVICE)}
    return [
        (
            "ask the agent",
            lambda: http.call_as_bearer(SERVICE, classify, "POST", "/v1/agent", json=body, longest=http.PROBE_DEADLINE),
        )
    ]
