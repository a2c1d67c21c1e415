"""This ledger has what arrived at the vendors and what they charged for it: the books that Holdfast's own are held
against."""

import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Call:
    """A call is noted on arrival and completed when it ends.

    `at` and `ended` are epoch seconds. `status` is what the client was sent: None while the call runs, and for good
    when nothing reached the client (a fault, or the client left). `charged` counts units: credits at Apollo and
    MillionVerifier, answers at Perplexity and OpenAI, uploaded leads at Instantly. `keys` names whom the call was about
    (`key` is the first of them), `charges` the units by key. `probe` marks a free health call, or a free question
    beside the work. `fault` is the one that hit it.
    """

    seq: int
    at: float
    service: str
    method: str
    path: str
    keys: list[str]
    probe: bool
    key: str | None = None
    status: int | None = None
    fault: str = "none"
    charged: float = 0
    charges: dict[str, float] = field(default_factory=dict)
    ended: float | None = None


class Ledger:
    """The ledger keeps every call in order of arrival. Safe to use from many threads."""

    def __init__(self, services: list[str]) -> None:
        self._lock = threading.Lock()
        self._services = services
        self._calls: list[Call] = []
        self._seq = 0

    def arrive(self, *, at: float, service: str, method: str, path: str, keys: list[str], probe: bool) -> Call:
        with self._lock:
            self._seq += 1
            call = Call(self._seq, at, service, method, path, keys, probe, key=keys[0] if keys else None)
            self._calls.append(call)
        return call

    def charge(self, call: Call, charges: dict[str, float]) -> None:
        with self._lock:
            call.charges = {key: units for key, units in charges.items() if units}
            call.charged = sum(call.charges.values())

    def end(self, call: Call, status: int | None) -> None:
        with self._lock:
            call.status = status
            call.ended = time.time()

    def clear(self) -> None:
        """Forget the calls. Numbering goes on, so a reader's `since` stays valid; a call under way is forgotten too."""
        with self._lock:
            self._calls = []

    def since(self, seq: int) -> list[dict[str, object]]:
        """Return the calls after number `seq`, oldest first."""
        with self._lock:
            if not self._calls:
                return []
            # seq rises by one from call to call, so the place is known without a search.
            start = max(0, seq + 1 - self._calls[0].seq)
            return [asdict(call) for call in self._calls[start:]]

    def bill(self) -> dict[str, dict[str, object]]:
        """Count, per service: calls, probes among them, units charged, distinct keys charged, keys charged more than
        once."""
        with self._lock:
            calls = list(self._calls)
        return {service: _bill([call for call in calls if call.service == service]) for service in self._services}


def _bill(calls: list[Call]) -> dict[str, object]:
    times = Counter(key for call in calls for key in call.charges)
    return {
        "calls": len(calls),
        "probes": sum(call.probe for call in calls),
        "charged": sum(call.charged for call in calls),
        "distinct_keys": len(times),
        "keys_charged_more_than_once": {key: count for key, count in sorted(times.items()) if count > 1},
    }
