"""OpenAI writes the mail, as JSON of a fixed schema. Billed by tokens.

Facts: OpenAPI document 2.3.0, the error guide and the deprecations page at developers.openai.com. Four surprises: one
429 means slow down and another that the money is gone, a refusal and a cut-off text are 200, headers may be missing,
and a model is shut down on a day that the list of models foretells.
"""

from collections.abc import Callable

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import http, language_models, messages, probing, ratelimits, reading, responses_api
from integrations.errors import FailureType
from integrations.results import Mail, Outlook

SERVICE = "openai"

MAIL_SCHEMA = {
    "type": "object",
    "properties": {"subject": {"type": "string"}, "body": {"type": "string"}},
    "required": ["subject", "body"],
    "additionalProperties": False,
}

classify = responses_api.classify


def write_mail(*, instructions: str, prompt: str) -> Mail:
    """Have a mail written: a subject and a body, both not empty, otherwise unchecked. Asking again charges again.
    Raises VendorError."""
    effort = settings.OPENAI_REASONING_EFFORT
    answer = responses_api.respond(
        SERVICE,
        classify,
        "/responses",
        instructions=instructions,
        prompt=prompt,
        store=False,
        **({} if effort == "default" else {"reasoning": {"effort": effort}}),
        text={"format": {"type": "json_schema", "name": "mail", "strict": True, "schema": MAIL_SCHEMA}},
    )
    usage = responses_api.usage(SERVICE, answer)
    for text in messages.candidates(answer.body or {}):
        mail = reading.parse_object(text) or {}
        subject, body = reading.text(mail.get("subject")).strip(), reading.text(mail.get("body")).strip()
        if subject and body:
            break
    else:
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no subject and body in the text", usage)
    return Mail(
        subject=subject,
        body=body,
        usage=usage,
        request_id=responses_api.request_id(answer),
        http_status=answer.status,
        limits=ratelimits.openai(answer.headers),
    )


def probe() -> ProbeResult:
    """Make the free health call, which lists the models that the key may use. Ours must be one of them: without it
    every mail would fail."""

    def ask() -> str:
        listed = language_models.listed(SERVICE, classify, "/models")
        return f"The key is accepted; {language_models.availability(SERVICE, listed)}"

    return probing.probed("the key is valid; not that any quota is left", ask)


def outlook() -> Outlook:
    """Tell when our model ends, from the list of models; free. Raises VendorError, also if it has."""
    return language_models.outlook(SERVICE, language_models.listed(SERVICE, classify, "/models"))


def needs() -> list[tuple[str, Callable[[], object]]]:
    """List what a key must be allowed, with a call that the vendor refuses before it runs a model: there is no input,
    and the limit is below the least one."""
    body = {"model": language_models.ours(SERVICE), "max_output_tokens": 1, "store": False}
    return [
        (
            "write a response",
            lambda: http.call_as_bearer(
                SERVICE, classify, "POST", "/responses", json=body, longest=http.PROBE_DEADLINE
            ),
        )
    ]
