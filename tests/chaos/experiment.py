"""An experiment draws faults from the table by a seeded choice; an operator recovers, then the books are held against
the bill."""

import contextlib
import csv
import os
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tests.chaos.attribution import attributed
from tests.chaos.faults import Fault, table
from tests.chaos.faults.vendors import LATENCY, VENDORS, ill
from tests.chaos.house import Books, House, operators
from tests.chaos.invariants import ALWAYS, AT_REST, Invariant

# Seconds: until an operator has everything back, until work goes on after that, until all campaigns have ended.
TO_RECOVER, TO_GO_ON, TO_REST = 120, 120, 420
UNRESET = "SELECT DISTINCT service FROM incidents WHERE reset_at IS NULL"
# What an operator would see as not back to normal.
SHUT = """
SELECT (SELECT count(*) FROM incidents WHERE reset_at IS NULL)
+ (SELECT count(*) FROM queue_pauses WHERE ended_at IS NULL)
+ (SELECT count(*) FROM campaigns WHERE status = 'PAUSED') + (SELECT count(*) FROM ramps WHERE ended_at IS NULL)
"""
PAUSED_AFTER = """
SELECT extract(epoch FROM max(e.at - i.opened_at)) FROM incidents i JOIN events e ON e.incident_id = i.id
WHERE i.opened_at >= to_timestamp(%s) AND e.subject_type = 'campaign' AND e.verb = 'paused'
"""


@dataclass
class Injected:
    """One injection: when it began and was over (epoch seconds), how long after an opening the last campaign was
    paused, and how long after its end work went on."""

    fault: str
    began: float
    ended: float
    pause: float | None = None
    recover: float | None = None
    flagged: int = 0
    twice: int = 0
    lost: int = 0


