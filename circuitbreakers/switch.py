"""This is the way to the switch in Redis: one client, the scripts, and reads that never write. Nothing else writes to
it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from circuitbreakers.services import SERVICES, validate
from circuitbreakers.states import (
    BreakerState,
    GateState,
    Opening,
    Stage,
    SwitchSnapshot,
    details,
    evidence_of,
    from_us,
    instant,
)

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

SCRIPTS = Path(__file__).parent / "scripts"
EVERYBODY = SERVICES[0]  # for scripts that concern no single service
BUDGETS = "circuit_budgets"
PERMIT_LIFE = 900  # seconds after which record.lua drops a permit that nobody settled: no call takes that long
LONGEST_WAIT = timedelta(days=1)  # of a wait that does not say how long it was when it was set


class RedisUnavailable(Exception):
    """Redis did not answer, or refused to write. Whatever was asked for may or may not have happened."""

    def __init__(self) -> None:
        super().__init__("Redis connection failed")


@cache
def client() -> redis.Redis:
    """Return the process's client. Short timeouts and no retries: a script whose answer was lost must not run again."""
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
    """Return the script of that name with the common text before it."""
    return client().register_script((SCRIPTS / "common.lua").read_text() + (SCRIPTS / f"{name}.lua").read_text())


def keys(service: str) -> list[str]:
    """Return the fixed keys of every script; see common.lua."""
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
        BUDGETS,
    ]


REFUSES = "refuses to write"


class Availability:
    """This process knows here what is wrong with Redis, empty when nothing is: one log line per change, not per
    refusal."""

    trouble = ""
    _lock = threading.Lock()

    @classmethod
    def failed(cls, trouble: str) -> None:
        """Note that Redis did not do what it was asked."""
        with cls._lock:
            changed, cls.trouble = cls.trouble != trouble, trouble
        if changed:
            logger.error("Redis %s: no call is admitted until it does", trouble)

    @classmethod
    def worked(cls, *, wrote: bool) -> None:
        """Note that Redis answered. A full or read-only one answers reads: only a script ends its refusal."""
        with cls._lock:
            if not cls.trouble or (cls.trouble == REFUSES and not wrote):
                return
            cls.trouble = ""
        logger.info("Redis answers again")


def ask(question: Callable[[], Answer], *, writes: bool = False) -> Answer:
    """Return the answer to one question to Redis; raises RedisUnavailable for every way of not getting one."""
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


def read(service: str) -> BreakerState:
    """Read one breaker as stored."""
    validate(service)
    stored: Any = ask(lambda: client().hgetall(f"circuit_breaker:{service}"))
    return BreakerState.from_hash(service, stored)


def read_opening(state: BreakerState) -> Opening:
    """Read the opening that `state` is in, for whoever finishes another process's announcement."""
    evidence: Any = ask(lambda: client().lrange(f"circuit_failures:{state.service}", 0, -1))
    return Opening(
        state.service,
        state.opening_epoch,
        state.opened_at or from_us(state.opening_epoch),
        state.failures,
        state.reason,
        state.failure_type,
        evidence_of(evidence),
        state.stopped_stage,
        state.stopped_calls,
    )


def read_all() -> SwitchSnapshot:
    """Read the whole switch at one instant (one MULTI)."""
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
        pipe.hmget(f"circuit_gate:{service}", "blocked_until", "blocked_for", "throttled_since", *Stage.FIELDS)
        pipe.zcount(f"circuit_permits:{service}", oldest, "+inf")
    (seconds, micros), queue, pauses, seal, info, *rest = ask(pipe.execute)
    breakers, gates = {}, {}
    now = from_us(int(seconds) * 1_000_000 + int(micros))
    for service, stored, (blocked, wait, throttled, *fields), in_flight in zip(
        SERVICES, rest[::3], rest[1::3], rest[2::3], strict=True
    ):
        breakers[service] = BreakerState.from_hash(service, stored)
        stage = _with_calls_out(service, Stage.from_fields(fields))
        since = from_us(throttled) if throttled else None
        gates[service] = GateState(service, in_flight, _blocked_until(now, blocked, wait), since, stage)
    return SwitchSnapshot(
        now,
        breakers,
        queue,
        {key: details(value) for key, value in pauses.items()},
        gates,
        seal == info["run_id"],
        info["run_id"],
    )


def _with_calls_out(service: str, stage: Stage) -> Stage:
    """Count the canary's calls under way, by a question of its own: nobody else's are counted."""
    if not stage.canary or stage.since is None:
        return stage
    since = round(stage.since.timestamp() * 1_000_000)
    return replace(stage, out=ask(lambda: client().zcount(f"circuit_permits:{service}", since, "+inf")))


def _blocked_until(now: datetime, blocked: str | None, wait: str | None) -> datetime | None:
    """Return the end of a wait as common.lua does: no further off than when it was set, whatever clock wrote it."""
    if not blocked:
        return None
    return min(from_us(blocked), now + timedelta(microseconds=float(wait)) if wait else now + LONGEST_WAIT)


def take_probe_lease(service: str, token: str, seconds: int) -> bool:
    """Say whether the fleet's one probe of `service` is ours now; the lease expires by itself."""
    return bool(ask(lambda: client().set(f"circuit_probe:{service}", token, nx=True, ex=seconds), writes=True))


def probe_lease_left(service: str) -> int:
    """Return the seconds after which another probe of `service` may be made at the latest; 0: now."""
    return max(0, int(ask(lambda: client().ttl(f"circuit_probe:{service}"))))


def calls_remembered(service: str, since: datetime, until: datetime) -> dict[str, datetime]:
    """Read which calls Redis remembers that were admitted between these instants, and when each was; under way or not.
    One that was not sent is none."""
    first, last = (int(instant.timestamp() * 1_000_000) for instant in (since, until))
    pipe = client().pipeline(transaction=True)
    for key in (f"circuit_permits:{service}", f"circuit_settled:{service}"):
        pipe.zrangebyscore(key, first, f"({last}", withscores=True)
    return {call: from_us(at) for found in ask(pipe.execute) for call, at in found}


def budget_counters() -> tuple[datetime, dict[str, str]]:
    """Read Redis's clock and the hash of what budgets have counted, at one instant."""
    pipe = client().pipeline(transaction=True)
    pipe.time()
    pipe.hgetall(BUDGETS)
    (seconds, micros), counted = ask(pipe.execute)
    return from_us(int(seconds) * 1_000_000 + int(micros)), counted


def drop_budget_counters(fields: Sequence[str]) -> None:
    """Forget counters that nobody asks for; one that is asked for again is made anew from the books."""
    if fields:
        ask(lambda: client().hdel(BUDGETS, *fields), writes=True)


def sealed_at() -> datetime | None:
    """Return the instant since when Redis remembers without a gap: older calls may be forgotten.

    None while it is not sealed.
    """
    at: Any = ask(lambda: client().hget("switch_seal", "at"))
    return instant(at)
