"""What a vendor's headers say about its limits and about waiting. All of it is optional and none of it is trusted."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from integrations import reading
from integrations.results import RateLimits, RateWindow

# No vendor has a window longer than a day; a longer wait is a mistake that would keep the service shut for nothing.
LONGEST_WAIT = 86_400.0
EPOCH = 1_000_000_000  # a reset larger than this is an instant, not a duration

SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}

# (seconds, names): Apollo's fixed windows; the daily one has had two names.
APOLLO_WINDOWS = ((60, ("minute",)), (3600, ("hourly",)), (86_400, ("24-hour", "daily")))


def capped(seconds: float) -> float:
    """`seconds` between 0 and a day."""
    return min(max(seconds, 0.0), LONGEST_WAIT)


def duration(value: str, now: float) -> float | None:
    """Seconds in `1s`, `6m0s`, `120ms`, `12.5`, or until an instant in epoch seconds; None for anything else."""
    value = value.strip()
    if SECONDS.fullmatch(value):
        seconds = float(value)
        return capped(seconds - now if seconds > EPOCH else seconds)
    parts = PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return capped(sum(float(number) * UNITS[unit] for number, unit in parts))


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait from `retry-after-ms` or `Retry-After` (seconds or an HTTP date), else until the last used-up
    window that names its reset; None when nothing says.

    A date is read against the answer's own `Date`, so that a wrong clock here does no harm. `headers` ignores case.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if SECONDS.fullmatch(milliseconds):
        return capped(float(milliseconds) / 1000)
    value = headers.get("retry-after", "").strip()
    if SECONDS.fullmatch(value):
        return capped(float(value))
    until = _instant(value)
    if until is None:
        limits = openai(headers, now)
        return max((w.reset for w in limits.windows if w.remaining == 0 and w.reset), default=None) if limits else None
    sent_at = _instant(headers.get("date", ""))
    return capped(until - (sent_at if sent_at is not None else time.time() if now is None else now))


def _instant(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def apollo(headers: Mapping[str, str]) -> RateLimits | None:
    """The minute, hour and day that Apollo reports. An unlimited window sends an empty value and is left out."""
    windows = []
    for seconds, names in APOLLO_WINDOWS:
        limit = next((n for name in names if (n := _count(headers, f"x-rate-limit-{name}")) is not None), None)
        left = next((n for name in names if (n := _count(headers, f"x-{name}-requests-left")) is not None), None)
        if limit is not None or left is not None:
            windows.append(RateWindow("requests", float(seconds), limit, left, None))
    return RateLimits(tuple(windows)) if windows else None


def openai(headers: Mapping[str, str], now: float | None = None) -> RateLimits | None:
    """The `x-ratelimit-*` headers of OpenAI, with or without `-requests` and `-tokens` (Perplexity). May be missing.

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
