"""The way to the switch in Redis: one client, the scripts, and reads that never write."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from circuitbreakers.services import SERVICES, validate

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

SCRIPTS = Path(__file__).parent / "scripts"
EVERYBODY = SERVICES[0]  # for scripts that concern no single service
PERMIT_LIFE = 900  # seconds after which record.lua drops a permit that nobody settled: no call takes that long
LONGEST_WAIT = timedelta(days=1)  # of a wait that does not say how long it was when it was set
LARGEST = 2**63 - 1  # what a bigint column holds


class RedisUnavailable(Exception):
    """Redis did not answer, or refused to write. Whatever was asked for may or may not have happened."""

    def __init__(self) -> None:
        super().__init__("Redis connection failed")


@cache
def client() -> redis.Redis:
    """The process's client. Short timeouts and no retries: a script whose answer was lost must not run again."""
    return redis.Redis.from_url(
        settings.REDIS_SWITCH_URL,
        decode_responses=True,
        encoding_errors="replace",  # what somebody typed in another encoding is still read
        socket_connect_timeout=settings.REDIS_TIMEOUT,
        socket_timeout=settings.REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


@cache
def script(name: str) -> Script:
    """The script of that name with the common text before it."""
    return client().register_script((SCRIPTS / "common.lua").read_text() + (SCRIPTS / f"{name}.lua").read_text())


def keys(service: str) -> list[str]:
    """The fixed keys of every script; see common.lua."""
    return [
        f"circuit_breaker:{service}",
        "queue_status",
        "queue_pauses",
        f"circuit_permits:{service}",
        f"circuit_settled:{service}",
        f"circuit_gate:{service}",
        f"circuit_failures:{service}",
        "switch_seal",
        f"circuit_probe:{service}",
        *(f"circuit_breaker:{name}" for name in SERVICES),
    ]


REFUSES = "refuses to write"


class Availability:
    """What is wrong with Redis, empty when nothing is: one log line per change, not per refusal."""

    trouble = ""
    _lock = threading.Lock()

    @classmethod
    def failed(cls, trouble: str) -> None:
        """Redis did not do what it was asked."""
        with cls._lock:
            changed, cls.trouble = cls.trouble != trouble, trouble
        if changed:
            logger.error("Redis %s: no call is admitted until it does", trouble)

    @classmethod
    def worked(cls, *, wrote: bool) -> None:
        """Redis answered. A full or read-only one answers reads: only a script ends its refusal."""
        with cls._lock:
            if not cls.trouble or (cls.trouble == REFUSES and not wrote):
                return
            cls.trouble = ""
        logger.info("Redis answers again")


def ask(question: Callable[[], Answer], *, writes: bool = False) -> Answer:
    """The answer to one question to Redis; raises RedisUnavailable for every way of not getting one."""
    try:
        answer = question()
    except (redis.RedisError, OSError) as error:
        Availability.failed(REFUSES if isinstance(error, redis.ResponseError) else "does not answer")
        raise RedisUnavailable from None
    Availability.worked(wrote=writes)
    return answer


def run(name: str, service: str, args: Sequence[Any] = ()) -> list[Any]:
    """Run one script for `service`; its answer is a list that begins with a word."""
    arguments = [",".join(SERVICES), service, *args]
    return ask(lambda: script(name)(keys=keys(service), args=arguments), writes=True)


def instant(text: str | None) -> datetime | None:
    """An ISO 8601 instant from a hash; None when it is empty or something else."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    # One typed by hand without its offset is UTC: it must compare with the others.
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def details(text: str) -> dict[str, Any]:
    """What a field of `queue_pauses` says; any other text is taken for the cause."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"cause": text}


def evidence_of(rows: list[str]) -> list[dict[str, Any]]:
    """The last failures, as `circuit_failures` holds them; any other text is taken for the error."""
    found = []
    for text in rows:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        found.append(row if isinstance(row, dict) else {"error": text})
    return found


def from_us(microseconds: str | float) -> datetime:
    """Redis's microseconds since 1970 as an instant."""
    seconds, micros = divmod(int(float(microseconds)), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


@dataclass(frozen=True)
class BreakerState:
    """One breaker as it is stored. `state` is `lost` when the hash is missing: nothing is admitted then."""

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

    @classmethod
    def from_hash(cls, service: str, stored: dict[str, str]) -> "BreakerState":
        """Tolerates unknown and missing fields: an operator may have typed into the hash."""
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
        )

    def at(self, now: datetime) -> str:
        """The state to display at `now`: half-open is computed until the supervisor has written it."""
        if self.state == "open" and not self.held and self.open_until and now >= self.open_until:
            return "half_open"
        return self.state


@dataclass(frozen=True)
class GateState:
    """What the gate of one service does just now. A permit whose answer was lost counts as in flight for 15 minutes."""

    service: str
    in_flight: int = 0
    blocked_until: datetime | None = None
    throttled_since: datetime | None = None


@dataclass(frozen=True)
class SwitchSnapshot:
    """Everything in the switch, read in one round trip; `now` is Redis's clock."""

    now: datetime
    breakers: dict[str, BreakerState]
    queue: dict[str, str]
    pauses: dict[str, dict[str, Any]]
    gates: dict[str, GateState]
    sealed: bool
    run_id: str

    def waits_until(self, service: str) -> datetime | None:
        """Until when a vendor, or the backoff after its 429, keeps the service's calls away; None when nothing does."""
        until = self.gates[service].blocked_until
        return until if until and until > self.now else None


@dataclass(frozen=True)
class Opening:
    """One CLOSED -> OPEN transition, as it is announced."""

    service: str
    epoch: int
    opened_at: datetime
    failures: int
    reason: str
    failure_type: str
    evidence: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_answer(cls, service: str, answer: list[Any]) -> "Opening":
        """From what a script returned after `opened`."""
        _, epoch, opened_at, failures, reason, failure_type, evidence = answer
        return cls(
            service,
            int(epoch),
            datetime.fromisoformat(opened_at),
            int(failures),
            reason,
            failure_type,
            evidence_of(evidence),
        )


def read(service: str) -> BreakerState:
    """One breaker as stored."""
    validate(service)
    stored: Any = ask(lambda: client().hgetall(f"circuit_breaker:{service}"))
    return BreakerState.from_hash(service, stored)


def read_opening(state: BreakerState) -> Opening:
    """The opening that `state` is in, for whoever finishes another process's announcement."""
    evidence: Any = ask(lambda: client().lrange(f"circuit_failures:{state.service}", 0, -1))
    return Opening(
        state.service,
        state.opening_epoch,
        state.opened_at or from_us(state.opening_epoch),
        state.failures,
        state.reason,
        state.failure_type,
        evidence_of(evidence),
    )


def read_all() -> SwitchSnapshot:
    """The whole switch at one instant (one MULTI)."""
    # Redis's clock is only known with the answer; against a quarter of an hour ours is good enough.
    oldest = (time.time() - PERMIT_LIFE) * 1_000_000
    pipe = client().pipeline(transaction=True)
    pipe.time()
    pipe.hgetall("queue_status")
    pipe.hgetall("queue_pauses")
    pipe.hget("switch_seal", "run_id")
    pipe.info("server")
    for service in SERVICES:
        pipe.hgetall(f"circuit_breaker:{service}")
        pipe.hmget(f"circuit_gate:{service}", "blocked_until", "blocked_for", "throttled_since")
        pipe.zcount(f"circuit_permits:{service}", oldest, "+inf")
    (seconds, micros), queue, pauses, seal, info, *rest = ask(pipe.execute)
    breakers, gates = {}, {}
    now = from_us(int(seconds) * 1_000_000 + int(micros))
    for service, stored, (blocked, wait, throttled), in_flight in zip(
        SERVICES, rest[::3], rest[1::3], rest[2::3], strict=True
    ):
        breakers[service] = BreakerState.from_hash(service, stored)
        gates[service] = GateState(
            service, in_flight, _blocked_until(now, blocked, wait), from_us(throttled) if throttled else None
        )
    return SwitchSnapshot(
        now,
        breakers,
        queue,
        {key: details(value) for key, value in pauses.items()},
        gates,
        seal == info["run_id"],
        info["run_id"],
    )


def _blocked_until(now: datetime, blocked: str | None, wait: str | None) -> datetime | None:
    """As common.lua's: no further off than it was when it was set, whatever clock wrote it."""
    if not blocked:
        return None
    return min(from_us(blocked), now + timedelta(microseconds=float(wait)) if wait else now + LONGEST_WAIT)


def take_probe_lease(service: str, token: str, seconds: int) -> bool:
    """Whether the fleet's one probe of `service` is ours; the lease expires by itself."""
    return bool(ask(lambda: client().set(f"circuit_probe:{service}", token, nx=True, ex=seconds), writes=True))


def sealed_at() -> datetime | None:
    """Since when Redis remembers without a gap: calls from before may be forgotten. None while it is not sealed."""
    at: Any = ask(lambda: client().hget("switch_seal", "at"))
    return instant(at)
