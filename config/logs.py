"""Log lines: the contract's literal text, with the ids as structured fields behind it (or as JSON).

Keys and addresses are taken out of the finished line: what a library or a database puts into an exception is nobody's
choice.
"""

import json
import logging
from datetime import UTC, datetime

from integrations.redaction import redact

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What the caller passed as `extra=`."""
    return {key: value for key, value in record.__dict__.items() if key not in STANDARD}


def timestamp(record: logging.LogRecord) -> str:
    """ISO 8601 UTC with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """`2026-11-01T03:12:00.123Z [WARNING] Circuit breaker opened ... | service=apollo epoch=17`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{timestamp(record)} [{record.levelname}] {record.getMessage()}"
        extra = " ".join(f"{key}={value}" for key, value in fields(record).items())
        if extra:
            line = f"{line} | {extra}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return redact(line)


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
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # Before it becomes JSON, whose escapes would hide an address.
        plain = int | float | None
        safe = {key: value if isinstance(value, plain) else redact(str(value)) for key, value in entry.items()}
        return json.dumps(safe)
