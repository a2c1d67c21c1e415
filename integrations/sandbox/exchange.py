"""A request and an answer are values for the vendors' handlers: no sockets here."""

import hashlib
import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Self
from urllib.parse import parse_qsl


class Unreadable(ValueError):
    """The request's body is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request's `path` is the vendor's own, below its base URL, without the query string: keys may travel there."""

    method: str
    path: str
    query_string: str
    headers: Message
    body: bytes

    @property
    def last(self) -> str:
        """Return the last segment of the path, where a route has its `{id}`."""
        return self.path.rstrip("/").rpartition("/")[2]

    def parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_string, keep_blank_values=True)

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None."""
        return next((value for key, value in self.parameters() if key == name), None)

    def values(self, name: str) -> list[str]:
        """List every value of an array parameter, written `name[]` as Apollo documents it, or plain."""
        return [value for key, value in self.parameters() if key in (name, f"{name}[]") and value]

    def json(self) -> dict[str, object]:
        """Return the body as a JSON object; no body is an empty one. Raises Unreadable."""
        if not self.body:
            return {}
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Unreadable(str(error)) from error
        if not isinstance(value, dict):
            raise Unreadable("the body is not a JSON object")
        return value

    def bearer(self) -> str | None:
        """Return the token of an `Authorization: Bearer` header, or None."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(slots=True)
class Answer:
    """An answer is what goes back. `charges` says what this answer costs: a key (address, person id) and its units."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    charges: dict[str, float] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: object, **headers: str) -> Self:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, "application/json; charset=utf-8", dashed(headers))

    @classmethod
    def text(cls, status: int, text: str, **headers: str) -> Self:
        return cls(status, text.encode(), "text/plain; charset=utf-8", dashed(headers))

    @classmethod
    def html(cls, status: int, title: str, **headers: str) -> Self:
        """Make a page of the network edge in front of a vendor, which no JSON parser reads."""
        page = (
            f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
            f"<body><center><h1>{title}</h1></center><hr><center>cloudflare</center></body></html>\n"
        )
        return cls(status, page.encode(), "text/html; charset=UTF-8", dashed(headers))

    def cut(self) -> Self:
        """Return the same answer broken off in the middle: the status says success, the body does not parse."""
        self.body = self.body[: max(1, len(self.body) // 2)]
        return self


def dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def digest(*parts: object) -> int:
    """Return a large number that depends on its arguments and on nothing else: the only source of chance in the
    sandbox."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
