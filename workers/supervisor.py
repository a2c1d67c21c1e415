"""The supervisor finishes, in a loop, what anyone left unfinished. Any number may run; an advisory lock picks one that
works."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone
from psycopg.errors import QueryCanceled

from campaigns import apply_outcomes, bounce_guard, cancelled, cascade, feed, finish, jobs, reminders, tallies
from circuitbreakers import breaker, budget_halts, planned, postgresql, probes, ramp_verbs, rebuild, switch
from circuitbreakers.policies import policy_of
from circuitbreakers.states import BreakerState
from notifications import outbox
from telemetry import counters
from workers import ask_instantly, ask_outlooks, dispatch, liveness, reclaim, telling
from workers.ask_targets import Asker, stop_if_all_refuse
from workers.leadership import Leadership
from workers.lost_calls import Finder

logger = logging.getLogger(__name__)

# A round begins at least this often, and at most so often however many wake-ups come (seconds).
ROUND = 1.0
LEAST = 0.05
# While no campaign is under way nothing can be called, and whatever begins one wakes us.
QUIET = 2.0
UNDER_WAY = "SELECT EXISTS (SELECT FROM campaigns WHERE status IN ('RUNNING', 'PAUSED'))"
# After a round that found work the next one comes so soon, woken or not.
SOON = 0.1
# Seconds that one statement of a step may take; of a step that must get through, and less than the leader's timeout.
LIMIT, LONGEST = 2.0, 8.0
# A step that took longer is named; unless it is urgent, it rests that many times as long, at most so long (seconds).
OVERRUN, REST, LONGEST_REST = 1.0, 10, 600.0


@dataclass
class Step:
    """A step finishes one thing: it is a function that says how much it found, and how often it is asked (seconds).

    None of its statements may take longer than `limit` seconds. An `urgent` step is asked again in the next round
    whatever came of it; any other rests after it has held up the round, the longer the more often it was cut off.
    """

    name: str
    run: Callable[[], int]
    every: float = 0.0
    limit: float = LIMIT
    urgent: bool = False
    last: float = field(default=-1e9)
    rest: float = 0.0
    seconds: float = 0.0
    overruns: int = 0
    cuts: int = 0  # in a row
    overrun: dict[str, Any] = field(default_factory=dict)

    def due(self, now: float) -> bool:
        return now - self.last >= max(self.every, self.rest)

    def took(self, seconds: float, *, cut_off: bool) -> None:
        """Remember how long it took; name it in the log, and let it rest, if that was too long for the others."""
        self.seconds, self.rest = seconds, 0.0
        self.cuts = self.cuts + 1 if cut_off else 0
        if not cut_off and seconds <= OVERRUN:
            return
        self.overruns += 1
        self.overrun = {"at": timezone.now().isoformat(), "seconds": round(seconds, 3), "cut_off": cut_off}
        if not self.urgent:
            self.rest = min(LONGEST_REST, REST * max(seconds, OVERRUN) * 2 ** max(0, min(self.cuts, 10) - 1))
        how = f"was cut off after {seconds:.1f} s" if cut_off else f"took {seconds:.1f} s"
        logger.warning("Step '%s' %s; it rests for %.0f s", self.name, how, self.rest, extra={"step": self.name})


def in_background(task: Callable[[], object], what: str = "Probe") -> None:
    """Run what asks a vendor beside the loop: one that does not answer must not hold up a cascade."""

    def run() -> None:
        try:
            task()
        except (probes.ProbeRunning, switch.RedisUnavailable, DatabaseError) as error:
            logger.info("%s not finished: %s", what, error)
        finally:
            connection.close()

    threading.Thread(target=run, name=what.lower(), daemon=True).start()


def half_open(start: Callable[[Callable[[], object]], None] = in_background) -> int:
    """Half-open the OPEN breakers whose wait is over, and probe them, one at a time in the fleet; how many probes."""
    snapshot = switch.read_all()
    started = 0
    for state in snapshot.breakers.values():
        service = state.service
        begun = state.state == "open" and breaker.half_open(service)
        if begun or (state.state == "half_open" and _probe_due(state, snapshot.now)):
            start(partial(probes.probe, service))
            started += 1
    return started


def _probe_due(state: BreakerState, now: datetime) -> bool:
    """Say whether a half-open breaker is to be probed: when it becomes so, and again as often as its reset timeout
    says."""
    if state.last_probe_at is None:
        return True
    return (now - state.last_probe_at).total_seconds() >= policy_of(state.service).reset_timeout


def steps(begin: Callable[..., None] = in_background) -> list[Step]:
    """List what a round does, in this order: first what keeps the switch true, then what spreads it, then work. What
    asks a vendor is begun by `begin`, which must not wait for it.

    A statement that moves a whole batch has more time: cut off each time, it would never get anywhere.
    """
    return [
        Step("compare the stores", rebuild.compare, every=1.0, limit=LONGEST, urgent=True),
        Step("begin planned pauses", planned.begin_due, every=1.0, urgent=True),
        Step("pause what still runs", cascade.pause_stragglers, limit=LONGEST, urgent=True),
        Step("end cancelled campaigns", cancelled.end_cancelled, every=0.5, limit=LONGEST, urgent=True),
        Step("step the ramps", partial(ramp_verbs.step, jobs.deadline), every=1.0, urgent=True),
        Step("reclaim dead leases", reclaim.reclaim, every=1.0, limit=LONGEST, urgent=True),
        # Before anything is sent: who opted out a second ago is not written to. Whatever is paused, this is not.
        Step("apply outcomes", apply_outcomes.apply, every=0.1, limit=LONGEST, urgent=True),
        Step("watch budgets", budget_halts.watch, every=1.0),
        Step("tell", partial(telling.Teller().tell_due, begin), every=0.5),
        Step("feed leads", feed.feed, every=0.2, limit=LONGEST),
        Step("dispatch", dispatch.dispatch, limit=LONGEST, urgent=True),
        Step("finish campaigns", finish.finish_campaigns, every=0.5),
        Step("fold tallies", tallies.fold, every=10.0, limit=LONGEST),
        Step("half-open and probes", partial(half_open, begin), every=1.0),
        Step("ask Instantly", partial(ask_instantly.start, partial(begin, what="Reconciliation")), every=60.0),
        Step("ask the targets", partial(Asker().ask_due, begin), every=5.0),
        Step("stop if all targets refuse", stop_if_all_refuse, every=5.0),
        Step(
            "ask for outlooks",
            partial(ask_outlooks.start, partial(begin, what="Outlook")),
            every=ask_outlooks.EVERY,
        ),
        Step("bounce guard", bounce_guard.pause_bouncing, every=60.0),
        Step("remind", reminders.remind, every=5.0),
        Step("mend leads", feed.mend_leads, every=10.0),
        Step("book lost calls", Finder().find, every=2.0),
        Step("watch what lasts", telling.watch, every=5.0),
        Step("sweep the outbox", outbox.sweep, every=5.0),
        Step("look at the books", partial(telling.Books().look, begin), every=60.0),
        Step("forget old budgets", budget_halts.forget_old, every=3600.0),
        Step("forget dead processes", liveness.forget_dead, every=3600.0),
    ]


@counters.ROUND_SECONDS.time()
def run_round(todo: list[Step], now: float, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Run every step that is due; how much they found. A step that fails is logged and does not stop the others; the
    round ends when PostgreSQL is away, or when `goes_on`, asked before each step, says so."""
    total, limit = 0, 0.0
    for step in todo:
        if not step.due(now):
            continue
        if not goes_on():
            break
        step.last = now
        started, cut_off = time.monotonic(), False
        try:
            if limit != step.limit:
                limit_statements(step.limit)
                limit = step.limit
            with counters.STEP_FAILURES.labels(step.name).count_exceptions():
                total += step.run()
        except switch.RedisUnavailable:
            pass  # logged once by the switch; the next round asks again
        except DatabaseError as error:
            connection.close()
            limit = 0.0  # the next session has none
            cut_off = postgresql.sqlstate(error) == QueryCanceled.sqlstate
            if not cut_off:
                logger.error("Step '%s' failed: %s", step.name, error, extra={"step": step.name})
            if postgresql.server_away(error):
                return total
        except Exception:
            # One broken step must not stop the others' work.
            logger.exception("Step '%s' failed", step.name, extra={"step": step.name})
        step.took(time.monotonic() - started, cut_off=cut_off)
    if limit:
        with contextlib.suppress(DatabaseError):
            limit_statements(0)
    return total


