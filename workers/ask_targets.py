"""Instantly is asked whether it sends, by the supervisor, for each target of an unfinished campaign: free calls beside
the loop, one at a time, also while everything is paused. They pass no gate, and no breaker counts them."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import DatabaseError

from campaigns import targets
from campaigns.target_halts import PlanRoom, halt_of
from circuitbreakers import breaker, events, switch
from integrations import instantly, instantly_outcomes
from integrations.errors import FailureType, VendorError

logger = logging.getLogger(__name__)

# After a failure Instantly is not asked again for so long (seconds), that target for longer: the next pass begins with
# another one, lest a single target that cannot be read keep all others from being asked.
REST = 60.0
TARGET_REST = 120.0
FORBIDDEN = 403
ALL, PLAN = "", "plan"
EXTRA = {"service": instantly.SERVICE}


class Asker:
    """The asker asks about the targets that are due, on one thread at a time."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.rests: dict[str, float] = {}  # target -> until when, by time.monotonic; ALL is Instantly as a whole
        self.told: set[str] = set()  # what has failed and been logged, until it is well again

    def ask_due(self, start: Callable[[Callable[[], object]], None]) -> int:
        """Have the due targets asked by `start`, which must not wait for it; how many are due. Raises
        RedisUnavailable."""
        if self.rests.get(ALL, 0.0) > time.monotonic() or self.busy.locked():
            return 0
        asked = self._due()
        # A wish of Instantly's to be left alone holds for free calls, too.
        if not asked or switch.read_all().waits_until(instantly.SERVICE) or not self.busy.acquire(blocking=False):
            return 0
        try:
            start(self._ask_all)
        except RuntimeError:  # no thread could be started
            self.busy.release()
            raise
        return len(asked)

    def _due(self) -> list[str]:
        now = time.monotonic()
        self.rests = {target: until for target, until in self.rests.items() if until > now}
        return [target for target in targets.due() if target not in self.rests]

    def _ask_all(self) -> None:
        try:
            plan: PlanRoom | None = None
            # Asked anew: on this thread, by its own connection.
            for target in self._due():
                plan = plan or self._plan()
                if not self._ask(target, plan):
                    return
        except DatabaseError as error:
            self.rests[ALL] = time.monotonic() + REST
            logger.warning("Targets not asked to the end: %s", error)
        finally:
            self.busy.release()

    def _ask(self, target: str, plan: PlanRoom) -> bool:
        """Ask about one target and note the answer; False when it makes no sense to ask about the next one."""
        asked_at = targets.clock()
        try:
            status = instantly_outcomes.sending_status(target)
        except VendorError as error:
            # A target that is not there is its own trouble; anything else, the next one would meet too.
            alone = error.failure_type == FailureType.INVALID_REQUEST
            self.rests[target] = time.monotonic() + TARGET_REST
            if not alone:
                self.rests[ALL] = time.monotonic() + REST
            if self._is_news(target if alone else ALL):
                logger.warning("Target %s cannot be read: %s", target, error.message, extra=EXTRA)
            return alone
        self.told -= {target, ALL}
        targets.note(target, lambda before: halt_of(status.status, status.code, plan, before), asked_at=asked_at)
        return True

    def _plan(self) -> PlanRoom:
        try:
            plan = PlanRoom(instantly_outcomes.plan_room())
        except VendorError as error:
            # The key need not have that scope: then the plan is as unknown as if the vendor did not say.
            forbidden = error.http_status == FORBIDDEN
            if self._is_news(PLAN):
                logger.warning("The plan at Instantly cannot be read: %s", error.message, extra=EXTRA)
            return PlanRoom(None, readable=forbidden)
        self.told.discard(PLAN)
        return plan

    def _is_news(self, what: str) -> bool:
        """Say whether this failure has not been logged since it was well last; it counts as logged."""
        news = what not in self.told
        self.told.add(what)
        return news


def stop_if_all_refuse() -> int:
    """Hold Instantly's breaker open once the targets of all running campaigns refuse for the whole account's sake; 1 if
    it did. Raises RedisUnavailable.

    A hold, as an operator's: the free probe would succeed, and must not tell anybody that all is well.
    """
    reason = targets.refusal()
    return int(bool(reason) and breaker.hold(instantly.SERVICE, actor=events.SUPERVISOR, reason=reason))
