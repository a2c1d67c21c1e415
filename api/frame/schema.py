"""The OpenAPI document gets the envelope of docs/contract.md#http, the errors and each method's permission here."""

from copy import deepcopy
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_bearer_security_scheme_object

from api.frame.permissions import EVERYBODY, LOGIN, required

ERROR = {
    "type": "object",
    "required": ["status", "detail"],
    "properties": {
        "status": {"type": "string", "const": "error"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "Field -> messages, when values are not valid.",
        },
    },
    "additionalProperties": False,
}
CODES = {
    "400": "The request is not valid, or names a service that does not exist; a refused resume.",
    "401": "No login, or a wrong one.",
    "403": "The login lacks the permission.",
    "404": "There is no such thing.",
    "409": "The state forbids this move; the text says what to do.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read here.",
    "429": "Too many requests. Retry-After says when to come back.",
    "503": "Redis or PostgreSQL does not answer. A change may or may not have happened: look, then repeat.",
}
EXAMPLES = {
    "reset_breaker": {
        "400": "Invalid service name: foo. Valid services: "
        "['apollo', 'millionverifier', 'perplexity', 'openai', 'instantly']",
        "409": "The probe of apollo failed: HTTP 503. Mend the cause and try again, or force the reset with a reason.",
        "503": "Error resetting circuit breaker: Redis connection failed",
    },
    "resume_queue": {
        "400": "Cannot resume queue: Circuit breakers still open for: apollo (open), perplexity (half_open)",
        "409": "Paused again by openai while resuming: 3 of 8 campaigns had been resumed and are paused again. "
        "Reset openai, then resume again.",
    },
}


class TokenScheme(OpenApiAuthenticationExtension):
    """Describes how a token is sent."""

    target_class = "api.frame.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> Any:
        return build_bearer_security_scheme_object(header_name="Authorization", token_prefix="Token")  # noqa: S106


class Schema(AutoSchema):
    """Describes an operation as drf-spectacular does, and adds what all of ours have in common."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        need = required(self.view, self.method)
        operation["x-permission"] = need
        whom = {EVERYBODY: "Needs no login.", LOGIN: "Needs a login."}.get(need or "", f"Needs `{need}`.")
        operation["description"] = f"{operation.get('description', '')}\n\n{whom}".strip()
        error = ResolvedComponent(name="Error", type=ResolvedComponent.SCHEMA, schema=deepcopy(ERROR), object="Error")
        self.registry.register_on_missing(error)
        examples = EXAMPLES.get(operation["operationId"], {})
        for code in self.error_codes(need, operation):
            content: dict[str, Any] = {"schema": error.ref}
            if code in examples:
                content["example"] = {"status": "error", "detail": examples[code]}
            answer: dict[str, Any] = {"description": CODES[code], "content": {"application/json": content}}
            if code in ("429", "503"):
                answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
            operation["responses"].setdefault(code, answer)
        return operation

    def error_codes(self, need: str | None, operation: dict[str, Any]) -> list[str]:
        """Return the codes of the errors that an operation may answer with."""
        codes = {"400", "503", "429"}
        if need != EVERYBODY or operation["operationId"] == "create_token":
            codes.add("401")
        if need not in (EVERYBODY, LOGIN):
            codes.add("403")
        if self.method == "DELETE":
            codes.add("403")  # a session without its CSRF token
        if "{" in self.path or self._get_paginator():
            codes.add("404")
        if self.method == "POST":
            codes |= {"413", "415"}
        if self.method == "POST" and 409 in getattr(self.view, "refusals", {}).values():
            codes.add("409")
        if operation["operationId"] == "resume_queue":
            codes.add("409")
        return sorted(codes)

    def get_auth(self) -> Any:
        if required(self.view, self.method) == EVERYBODY:
            return [{}]
        return super().get_auth()

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> Any:
        response = super()._get_response_for_code(serializer, status_code, media_types, direction)
        for media in response.get("content", {}).values():
            media["schema"] = {
                "type": "object",
                "required": ["status", "data"],
                "properties": {"status": {"type": "string", "const": "success"}, "data": media["schema"]},
            }
            for example in media.get("examples", {}).values():
                example["value"] = {"status": "success", "data": example["value"]}
        return response