def limit_statements(seconds: float) -> None:
    """Let the server end a statement of this process that takes longer; 0: never."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(round(seconds * 1000))])


def report(todo: list[Step]) -> dict[str, dict[str, Any]]:
    """Say how long each step took last, how often one took too long, and when that was last, for `Process.steps`."""
    return {
        step.name: {"seconds": round(step.seconds, 3), "overruns": step.overruns, "overrun": step.overrun}
        for step in todo
    }


class Watch:
    """Signs for this supervisor and keeps its leadership, also in the middle of a long round."""

    def __init__(self, todo: list[Step]) -> None:
        self.leadership, self.todo = Leadership(), todo
        self.signed, self.led = -1e9, False

    def leads(self) -> bool:
        """Sign, and say whether this process leads."""
        self.led, self.signed = self.leadership.held(), time.monotonic()
        try:
            liveness.sign("supervisor", leading=self.led, steps=report(self.todo))
        except DatabaseError as error:
            logger.warning("Sign of life not written: %s", error)
            connection.close()
            self.led = False
            return False
        postgresql.Availability.answered(wrote=True)
        return self.led

    def still_leads(self) -> bool:
        """Say whether this process leads, of which a sign of a moment ago is proof enough: a lock's session that is
        silent for ten seconds is ended, and one whose session is gone looks at once."""
        fresh = self.led and self.leadership.session is not None
        return (fresh and time.monotonic() - self.signed < liveness.INTERVAL) or self.leads()


def under_way() -> bool:
    """Say whether any campaign has begun and not ended; yes where that cannot be told."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(UNDER_WAY)
            return bool(cursor.fetchone()[0])
    except DatabaseError:
        connection.close()
        return True


def supervise(stopping: Callable[[], bool]) -> None:
    """Run rounds until told to stop. A process that does not lead only signs, and waits for its turn."""
    todo = steps()
    watch = Watch(todo)
    while not stopping():
        leads = watch.still_leads()
        started = time.monotonic()
        busy = leads and run_round(todo, started, watch.still_leads) > 0
        watch.leadership.wait(SOON if busy else ROUND if leads and under_way() else QUIET)
        if (spent := time.monotonic() - started) < LEAST:
            time.sleep(LEAST - spent)
    watch.leadership.give_up()
    liveness.sign_off()
