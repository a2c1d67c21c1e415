"""Log lines: the contract's literal text, with the ids as structured fields behind it (or as JSON).

Keys and addresses are taken out of the finished line: what a library or a database puts into an exception is nobody's
choice. So are line ends and escapes: what a stranger types may neither make a line of its own nor colour a terminal.
"""

import json
import logging
import re
from datetime import UTC, datetime

from integrations.redaction import redact

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# Controls, line ends of Unicode, marks that turn the direction of writing, invisible ones, halves of characters.
CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """`text` on one line, each control written out: `\\n`, `\\x1b`, `\\u2028`."""
    return CONTROLS.sub(lambda match: match.group().encode("unicode_escape", "backslashreplace").decode(), text)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What the caller passed as `extra=`, and what a filter found."""
    return {key: value for key, value in record.__dict__.items() if key not in STANDARD}


def timestamp(record: logging.LogRecord) -> str:
    """ISO 8601 UTC with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def traceback_of(record: logging.LogRecord) -> list[str]:
    """The lines of its traceback; none without one, or where the same was shown a moment ago (config/outages.py)."""
    if not record.exc_info or getattr(record, "repeated", 0):
        return []
    return [printable(line) for line in redact(logging.Formatter().formatException(record.exc_info)).split("\n")]


class TextFormatter(logging.Formatter):
    """`2026-11-01T03:12:00.123Z [WARNING] Circuit breaker opened ... | service=apollo epoch=17`.

    The lines of a traceback begin with a bar: whatever an exception quotes, it looks like no line of the log.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = f"{timestamp(record)} [{record.levelname}] {record.getMessage()}"
        extra = " ".join(f"{key}={value}" for key, value in fields(record).items())
        if extra:
            line = f"{line} | {extra}"
        return "\n  | ".join([printable(redact(line)), *traceback_of(record)])


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a log collector."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        # Before it becomes JSON, whose escapes would hide an address; a collector's screen shows what they stand for.
        plain = int | float | None
        safe = {
            key: value if isinstance(value, plain) else printable(redact(str(value))) for key, value in entry.items()
        }
        if trace := traceback_of(record):
            safe["exception"] = "\n".join(trace)
        return json.dumps(safe)
