"""The vendors' published OpenAPI documents, which lie beside the project where they are available at all."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "vendor-specs"

# Where an answer may differ from the document, and why: fields that the document types as strings and that its own
# examples, or the page on bulk enrichment, show as null.
APOLLO_NULLS = {
    "email": "a person without an address",
    "title": "a person without a title",
    "headline": "follows the title",
    "photo_url": "no photo",
    "extrapolated_email_confidence": "null in the document's own example",
}
PERPLEXITY_STATUS = {"incomplete", "cancelled"}  # known to the SDK and the guide, not yet to the document


@lru_cache
def document(service: str) -> dict[str, Any]:
    path = FOLDER / f"{service}.json"
    if not path.is_file():
        pytest.skip(f"no published document at {path}")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def problems(service: str, value: object, *place: str) -> list[str]:
    """What is wrong with a value, held against the schema at this place of the document; known exceptions left out."""
    content = document(service)
    registry: Registry[Any] = Registry().with_resource("urn:document", DRAFT202012.create_resource(content))
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
    validator = jsonschema.Draft202012Validator({"$ref": f"urn:document#/{pointer}"}, registry=registry)
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(known_status(value) if service == "perplexity" else value)
        if not is_known(service, error)
    ]


def is_known(service: str, error: jsonschema.ValidationError) -> bool:
    last = error.absolute_path[-1] if error.absolute_path else None
    if service == "apollo" and error.instance is None:
        # A person that nothing matches is null in `matches` (page on bulk enrichment, standard requests).
        return last in APOLLO_NULLS or (len(error.absolute_path) == 2 and error.absolute_path[0] == "matches")
    return False


def known_status(value: Any) -> Any:
    """A copy with a documented status in the place of one that the document does not know yet."""
    if isinstance(value, list):
        return [known_status(item) for item in value]
    if isinstance(value, dict):
        return {
            name: "failed" if name == "status" and item in PERPLEXITY_STATUS else known_status(item)
            for name, item in value.items()
        }
    return value


def answer_schema(method: str, path: str, status: int = 200) -> tuple[str, ...]:
    return ("paths", path, method.lower(), "responses", str(status), "content", "application/json", "schema")


def request_schema(method: str, path: str) -> tuple[str, ...]:
    return ("paths", path, method.lower(), "requestBody", "content", "application/json", "schema")
