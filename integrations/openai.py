"""OpenAI: writes the mail, as JSON of a fixed schema. Billed by tokens.

Facts: OpenAPI document 2.3.0 and the error guide at developers.openai.com. Three surprises: one 429 means slow down and
another that the money is gone, a refusal and a cut-off text are 200, and headers may be missing.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import http, messages, probing, ratelimits, reading, responses_api
from integrations.answers import Answer, by_status
from integrations.errors import FailureType
from integrations.results import Mail, Usage

SERVICE = "openai"

MAIL_SCHEMA = {
    "type": "object",
    "properties": {"subject": {"type": "string"}, "body": {"type": "string"}},
    "required": ["subject", "body"],
    "additionalProperties": False,
}


def classify(answer: Answer) -> FailureType | None:
    """What went wrong, None if nothing did."""
    body = answer.body
    if body is None:
        return by_status(answer)
    if answer.ok:
        return responses_api.by_outcome(body) if body.keys() & {"output", "status", "choices"} else by_status(answer)
    return responses_api.by_codes(body.get("error")) or by_status(answer)


def write_mail(*, instructions: str, prompt: str) -> Mail:
    """A subject and a body, both not empty, otherwise unchecked. Asking again charges again. Raises VendorError."""
    answer = _call(
        "POST",
        "/responses",
        json={
            "model": _model(),
            "instructions": instructions,
            "input": prompt,
            "max_output_tokens": settings.OPENAI_MAX_OUTPUT_TOKENS,
            "store": False,
            "text": {"format": {"type": "json_schema", "name": "mail", "strict": True, "schema": MAIL_SCHEMA}},
        },
        billed=_usage,
        advice=lambda answer: responses_api.advice(answer, "OPENAI_MAX_OUTPUT_TOKENS"),
    )
    for text in messages.candidates(answer.body or {}):
        mail = reading.parse_object(text) or {}
        subject, body = reading.text(mail.get("subject")).strip(), reading.text(mail.get("body")).strip()
        if subject and body:
            break
    else:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no subject and body in the text", _usage(answer))
    return Mail(
        subject=subject,
        body=body,
        usage=_usage(answer),
        request_id=responses_api.request_id(answer),
        http_status=answer.status,
        limits=ratelimits.openai(answer.headers),
    )


def probe() -> ProbeResult:
    """The free health call: the list of models that the key may use."""

    def ask() -> str:
        answer = _call("GET", "/models", longest=http.PROBE_DEADLINE)
        models = (answer.body or {}).get("data")
        if not isinstance(models, list):
            raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no list of models in the answer")
        listed = any(model.get("id") == _model() for model in reading.mappings(models))
        return f"The key is accepted; model {_model()} is {'listed' if listed else 'NOT in its list'}"

    return probing.probed("the key is valid; not that any quota is left", ask)


def needs() -> list[tuple[str, Callable[[], object]]]:
    """What a key must be allowed, with a call that the vendor refuses before it runs a model: there is no input, and
    the limit is below the least one."""
    body = {"model": _model(), "max_output_tokens": 1, "store": False}
    return [("write a response", lambda: _call("POST", "/responses", json=body))]


def _call(method: str, path: str, **request: Any) -> Answer:
    headers = {"Authorization": f"Bearer {settings.VENDORS[SERVICE]['api_key']}"}
    return http.call(SERVICE, classify, method, path, headers=headers, **request)


def _model() -> str:
    return str(settings.OPENAI_MODEL)


def _usage(answer: Answer) -> Usage:
    return responses_api.usage(SERVICE, answer, _model())
