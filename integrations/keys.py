"""The configured keys are checked without spending anything.

A probe proves that a service is there and, for most, that the key is known; a key may be known and yet not be allowed
to make the very calls that a campaign needs. So each vendor module lists those as `needs`: calls that are free, or so
incomplete that the vendor must refuse them (400, 422) once it has accepted the key. Whether a vendor looks at the scope
or at the body first is documented nowhere: a pass is worth less than a refusal.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import apollo, instantly, millionverifier, openai, perplexity
from integrations.errors import FailureType, VendorError

VENDORS: tuple[ModuleType, ...] = (apollo, millionverifier, perplexity, openai, instantly)

KeyVerdict = Literal["ok", "missing", "refused", "under-scoped", "no credit", "no answer"]
Need = tuple[str, Callable[[], object]]  # what a key must be allowed to do, and a free call that shows it

FORBIDDEN = 403


@dataclass(frozen=True)
class KeyCheck:
    """A check says what is known of one service's key. `detail` is safe to log."""

    service: str
    verdict: KeyVerdict
    detail: str

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


def check_all() -> list[KeyCheck]:
    """Check all five keys at once, in the pipeline's order; takes as long as the slowest vendor."""
    with ThreadPoolExecutor(len(VENDORS)) as threads:
        return list(threads.map(check, VENDORS))


def check(vendor: ModuleType) -> KeyCheck:
    """Check one service's key: its needs, then its probe."""
    service: str = vendor.SERVICE
    if not settings.VENDORS[service]["api_key"]:
        return KeyCheck(service, "missing", f"{service.upper()}_API_KEY is not set")
    if failed := _failed_need(vendor):
        return KeyCheck(service, failed.verdict, failed.detail)
    result = vendor.probe()
    if not result.ok:
        return KeyCheck(service, _verdict(result.failure_type), result.detail)
    return KeyCheck(service, "ok", result.detail)


def refusal(vendor: ModuleType) -> ProbeResult | None:
    """Ask what the next paid call would be refused: the scope, a model, credit; None if nothing of the kind.

    How else a vendor fails a request that it was to refuse anyway says nothing of the next good one.
    """
    failed = _failed_need(vendor)
    if failed is None or failed.failure_type not in (FailureType.AUTH, FailureType.QUOTA_EXHAUSTED):
        return None
    return ProbeResult(False, "the next paid call would fail by it", failed.detail, str(failed.failure_type))


@dataclass(frozen=True)
class _FailedNeed:
    verdict: KeyVerdict
    failure_type: FailureType
    detail: str


def _failed_need(vendor: ModuleType) -> _FailedNeed | None:
    """Ask for all that the key must be allowed, until something else than a scope is in the way."""
    lacking: list[str] = []
    words = ""
    for purpose, ask in vendor.needs():
        try:
            ask()
        except VendorError as error:
            if error.failure_type == FailureType.INVALID_REQUEST:
                continue
            if error.failure_type != FailureType.AUTH or error.http_status != FORBIDDEN:
                return _FailedNeed(_verdict(error.failure_type), error.failure_type, error.message)
            lacking.append(purpose)
            words = words or error.message
    if not lacking:
        return None
    return _FailedNeed("under-scoped", FailureType.AUTH, f"It may not {', nor '.join(lacking)}: {words}")


def _verdict(failure_type: str | None) -> KeyVerdict:
    if failure_type == FailureType.AUTH:
        return "refused"
    return "no credit" if failure_type == FailureType.QUOTA_EXHAUSTED else "no answer"
