"""A vendor's answer can be put into JSON and back, so that one which was paid for outlives the bug that could not save
it."""

from dataclasses import fields, is_dataclass
from decimal import Decimal
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from integrations.results import Result


def as_json(value: Any) -> Any:
    """Put a result, and all that it holds, into JSON."""
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def from_json(kind: type[Result], value: dict[str, Any]) -> Any:
    """Read a result of that kind from JSON. Raises KeyError or TypeError for what as_json did not make of one."""
    return _typed(kind, value)


def _typed(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(kind) in (Union, UnionType):
        return _typed(next(part for part in get_args(kind) if part is not type(None)), value)
    if get_origin(kind) in (list, tuple):
        return get_origin(kind)(_typed(get_args(kind)[0], item) for item in value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: _typed(hints[field.name], value[field.name]) for field in fields(kind)})  # type: ignore[operator]
    return Decimal(value) if kind is Decimal else value
