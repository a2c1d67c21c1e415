"""The switch's contents are values here: what its hashes and lists say, whoever wrote them. Nothing here asks Redis."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**63 - 1  # what a bigint column holds


def instant(text: str | None) -> datetime | None:
    """Read an ISO 8601 instant from a hash; None when it is empty or something else."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    # One typed by hand without its offset is UTC: it must compare with the others.
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def details(text: str) -> dict[str, Any]:
    """Read what a field of `queue_pauses` says; any other text is taken for the cause."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"cause": text}


def evidence_of(rows: list[str]) -> list[dict[str, Any]]:
    """Read the last failures, as `circuit_failures` holds them; any other text is taken for the error."""
    failures = []
    for text in rows:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        failures.append(row if isinstance(row, dict) else {"error": text})
    return failures


def from_us(microseconds: str | float) -> datetime:
    """Turn Redis's microseconds since 1970 into an instant."""
    seconds, micros = divmod(int(float(microseconds)), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


@dataclass(frozen=True)
class BreakerState:
    """This is one breaker as it is stored. `state` is `lost` when the hash is missing: nothing is admitted then."""

    service: str
    state: str = "lost"
    failure_count: int = 0
    epoch: int = 0
    opening_epoch: int = 0
    reset_of: int = 0
    reset_by: str = ""
    opened_at: datetime | None = None
    open_until: datetime | None = None
    reason: str = ""
    failure_type: str = ""
    held: bool = False
    hold_reason: str = ""
    half_open_attempts: int = 0
    last_failure_time: datetime | None = None
    last_failure_type: str = ""
    last_error: str = ""
    last_probe_at: datetime | None = None
    last_probe_ok: bool = False
    last_probe_detail: str = ""
    last_probe_proves: str = ""
    failures: int = 0
    stopped_stage: str = ""
    stopped_calls: int = 0

    @classmethod
    def from_hash(cls, service: str, stored: dict[str, str]) -> "BreakerState":
        """Read a breaker's hash, unknown and missing fields tolerated: an operator may have typed into it."""
        if not stored.get("state") or (stored["state"] == "closed" and not stored.get("epoch")):
            return cls(service)

        def whole(name: str) -> int:
            try:
                return min(int(float(stored.get(name) or 0)), LARGEST)
            except (ValueError, OverflowError):
                return 0

        return cls(
            service=service,
            state=stored["state"],
            failure_count=whole("failure_count"),
            epoch=whole("epoch"),
            opening_epoch=whole("opening_epoch"),
            reset_of=whole("reset_of"),
            reset_by=stored.get("reset_by", ""),
            opened_at=instant(stored.get("opened_at")),
            open_until=instant(stored.get("open_until")),
            reason=stored.get("reason", ""),
            failure_type=stored.get("failure_type", ""),
            held=stored.get("held") == "1",
            hold_reason=stored.get("hold_reason", ""),
            half_open_attempts=whole("half_open_attempts"),
            last_failure_time=instant(stored.get("last_failure_time")),
            last_failure_type=stored.get("last_failure_type", ""),
            last_error=stored.get("last_error", ""),
            last_probe_at=instant(stored.get("last_probe_at")),
            last_probe_ok=stored.get("last_probe_ok") == "1",
            last_probe_detail=stored.get("last_probe_detail", ""),
            last_probe_proves=stored.get("last_probe_proves", ""),
            failures=whole("failures"),
            stopped_stage=stored.get("stopped_stage", ""),
            stopped_calls=whole("stopped_calls"),
        )

    def at(self, now: datetime) -> str:
        """Return the state to display at `now`: half-open is computed until the supervisor has written it."""
        if self.state == "open" and not self.held and self.open_until and now >= self.open_until:
            return "half_open"
        return self.state


@dataclass(frozen=True)
class Stage:
    """This is where a service's ramp is in the switch. `percent`: 0 is the canary, 100 full speed, None was never told.

    `calls` and `failed` have ended, of those admitted since it began; `out` are under way (counted for a canary only);
    `size` is how many a canary has, `admitted` those of the whole ramp.
    """

    percent: int | None = None
    since: datetime | None = None
    calls: int = 0
    failed: int = 0
    size: int = 0
    held: bool = False
    admitted: int = 0
    out: int = 0

    FIELDS = ("stage", "stage_since", "stage_calls", "stage_failed", "stage_size", "stage_held", "ramp_calls")

    @classmethod
    def from_fields(cls, values: list[str | None]) -> "Stage":
        """Read the gate's FIELDS; what is no stage is none."""
        numbers = [int(value) if value and value.isdecimal() else 0 for value in values]
        stage, since, calls, failed, size, held, admitted = numbers
        if not values[0] or not since:
            return cls()
        return cls(stage, from_us(since), calls, failed, size, bool(held), admitted)

    @property
    def canary(self) -> bool:
        return self.percent == 0

    @property
    def full(self) -> bool:
        return self.percent is None or self.percent >= 100

    @property
    def slots(self) -> int:
        """Return how many calls the canary still admits."""
        return max(0, self.size - self.calls - self.out)


@dataclass(frozen=True)
class GateState:
    """This is what the gate of one service does just now. A permit whose answer was lost counts as in flight for 15
    minutes."""

    service: str
    in_flight: int = 0
    blocked_until: datetime | None = None
    throttled_since: datetime | None = None
    stage: Stage = Stage()


@dataclass(frozen=True)
class SwitchSnapshot:
    """A snapshot holds everything in the switch, read in one round trip; `now` is Redis's clock."""

    now: datetime
    breakers: dict[str, BreakerState]
    queue: dict[str, str]
    pauses: dict[str, dict[str, Any]]
    gates: dict[str, GateState]
    sealed: bool
    run_id: str

    def waits_until(self, service: str) -> datetime | None:
        """Return until when a vendor, or the backoff after its 429, keeps the service's calls away; None when nothing
        does."""
        until = self.gates[service].blocked_until
        return until if until and until > self.now else None


@dataclass(frozen=True)
class Opening:
    """An opening is one CLOSED -> OPEN transition, as it is announced. `stopped_stage` is where a ramp was that it
    stopped, in per cent, after so many calls; '' for none."""

    service: str
    epoch: int
    opened_at: datetime
    failures: int
    reason: str
    failure_type: str
    evidence: list[dict[str, Any]] = field(default_factory=list)
    stopped_stage: str = ""
    stopped_calls: int = 0

    @classmethod
    def from_answer(cls, service: str, answer: list[Any]) -> "Opening":
        """Read what a script returned after `opened`."""
        _, epoch, opened_at, failures, reason, failure_type, evidence, stage, calls = answer
        return cls(
            service,
            int(epoch),
            datetime.fromisoformat(opened_at),
            int(failures),
            reason,
            failure_type,
            evidence_of(evidence),
            str(stage),
            int(calls),
        )
