"""The gate stands just before each paid call: one atomic question, and a permit that ends exactly once."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from circuitbreakers import budget_counters, events, policies, rates, switch
from circuitbreakers.breaker import announce
from circuitbreakers.budget import KnownBudget, micro
from circuitbreakers.budgets import FREE, Charge
from circuitbreakers.policies import policy_of
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import validate
from circuitbreakers.signals import wait_lifted
from circuitbreakers.states import Opening, from_us
from circuitbreakers.storable import storable

logger = logging.getLogger(__name__)

# Nothing reaches a vendor more than a second after the switch: an older permit is asked for again
# (docs/contract.md#timings).
PERMIT_SECONDS = 1.0
# After how many seconds a job asks again that the canary had no room for.
RAMP_WAIT = 1.0
# How often a call asks within one admission: a budget's period may turn while its counter is made.
TRIES = 3


def process_name() -> str:
    """Name this process as evidence, ledger and signs of life do: host:pid. Asked anew, for processes fork."""
    return f"{socket.gethostname()}:{os.getpid()}"


class NotAdmitted(Exception):
    """The gate allows no call now.

    `reason`: paused | open | lost | ramp | rate | seen | unreachable | budget | unbudgeted.

    For a rate, `until` is Redis's instant and `wait` the seconds up to it: clocks differ, a wait does not.
    `unbudgeted`: what a budget has spent is not counted yet. `ramp`: the canary has its calls, and `wait` asks again.
    """

    def __init__(self, service: str, reason: str, until: datetime | None = None, wait: float | None = None) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.reason = reason
        self.until = until
        self.wait = wait


class Seen(NotAdmitted):
    """A call of this very id was admitted before, at `admitted_at`: PostgreSQL has lost a claim that Redis knows."""

    def __init__(self, service: str, admitted_at: datetime) -> None:
        super().__init__(service, "seen")
        self.admitted_at = admitted_at


class NoRoom(NotAdmitted):
    """A budget had no room for the call at an instant of Redis's clock: `needs` is the most that it may have cost, in
    micro-USD."""

    def __init__(self, service: str, charge: Charge, budget: KnownBudget, at: datetime) -> None:
        super().__init__(service, "budget")
        self.budget, self.needs, self.at = budget, charge.most, at


@dataclass
class Permit:
    """A permit is one admitted call. `admitted_at` is Redis's time; a permit is settled once, on every path out."""

    service: str
    call: str
    epoch: str
    admitted_at: datetime
    tokens: int = 0
    charge: Charge = FREE
    settled: bool = False
    asked_at: float = field(default_factory=time.monotonic)
    # Those that it was charged to: they may be others when it is settled, and a correction undoes part of the charge.
    limits: tuple[rates.RateLimit, ...] = ()

    def stale(self) -> bool:
        """Say whether it is too old to be used: ask again before sending."""
        return time.monotonic() - self.asked_at > PERMIT_SECONDS

    def settle(
        self,
        outcome: str,
        message: str = "",
        *,
        retry_after: float | None = None,
        tokens: int = 0,
        cost_usd: Decimal | None = None,
        sent: bool = True,
    ) -> None:
        """Tell the breaker how the call ended: `success` or a failure type (docs/contract.md#outcomes).

        `retry_after` in seconds; `tokens` are those really used, to correct the budget of tokens. `cost_usd` is what
        the call cost, None if nobody knows: then the budgets keep the most that it can have cost. One that was
        certainly not sent is no call of theirs. Once settled, does nothing.
        When Redis does not answer the outcome is lost: nothing is admitted then anyway.
        """
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome of a call: {list(OUTCOMES)}")
        if self.settled:
            return
        self.settled = True
        corrections: list[Any] = []
        for limit in self.limits if tokens else ():
            if limit.name == rates.TOKENS:
                corrections = [limit.name, limit.interval_us, tokens - self.tokens, limit.longest_us(self.tokens)]
        try:
            record(
                self.service,
                outcome,
                message,
                call=self.call,
                epoch=self.epoch,
                retry_after=retry_after,
                corrections=corrections,
                charges=self._charges(cost_usd, sent),
            )
        except switch.RedisUnavailable:
            logger.warning("Outcome of call %s not recorded: Redis does not answer", self.call)

    def _charges(self, cost_usd: Decimal | None, sent: bool) -> list[Any]:
        """Return what record.lua puts right in the budgets: by how much in USD and in calls, and in which counters."""
        if not self.charge.budgets:
            return [0, 0 if sent else -1]
        cost = 0 if not sent else self.charge.most if cost_usd is None else micro(cost_usd)
        counters = [budget.counter(self.admitted_at) for budget in self.charge.budgets]
        return [cost - self.charge.most, 0 if sent else -1, *counters]


def limits_of(service: str) -> tuple[rates.RateLimit, ...]:
    """Return the rate limits of `service` that are in force."""
    return policies.limits_of(service)


