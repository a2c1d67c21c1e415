"""A log line carries the ids of what it is written for, although whoever writes it does not know them all.

The web names its request, a worker its job, campaign and call, a cascade and a resume their incident; config/logs.py
puts them into the line. Each thread has its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

Ids = Mapping[str, object]

_ids: ContextVar[Ids] = ContextVar("ids", default=MappingProxyType({}))


def current() -> Ids:
    """Return the ids of this moment in this thread; none outside of everything."""
    return _ids.get()


@contextmanager
def named(**ids: object) -> Iterator[None]:
    """Name what happens in a with-block, beside what is named already; None names nothing."""
    token = _ids.set({**_ids.get(), **{name: value for name, value in ids.items() if value is not None}})
    try:
        yield
    finally:
        _ids.reset(token)


def begin(**ids: object) -> None:
    """Name what this thread does from now on, in place of whatever was named before."""
    _ids.set(ids)
