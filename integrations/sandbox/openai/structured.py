"""Structured output is a value that fits a JSON schema, with the texts where a mail's subject and body belong."""

import json
from collections.abc import Mapping

from integrations.sandbox.language import writing

MAX_DEPTH = 10


class BadSchema(ValueError):
    """A schema that strict mode refuses; the message says what is missing."""


def check_strict(schema: object) -> None:
    """Strict mode wants an object whose properties are all required and that is closed (OpenAI, Structured Outputs
    guide). Raises BadSchema."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise BadSchema("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.")
    _check_closed(schema, ())


def _check_closed(schema: object, path: tuple[str, ...]) -> None:
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties", {})
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise BadSchema(f"In context={path}, 'additionalProperties' is required to be supplied and to be false.")
        if missing := sorted(set(properties) - set(schema.get("required", []))):
            raise BadSchema(
                f"In context={path}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing[0]}'."
            )
    for name, inner in properties.items():
        _check_closed(inner, (*path, "properties", name))
    _check_closed(schema.get("items"), (*path, "items"))


def fill(schema: Mapping[str, object], subject: writing.Subject) -> str:
    """Return the JSON text of a value that fits."""
    return json.dumps(_value(schema, "", subject, schema, 0), ensure_ascii=False)


def _value(schema: object, name: str, subject: writing.Subject, root: Mapping[str, object], depth: int) -> object:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return options[0]
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_resolve(reference, root), name, subject, root, depth + 1)
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return _value(alternatives[0], name, subject, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _value(inner, key, subject, root, depth + 1) for key, inner in properties.items()}
    if kind == "array":
        one = _value(schema.get("items", {"type": "string"}), name, subject, root, depth + 1)
        return [one] * max(1, int(schema.get("minItems", 1)))
    if kind in ("integer", "number"):
        return max(int(schema.get("minimum", 1)), 1)
    return {"boolean": True, "null": None}.get(kind, _text(schema, name, subject))


def _text(schema: Mapping[str, object], name: str, subject: writing.Subject) -> str:
    low = name.lower()
    if "subject" in low or "title" in low:
        text = writing.mail_subject(subject)
    elif any(word in low for word in ("body", "mail", "message", "text")):
        text = writing.mail_body(subject)
    else:
        text = writing.research(subject)
    limit = schema.get("maxLength")
    return text[:limit] if isinstance(limit, int) else text


def _resolve(reference: str, root: Mapping[str, object]) -> object:
    """Follow a local reference such as `#/$defs/Mail`; None when it leads nowhere."""
    place: object = root
    for part in reference.removeprefix("#/").split("/"):
        place = place.get(part) if isinstance(place, dict) else None
    return place
