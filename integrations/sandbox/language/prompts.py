"""A request to a language service is read for the text that it is about and the structured output that it wants."""

from integrations.sandbox.exchange import Request, Unreadable
from integrations.sandbox.language import writing

FORMATS = (None, "text", "json_object", "json_schema")


def text_of(value: object) -> str:
    """Return the text of an `input` or a `messages` list. What the user says counts; instructions only where nobody
    says anything else, since they may hold the sender's own address."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    items = [item for item in value if isinstance(item, dict)]
    said = [item for item in items if item.get("role", "user") in ("user", "assistant")] or items
    return "\n".join(_content(item.get("content", item.get("output", ""))) for item in said)


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def prompt(request: Request) -> str:
    """Return what the request is about, whichever of the two request shapes it has."""
    body = request.json()
    return text_of(body.get("input", body.get("messages")))


def schema_of(body: dict[str, object]) -> tuple[dict[str, object] | None, bool]:
    """Return the JSON schema that the answer must fit (None: plain text) and whether it is strict.

    The Responses API has it under `text.format`, chat completions and Perplexity under `response_format.json_schema`.
    """
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else body.get("response_format")
    if not isinstance(wanted, dict):
        return None, False
    if wanted.get("type") not in FORMATS:
        raise Unreadable(f"Invalid value: '{wanted.get('type')}' for the response format's type.")
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"text": {"type": "string"}}}, False
    if wanted.get("type") != "json_schema":
        return None, False
    inner = wanted.get("json_schema", wanted)
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict) or not inner.get("name"):
        raise Unreadable("Missing required parameter: the response format needs a name and a schema.")
    return inner["schema"], bool(inner.get("strict"))


def lead(request: Request) -> list[str]:
    """Say whom the request is about, as the bill counts it: the first address in its text, else a hash of the text."""
    return [writing.subject_of(prompt(request)).key]
