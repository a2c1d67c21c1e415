"""The loop that finishes what anyone left unfinished. Any number may run; an advisory lock picks one that works."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import psycopg
from django.db import DatabaseError, connection

from campaigns import align, cascade, feed, finish, tallies
from campaigns.wake import CHANNEL
from circuitbreakers import breaker, probes, rebuild, switch
from circuitbreakers.policy import policy_of
from workers import dispatch, liveness, reclaim

logger = logging.getLogger(__name__)

# Any fixed number that is not the switch lock's.
LEADER_LOCK = 0x5017C5
# A round begins at least this often, and at most so often however many wake-ups come (seconds).
ROUND = 1.0
LEAST = 0.05
# A leader that is frozen or cut off is disconnected by the server after this long, and loses the lock.
SESSION_TIMEOUTS = (
    "-c idle_session_timeout=10s -c idle_in_transaction_session_timeout=10s "
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10s"
)
# What of a connection's parameters is for Django's queries; all else (addresses, TLS) says how to get there.
DJANGOS_OWN = ("cursor_factory", "row_factory", "context", "prepare_threshold", "autocommit")


@dataclass
class Step:
    """One thing to finish: a function that says how much it found, and how often it is asked (seconds)."""

    name: str
    run: Callable[[], int]
    every: float = 0.0
    last: float = field(default=-1e9)

    def due(self, now: float) -> bool:
        return now - self.last >= self.every


def in_background(task: Callable[[], object]) -> None:
    """Run a probe beside the loop: a vendor that does not answer must not hold up a cascade."""

    def run() -> None:
        try:
            task()
        except (probes.ProbeRunning, switch.RedisUnavailable, DatabaseError) as error:
            logger.info("Probe not finished: %s", error)
        finally:
            connection.close()

    threading.Thread(target=run, name="probe", daemon=True).start()


def half_open(start: Callable[[Callable[[], object]], None] = in_background) -> int:
    """OPEN breakers whose wait is over become HALF_OPEN and are probed, one at a time in the fleet; how many probes."""
    snapshot = switch.read_all()
    started = 0
    for state in snapshot.breakers.values():
        service = state.service
        begun = state.state == "open" and breaker.half_open(service)
        if begun or (state.state == "half_open" and _probe_due(state, snapshot.now)):
            start(partial(probes.probe, service))
            started += 1
    return started


def _probe_due(state: switch.BreakerState, now: datetime) -> bool:
    """A half-open breaker is probed when it becomes so, and again as often as its reset timeout says."""
    if state.last_probe_at is None:
        return True
    return (now - state.last_probe_at).total_seconds() >= policy_of(state.service).reset_timeout


def steps() -> list[Step]:
    """What a round does, in this order: first what keeps the switch true, then what spreads it, then work."""
    return [
        Step("compare the stores", rebuild.compare, every=1.0),
        Step("pause what still runs", cascade.finish_cascades),
        Step("align jobs", align.align_jobs),
        Step("reclaim dead leases", reclaim.reclaim, every=1.0),
        Step("feed leads", feed.feed),
        Step("dispatch", dispatch.dispatch),
        Step("finish campaigns", finish.finish_campaigns, every=0.5),
        Step("fold tallies", tallies.fold, every=10.0),
        Step("half-open and probes", half_open, every=1.0),
        Step("mend leads", feed.mend_leads, every=60.0),
        Step("forget dead processes", liveness.forget_dead, every=3600.0),
    ]


def run_round(todo: list[Step], now: float) -> int:
    """Every step that is due; how much they found. A step that fails is logged and does not stop the others."""
    found = 0
    for step in todo:
        if not step.due(now):
            continue
        step.last = now
        try:
            found += step.run()
        except switch.RedisUnavailable:
            continue  # logged once by the switch; the next round asks again
        except DatabaseError as error:
            logger.error("Step '%s' failed: %s", step.name, error, extra={"step": step.name})
            connection.close()
        except Exception:
            # One broken step must not stop the others' work.
            logger.exception("Step '%s' failed", step.name, extra={"step": step.name})
    return found


class Leadership:
    """The advisory lock, on a connection of its own: a pooled one would change between rounds or lock itself out."""

    def __init__(self) -> None:
        self.session: psycopg.Connection | None = None

    def held(self) -> bool:
        """Whether this process leads, tried anew if it does not. Any doubt means no."""
        try:
            if self.session is None or self.session.closed:
                self.session = connect()
                # After a cut, the old session's lock may stand for some seconds yet.
                row = self.session.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
                if row and row[0]:
                    self.session.execute(f"LISTEN {CHANNEL}")
                    logger.info("This supervisor leads")
                    return True
                self.session.close()
                return False
            self.session.execute("SELECT 1")
        except psycopg.Error as error:
            logger.warning("Leadership lost: %s", type(error).__name__)
            self.give_up()
            return False
        return True

    def wait(self, seconds: float) -> None:
        """Until somebody wakes us, at most so long; a burst of wake-ups counts as one."""
        if self.session is None or self.session.closed:
            time.sleep(seconds)
            return
        try:
            for _ in self.session.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self.give_up()

    def give_up(self) -> None:
        if self.session is not None:
            self.session.close()
        self.session = None


def connect() -> psycopg.Connection:
    """A session for the lock alone, which the server ends when we fall silent."""
    params = {key: value for key, value in connection.get_connection_params().items() if key not in DJANGOS_OWN}
    params["options"] = f"{params.get('options', '')} {SESSION_TIMEOUTS}".strip()  # the server takes the last of a name
    return psycopg.connect(**params, autocommit=True)


def supervise(stopping: Callable[[], bool]) -> None:
    """Rounds until told to stop. A process that does not lead only signs, and waits for its turn."""
    leadership, todo = Leadership(), steps()
    while not stopping():
        leads = leadership.held()
        try:
            liveness.sign("supervisor", leading=leads)
        except DatabaseError:
            connection.close()
            leads = False
        started = time.monotonic()
        if leads:
            run_round(todo, started)
        leadership.wait(ROUND if leads else 2.0)
        if (spent := time.monotonic() - started) < LEAST:
            time.sleep(LEAST - spent)
    leadership.give_up()
    liveness.sign_off()
