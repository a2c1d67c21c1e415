"""A log line is the literal text of docs/contract.md#log, with the ids as fields behind it (or as JSON).

Keys and addresses are taken out of the finished line: what a library or a database puts into an exception is nobody's
choice. So are line ends and escapes: what a stranger types may neither make a line of its own nor colour a terminal.
"""

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from circuitbreakers.characters import IN_A_LOG
from integrations.redaction import redact
from telemetry import ids

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# The same traceback is not shown again for so long (seconds).
SAME = 60.0
MOST_TRACEBACKS = 500


def printable(text: str) -> str:
    """Return `text` on one line, each control written out: `\\n`, `\\x1b`, `\\u2028`."""
    return IN_A_LOG.sub(lambda match: match.group().encode("unicode_escape", "backslashreplace").decode(), text)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what the caller passed as `extra=`."""
    return {key: value for key, value in record.__dict__.items() if key not in STANDARD}


def named(record: logging.LogRecord) -> dict[str, object]:
    """Return the ids of what happens here, and what the caller passed, which wins: of a line about another campaign's
    job, our own job and call say nothing. Django passes its request, a thing without an end: its id stands for it."""
    passed, known = fields(record), dict(ids.current())
    if not isinstance(passed.get("request", ""), str):
        del passed["request"]
    if any(name in passed and passed[name] != known.get(name) for name in ("campaign", "job")):
        known = {name: value for name, value in known.items() if name not in ("campaign", "job", "call")}
    return {**known, **passed}


def timestamp(record: logging.LogRecord) -> str:
    """Write the record's instant in ISO 8601, UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Tracebacks:
    """A formatter remembers here what it has shown: the same traceback within a minute is only counted."""

    def __init__(self) -> None:
        self.shown: dict[Any, tuple[float, int]] = {}
        self.lock = threading.Lock()

    def lines(self, record: logging.LogRecord) -> list[str]:
        """Return a record's traceback in lines; one line that says how often it came, where it has just been shown."""
        if not record.exc_info or record.exc_info[1] is None:
            return []
        if times := self.repeats(record.exc_info[1]):
            return [f"(the traceback above, {times} times since)"]
        return [printable(line) for line in redact(logging.Formatter().formatException(record.exc_info)).split("\n")]

    def repeats(self, error: BaseException) -> int:
        """Return how often an error has come since it was shown; 0 when it is to be shown now."""
        frames, trace = [], error.__traceback__
        while trace is not None:
            frames.append((trace.tb_frame.f_code, trace.tb_lineno))
            trace = trace.tb_next
        key, now = (type(error), tuple(frames)), time.monotonic()
        with self.lock:
            at, times = self.shown.get(key, (-SAME, 0))
            if len(self.shown) > MOST_TRACEBACKS:
                self.shown.clear()
            times = times + 1 if now - at < SAME else 0
            self.shown[key] = (at if times else now, times)
        return times


class TextFormatter(logging.Formatter):
    """Writes `2026-11-01T03:12:00.123Z [WARNING] Circuit breaker opened ... | service=apollo epoch=17`.

    The lines of a traceback begin with a bar: whatever an exception quotes, it looks like no line of the log.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tracebacks = Tracebacks()

    def format(self, record: logging.LogRecord) -> str:
        line = f"{timestamp(record)} [{record.levelname}] {record.getMessage()}"
        extra = " ".join(f"{key}={value}" for key, value in fields(record).items())
        if extra:
            line = f"{line} | {extra}"
        return "\n  | ".join([printable(redact(line)), *self.tracebacks.lines(record)])


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line, for a log collector."""

    def __init__(self) -> None:
        super().__init__()
        self.tracebacks = Tracebacks()

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **named(record),
        }
        # Before it becomes JSON, whose escapes would hide an address; a collector's screen shows what they stand for.
        plain = int | float | None
        safe = {
            key: value if isinstance(value, plain) else printable(redact(str(value))) for key, value in entry.items()
        }
        if trace := self.tracebacks.lines(record):
            safe["exception"] = "\n".join(trace)
        return json.dumps(safe)
