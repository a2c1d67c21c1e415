"""The vendors are told to fail by one setting per service, which hits some of its calls or all."""

import math
import threading
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal, cast, get_args

Fault = Literal[
    "none",
    "server_error",
    "timeout",
    "connection_reset",
    "rate_limit",
    "quota_exhausted",
    "bad_key",
    "malformed",
    "html",
    "silent",
]
FAULTS: tuple[str, ...] = get_args(Fault)

MAX_LATENCY_MS = 600_000
MAX_RETRY_AFTER = 86_400


class BadFault(ValueError):
    """A setting that makes no sense; the message is for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """By a setting `share` of the calls fail, `latency_ms` is added to every call, `retry_after` is in seconds.

    `retry_after` None means that a 429 comes without a Retry-After header; vendors that never send one ignore it.
    """

    fault: Fault = "none"
    share: float = 1.0
    latency_ms: int = 20
    retry_after: float | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def parse(value: object, supported: frozenset[str]) -> Setting:
    """Read a setting from the body of a PUT; what is left out gets its default. Raises BadFault with all that is
    wrong."""
    if not isinstance(value, dict):
        raise BadFault('Send a JSON object, for example {"fault": "server_error", "share": 0.5}.')
    wrong = []
    fields = {"fault", "share", "latency_ms", "retry_after"}
    if unknown := sorted(set(map(str, value)) - fields):
        wrong.append(f"Unknown field: {', '.join(unknown)}. Known: {', '.join(sorted(fields))}.")
    default = Setting()
    fault = value.get("fault", default.fault)
    if fault not in FAULTS:
        wrong.append(f"fault must be one of {', '.join(FAULTS)}, not {fault!r}.")
    elif fault not in supported:
        wrong.append(f"This vendor does not hide failures inside HTTP 200, so it has no fault {fault!r}.")
    share = value.get("share", default.share)
    if not number_between(share, 0, 1):
        wrong.append(f"share must be a number from 0 to 1, not {share!r}.")
    latency_ms = value.get("latency_ms", default.latency_ms)
    if not number_between(latency_ms, 0, MAX_LATENCY_MS):
        wrong.append(f"latency_ms must be a number from 0 to {MAX_LATENCY_MS}, not {latency_ms!r}.")
    retry_after = value.get("retry_after", default.retry_after)
    if retry_after is not None and not number_between(retry_after, 0, MAX_RETRY_AFTER):
        wrong.append(f"retry_after must be null or seconds from 0 to {MAX_RETRY_AFTER}, not {retry_after!r}.")
    if wrong:
        raise BadFault(" ".join(wrong))
    return Setting(cast(Fault, fault), share, latency_ms, retry_after)


def number_between(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def hits(call: int, share: float) -> bool:
    """Say whether the call with this number (0, 1, ..., counted since the setting was made) fails.

    Evenly spread rather than drawn: of any N calls in a row share x N fail, give or take one, and the same run gives
    the same failures. With 0.5 every second call fails, the first does not.
    """
    exact = Fraction(str(share))
    return math.floor((call + 1) * exact) > math.floor(call * exact)


class Faults:
    """These settings are in force. Safe to use from many threads."""

    def __init__(self, services: list[str]) -> None:
        self._lock = threading.Lock()
        self._services = services
        self.clear()

    def clear(self) -> None:
        """Go back to health, everywhere."""
        with self._lock:
            self._settings = dict.fromkeys(self._services, Setting())
            self._calls = dict.fromkeys(self._services, 0)

    def get(self, service: str) -> Setting:
        with self._lock:
            return self._settings[service]

    def put(self, service: str, setting: Setting) -> None:
        with self._lock:
            self._settings[service] = setting
            self._calls[service] = 0

    def next(self, service: str) -> tuple[Setting, Fault]:
        """Return the setting for the call that just arrived and the fault that hits it: "none" when it is spared."""
        with self._lock:
            setting = self._settings[service]
            call = self._calls[service]
            self._calls[service] += 1
        return setting, setting.fault if hits(call, setting.share) else "none"