class Experiment:
    """An experiment on a started house. Its `violations` name the invariant, what contradicts it, and what was done
    just before."""

    def __init__(self, house: House, seed: int, say: Callable[[str], None] = print) -> None:
        self.house, self.seed, self.say = house, seed, say
        self.chance = random.Random(seed)
        self.books = Books(house)
        self.operators = operators(house)
        self.ann, self.bob = self.operators
        self.done: list[Injected] = []
        self.violations: list[dict[str, Any]] = []
        self.frozen: set[str] = set()
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.people, self.files = 0, 0
        # A campaign of `batch` leads is started when fewer than `stock` are open.
        self.stock, self.batch = 250, 400
        # At most so many in a row, of a fault that is over at once.
        self.pricks = 10
        for service in VENDORS:
            self.books.control(service, LATENCY)

    # --- the course ---------------------------------------------------------------------------------------------------

    def run(self, most: int, seconds: float, faults: list[Fault] | None = None) -> None:
        """Inject at most so many faults, drawn from all or from these, for at most so long; then come to rest."""
        drawn = faults or list(table().values())
        until = time.monotonic() + seconds
        rounds = 0
        while len(self.done) < most and time.monotonic() < until:
            self.thaw_due()
            self.round(self.chance.choices(drawn, [one.weight for one in drawn])[0])
            rounds += 1
            if rounds % 20 == 0:
                self.hold_against(ALWAYS)

    def each(self, faults: list[Fault]) -> None:
        """Inject each of these faults, in an order that the seed gives."""
        for fault in self.chance.sample(faults, len(faults)):
            self.round(fault)

    def round(self, fault: Fault) -> None:
        """Inject one fault (a prick several times), recover, and see that work goes on."""
        if self.open_leads() < self.stock:
            self.restock(self.batch)
        epoch, began = self.incidents(), time.time()
        injected: list[Injected] = []
        for _ in range(min(fault.times, self.pricks)):
            one = Injected(fault.name, time.time(), 0)
            if self.acted(fault):
                injected.append(one)
            one.ended = time.time()
            if fault.times > 1:
                time.sleep(self.chance.uniform(0.05, 0.6))
        mended = time.time()
        self.done += injected
        recovered = self.recover(fault)
        went_on = self.goes_on(mended) if recovered else None
        if injected:
            injected[-1].recover = went_on
            if self.incidents() > epoch:
                injected[-1].pause = self.paused_after(began)
        last = injected[-1] if injected else Injected(fault.name, began, mended)
        self.say(
            f"{len(self.done):5} {fault.name} x {len(injected)}: {mended - began:.1f} s, paused {last.pause}, "
            f"went on {last.recover}"
        )

    def acted(self, fault: Fault) -> bool:
        """Do it; False when nothing was there to be hit. An error of the suite's own ends no run, and is shown."""
        try:
            return fault.act(self, self.chance) is not False
        except Exception:  # noqa: BLE001 (whatever it is, it is shown)
            self.violate("the suite does what it says", [traceback.format_exc()[-600:]])
            return False

    def rest(self) -> None:
        """Have everything end, then hold the books against the sandbox's bill."""
        for wire in self.house.wires.values():
            wire.thaw()
        for service in VENDORS:
            self.books.control(service, {"latency_ms": 20})
        until = time.monotonic() + TO_REST
        while self.books.value("SELECT count(*) FROM campaigns WHERE finished_at IS NULL"):
            self.thaw_due()
            self.recover(None)
            for (pk,) in self.books.rows("SELECT id FROM campaigns WHERE status = 'CREATED'"):
                self.ann.act(f"campaigns/{pk}/start", reason="chaos")
            if time.monotonic() > until:
                break
            time.sleep(1)
        while self.due:
            self.thaw_due()
            time.sleep(0.5)
        self.hold_against(AT_REST)
        attributed(self.books, self.done)

    def hold_against(self, invariants: dict[str, Invariant]) -> None:
        known = {violation["invariant"] for violation in self.violations}
        for name, against in invariants.items():
            if name not in known and (found := against(self.house, self.books)):
                self.violate(name, found)

    def violate(self, name: str, found: list[Any]) -> None:
        before = [one.fault for one in self.done[-5:]]
        self.violations.append({"invariant": name, "found": repr(found[:5]), "number": len(found), "before": before})
        self.say(f"VIOLATED {name}: {found[:5]} ({len(found)}); before: {before}")

    # --- what the faults use ------------------------------------------------------------------------------------------

    def incidents(self) -> int:
        """Return a number that grows with every opening on record."""
        return int(self.books.value("SELECT coalesce(max(epoch), 0) FROM incidents"))

    def open(self, chance: random.Random) -> None:
        """Have some vendor's breaker open, and the vendor well again."""
        ill(self, chance.choice(VENDORS), fault="server_error")

    def signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self.due.append((time.monotonic() + seconds, act))

    def thaw_due(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self.due if entry[0] <= now]:
            self.due.remove(entry)
            entry[1]()

    def wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    # --- the operator -------------------------------------------------------------------------------------------------

    def reset_all(self, operator: Any) -> None:
        for (service,) in self.books.rows(UNRESET):
            operator.act(f"queue-management/circuit-breakers/{service}/reset", reason="chaos")

    def resume(self, operator: Any, *, all_at_once: bool = True) -> bool:
        done = operator.act("queue-management/resume-queue", reason="chaos", all_at_once=all_at_once)
        return bool(done and done["queue_resumed"])

    def recover(self, fault: Fault | None) -> bool:
        """Do what the runbook says until nothing is paused any more; False, and a violation, when that does not help.

        Also once before anything is seen paused: what has just happened may not be on record yet.
        """
        until = time.monotonic() + TO_RECOVER
        while self.books.value(SHUT):
            operator = self.chance.choice(self.operators)
            if self.chance.random() < 0.05:
                self.by_command()
            self.reset_all(operator)
            self.resume(operator)
            for (pk,) in self.books.rows("SELECT id FROM campaigns WHERE operator_paused_at IS NOT NULL"):
                operator.act(f"campaigns/{pk}/resume", reason="chaos")
            if time.monotonic() > until:
                self.violate("an operator brings it back", [fault and fault.name, operator.refusal])
                return False
            time.sleep(0.2)
        return True

    def by_command(self) -> None:
        for (service,) in self.books.rows(UNRESET):
            self.house.manage("breaker", "reset", service, "--reason", "chaos", "--actor", "chaos")
        self.house.manage("queue", "resume", "--all-at-once", "--reason", "chaos", "--actor", "chaos")

    def goes_on(self, since: float) -> float | None:
        """Wait for the first call that was admitted after an instant, and return how long after; None, and a violation,
        when there is none. Whatever opens meanwhile is recovered."""
        first = "SELECT extract(epoch FROM min(admitted_at)) FROM vendor_calls WHERE admitted_at > to_timestamp(%s)"
        until = time.monotonic() + TO_GO_ON
        while (at := self.books.value(first, since)) is None:
            if time.monotonic() > until:
                self.violate("work goes on", [self.books.what_stands()])
                return None
            if self.books.value(SHUT):
                self.recover(None)
            if not self.open_leads():
                self.restock(self.batch)
            time.sleep(0.1)
        return round(float(at) - since, 3)

    def paused_after(self, since: float) -> float | None:
        seconds = self.books.value(PAUSED_AFTER, since)
        return None if seconds is None else round(float(seconds), 3)

    def open_leads(self) -> int:
        """Count the leads that a campaign is still to move."""
        sql = "SELECT count(*) FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.state = 'OPEN' AND "
        # One whose start was refused, since everything was paused, moves nothing before the rest.
        return int(self.books.value(f"{sql} c.status IN ('RUNNING', 'PAUSED')"))

    # --- the work -----------------------------------------------------------------------------------------------------

    def restock(self, number: int) -> None:
        """Start another campaign of so many leads: every fifth person is one of an earlier campaign, too."""
        self.files += 1
        path = self.house.folder / f"people-{self.files}.csv"
        first = max(0, self.people - number // 5)
        with path.open("w", newline="", encoding="utf-8") as target:
            lines = csv.writer(target)
            lines.writerow(["First Name", "Company", "Email"])
            lines.writerows(
                [f"Ida{n}", f"Acme {n}", f"ida{n}+ok@acme{n}.example"] for n in range(first, first + number)
            )
        self.people = first + number
        self.house.manage(
            "campaign", "create", f"Chaos {self.files}", "--csv", str(path), "--start", "--actor", "chaos"
        )

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.done]
