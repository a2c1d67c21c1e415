"""A vendor's answer is read without trusting it: a value of the wrong type reads as absent, never as an exception."""

import json
import math
import re
from decimal import Decimal
from typing import Any

from circuitbreakers.characters import IN_A_LINE, UNSTORABLE

LARGEST = 2**63 - 1  # what a bigint column holds
LONGEST_ID = 64  # characters; the five vendors' have 12 to 55
NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse_object(text: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in `text`; None for anything else: no UTF-8, no JSON, no object, nested too deeply."""
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value = json.loads(decoded, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text(value: Any) -> str:
    """Return a string, or "". NUL and lone surrogates are legal in JSON and refused by PostgreSQL, so they are
    dropped."""
    return UNSTORABLE.sub("", value) if isinstance(value, str) else ""


def line(words: str) -> str:
    """Put a vendor's words on one line: every control character, NUL above all, is a space in it."""
    return IN_A_LINE.sub(" ", words)


def identifier(value: Any, longest: int = LONGEST_ID) -> str:
    """Return an id as a string, whether the vendor sent a string or a number; "" for anything else, and for what is too
    long to be one."""
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)
    return name if len(name) <= longest else ""


def amount(value: Any) -> Decimal | None:
    """Return a finite number of sane size, also one inside a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return Decimal(value) if NUMBER.fullmatch(value) else None
    if abs(value) > LARGEST or math.isnan(value):
        return None
    return Decimal(str(value))


def whole(value: Any) -> int | None:
    """Return a whole number that fits a bigint; None for anything else."""
    number = amount(value)
    return int(number) if number is not None and number == int(number) else None


def tally(value: Any) -> int:
    """Return a count: a whole number that is not negative, else 0."""
    return max(whole(value) or 0, 0)


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, or {}."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON array, or []."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