def admit(service: str, call: str, *, tokens: int = 0, charge: Charge = FREE) -> Permit:
    """Return a permit for one call, or raise NotAdmitted. `call` is unique to the attempt: job id and fencing number.

    `tokens` is the estimate that is held against the service's token budget, `charge` what its budgets must have room
    for. Raises PostgreSQL's errors where a budget has to be counted anew.
    """
    limits = limits_of(validate(service))
    arguments = [call, *charge.arguments(), *rates.arguments(limits, tokens)]
    try:
        for _ in range(TRIES):
            asked_at = time.monotonic()
            verdict, *rest = switch.run("admit", service, arguments)
            if verdict != "unbudgeted":
                break
            at, sealed_at, *absent = rest
            for which in absent:
                if not budget_counters.make(charge.budgets[int(which) - 1], from_us(at), sealed_at, call):
                    raise NotAdmitted(service, verdict, wait=budget_counters.KNOWN_AFTER)
    except switch.RedisUnavailable:
        raise NotAdmitted(service, "unreachable") from None
    if verdict == "budget":
        raise NoRoom(service, charge, charge.budgets[int(rest[1]) - 1], from_us(rest[0]))
    if verdict == "rate":
        raise NotAdmitted(service, "rate", from_us(rest[0]), float(rest[1]) / 1_000_000)
    if verdict == "ramp":
        raise NotAdmitted(service, "ramp", wait=RAMP_WAIT)
    if verdict == "seen":
        raise Seen(service, from_us(rest[0]))
    if verdict != "admitted":
        raise NotAdmitted(service, verdict)
    return Permit(service, call, rest[0], from_us(rest[1]), tokens, charge, asked_at=asked_at, limits=limits)


@contextmanager
def admitted(service: str, call: str, *, tokens: int = 0, charge: Charge = FREE) -> Iterator[Permit]:
    """Ask for a permit as `admit` does, for a with-block. A block that does not settle its permit, however it ends,
    leaves it as `unknown`."""
    permit = admit(service, call, tokens=tokens, charge=charge)
    try:
        yield permit
    finally:
        permit.settle("unknown")


def record(
    service: str,
    outcome: str,
    message: str = "",
    *,
    call: str = "",
    epoch: str = "",
    retry_after: float | None = None,
    corrections: list[Any] | None = None,
    charges: list[Any] | None = None,
) -> str:
    """Count one outcome in the breaker and, when that opens it, announce it. Returns the script's verdict."""
    policy = policy_of(service)
    answer = switch.run(
        "record",
        service,
        [
            call,
            epoch,
            OUTCOMES[outcome],
            outcome,
            storable(message),
            process_name(),
            policy.failure_threshold,
            policy.reset_timeout_us,
            policy.rate_trip_percent,
            policy.rate_trip_calls,
            policy.rate_trip_window * 1_000_000,
            int((retry_after or 0) * 1_000_000),
            policy.throttle_trip_after * 1_000_000,
            *([len(charges) - 2, *charges] if charges else (0, 0, 0)),
            *(corrections or []),
        ],
    )
    if answer[0] == "opened":
        announce(Opening.from_answer(service, answer))
    return answer[0]


def record_failure(service: str, error: object, failure_type: str) -> str:
    """Record one failure that had no permit. Returns `opened`, `counted`, `ignored`, `stale` (not closed) or `lost`."""
    return record(validate(service), failure_type, str(error))


def record_success(service: str) -> str:
    """Record one success that had no permit: the count of consecutive failures starts again."""
    return record(validate(service), "success")


def should_allow_request(service: str) -> bool:
    """Say whether a call would be admitted now, rate limits aside. A read, for displays; Redis unreachable means no."""
    try:
        snapshot = switch.read_all()
    except switch.RedisUnavailable:
        return False
    closed = snapshot.breakers[validate(service)].state == "closed"
    return closed and snapshot.sealed and snapshot.queue.get(service) == "ACTIVE"


@dataclass(frozen=True)
class Trace:
    """A trace says what Redis knows of a call. `admitted_at` is its time, None if it was not admitted or nobody knows;
    `since`: of a call from before then nobody knows, None when nothing was ever forgotten."""

    admitted_at: datetime | None
    since: datetime | None


def trace(service: str, call: str) -> Trace:
    """Ask Redis what became of a call whose claim was abandoned. Notes what Redis has lost, if any. Raises
    RedisUnavailable."""
    verdict, at = switch.run("trace", service, [call])
    instant = from_us(at) if at else None
    return Trace(None, instant) if verdict == "absent" else Trace(instant, None)


def let_one_through(service: str, call: str, seconds: float) -> str:
    """Let this one call through the system's pause within so many seconds; `granted`, or why not (try_one.lua)."""
    return str(switch.run("try_one", validate(service), [call, int(seconds * 1_000_000)])[0])


def lift_wait(service: str, *, actor: events.Actor, reason: str = "") -> datetime | None:
    """Let calls go out at once although a vendor asked us to wait; until when they would have waited, None: there was
    no wait. Raises UnknownService, RedisUnavailable."""
    verdict, *rest = switch.run("lift_wait", validate(service))
    if verdict == "none":
        return None
    until = from_us(rest[0])
    events.record("breaker", service, "wait_lifted", actor=actor, reason=reason, before={"until": until.isoformat()})
    logger.info("Wait of %s lifted by %s", service, actor.name, extra={"service": service})
    for _, result in wait_lifted.send_robust(sender=None, service=service):
        if isinstance(result, Exception):
            logger.error("A listener failed on the lifted wait of %s: %r", service, result, extra={"service": service})
    return until


def slow_down(service: str, *, wait: float = 0, paces: dict[str, int] | None = None) -> None:
    """Follow a vendor's own headers: nothing goes out for `wait` seconds, and a unit of each limit takes at least so
    many microseconds."""
    pairs = [part for pair in (paces or {}).items() for part in pair]
    switch.run("slow_down", service, [int(wait * 1_000_000), *pairs])
