"""A vendor's headers speak of its limits and of waiting. All of it is optional and none of it is trusted."""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integrations import reading
from integrations.results import RateLimits, RateWindow

# No vendor has a window longer than a day; a longer wait is a mistake that would keep the service shut for nothing.
LONGEST_WAIT = 86_400.0
# Nobody asks anybody to wait for longer than a month: a number that says so means something else.
LONGEST_MEANT = 31 * 86_400.0
EPOCH = 1_000_000_000  # a number larger than this is an instant in seconds since 1970, not a duration ...
EPOCH_MS = EPOCH * 1000  # ... and one larger than this in milliseconds

LONGEST_VALUE = 200  # characters; what is longer is no wish to wait in any form
SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
# `30 seconds`, and the time of an ISO 8601 duration: PT1M30S.
WORDY = re.compile(r"(\d)\s*(ms|s|m|h|d)(?:ec(?:ond)?s?|in(?:ute)?s?|(?:ou)?rs?|ays?)?\b\s*", re.ASCII | re.IGNORECASE)
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d", re.ASCII)
# A header that came twice arrives as one, joined by a comma; a date has a comma of its own, behind its weekday.
TWICE = re.compile(r"(?<!Mon|Tue|Wed|Thu|Fri|Sat|Sun|day),")

# (seconds, names): Apollo's fixed windows; the daily one has had two names.
APOLLO_WINDOWS = ((60, ("minute",)), (3600, ("hourly",)), (86_400, ("24-hour", "daily")))


def capped(seconds: float) -> float:
    """Keep `seconds` between 0 and a day."""
    return min(max(seconds, 0.0), LONGEST_WAIT)


def meant(seconds: float) -> float | None:
    """Keep `seconds` between 0 and a day, None if nobody can mean them."""
    return capped(seconds) if seconds <= LONGEST_MEANT else None


def duration(value: str, now: float) -> float | None:
    """Read the seconds in `1s`, `6m0s`, `120ms`, `12.5`, or until an instant in seconds or milliseconds since 1970;
    None for anything else."""
    value = value.strip()
    if len(value) > LONGEST_VALUE:
        return None
    if SECONDS.fullmatch(value):
        number = float(value)
        if number > EPOCH:
            number = (number / 1000 if number > EPOCH_MS else number) - now
        return meant(number)
    parts = PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return meant(sum(float(number) * UNITS[unit] for number, unit in parts))


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Read the seconds to wait from `retry-after-ms` or `Retry-After`, else until the last used-up window that names
    its reset; None when nothing says.

    Besides seconds and the HTTP date, which are the standard, the forms that have been seen are read: instants in
    seconds or milliseconds since 1970 and in ISO 8601, units (`30s`), a header that came twice. An instant is held
    against the answer's own `Date`, so that a wrong clock here does no harm. `headers` ignores case.
    """
    for _, seconds in _wishes(headers, now):
        if seconds is not None:
            return seconds
    limits = openai(headers, now)
    return max((w.reset for w in limits.windows if w.remaining == 0 and w.reset), default=None) if limits else None


def unread(headers: Mapping[str, str], now: float | None = None) -> str:
    """Return the vendor's wish to wait, as it stands, if it has one that cannot be read; else ""."""
    return next((value for value, seconds in _wishes(headers, now) if seconds is None), "")


def _wishes(headers: Mapping[str, str], now: float | None) -> Iterator[tuple[str, float | None]]:
    """Yield both headers that may hold a wish, the finer one first, and what each says in seconds."""
    sent_at = _date(headers.get("date", ""))
    at = sent_at if sent_at is not None else time.time() if now is None else now
    if milliseconds := headers.get("retry-after-ms", "").strip():
        number = milliseconds.removeprefix("-")
        seconds = meant(float(number) / 1000) if SECONDS.fullmatch(number) else None
        yield milliseconds, 0.0 if seconds is not None and number != milliseconds else seconds
    if value := headers.get("retry-after", "").strip():
        wishes = [_wait(part, at) for part in TWICE.split(value)] if len(value) <= LONGEST_VALUE else [None]
        waits = [seconds for seconds in wishes if seconds is not None]
        yield value, max(waits) if len(waits) == len(wishes) else None


def _wait(value: str, at: float) -> float | None:
    value = value.strip().strip("\"'").removeprefix("+")
    if value.startswith("-"):
        return 0.0 if value[1:2].isdigit() else None
    if ISO.match(value) or not value[:1].isdigit():
        until = _iso(value) if ISO.match(value) else _date(value)
        if until is not None:
            return meant(until - at)
    return duration(WORDY.sub(r"\1\2", value.removeprefix("PT")).lower(), at)


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _iso(value: str) -> float | None:
    """Read an instant of ISO 8601; without a zone it is UTC, as everything in HTTP."""
    try:
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def apollo(headers: Mapping[str, str]) -> RateLimits | None:
    """Read the minute, hour and day that Apollo reports. An unlimited window sends an empty value and is left out."""
    windows = []
    for seconds, names in APOLLO_WINDOWS:
        limit = next((n for name in names if (n := _count(headers, f"x-rate-limit-{name}")) is not None), None)
        left = next((n for name in names if (n := _count(headers, f"x-{name}-requests-left")) is not None), None)
        if limit is not None or left is not None:
            windows.append(RateWindow("requests", float(seconds), limit, left, None))
    return RateLimits(tuple(windows)) if windows else None


def openai(headers: Mapping[str, str], now: float | None = None) -> RateLimits | None:
    """Read the `x-ratelimit-*` headers of OpenAI, with or without `-requests` and `-tokens` (Perplexity). May be
    missing.

    OpenAI does not name its window: it is a minute, for a few models a day, which read as a minute slows too little and
    never too much. Perplexity's may be a second, which read as a minute would all but stop: it stays unknown.
    """
    at = time.time() if now is None else now
    windows = []
    for suffix, counts in (("-requests", "requests"), ("-tokens", "tokens"), ("", "requests")):
        limit = _count(headers, f"x-ratelimit-limit{suffix}")
        left = _count(headers, f"x-ratelimit-remaining{suffix}")
        if limit is not None or left is not None:
            reset = duration(headers.get(f"x-ratelimit-reset{suffix}", ""), at)
            per = 60.0 if suffix else None
            windows.append(RateWindow("tokens" if counts == "tokens" else "requests", per, limit, left, reset))
    return RateLimits(tuple(windows)) if windows else None


def _count(headers: Mapping[str, str], name: str) -> int | None:
    value = reading.whole(headers.get(name, "").strip())
    return value if value is not None and value >= 0 else None
