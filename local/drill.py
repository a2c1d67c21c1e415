"""`make drill` plays the whole story by itself, on servers of its own, and ends with a table of what was counted.

Two campaigns run; a worker is killed; a vendor breaks; everything pauses; nothing comes back by itself; an operator
resets and resumes from the command line; everything finishes and the books balance. What concerns the vendors is
counted by the sandbox, not by our own tables.
"""

import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from local.processes import StartError
from local.stack import ROOT, Interrupted, Stack
from local.up import say

BREAKS = "openai"
SEARCH = "https://app.apollo.io/#/people?personTitles[]=Head%20of%20Data&personTitles[]=CTO&personLocations[]=Germany"
# Short deadlines, so that the lease of the killed worker ends within the drill; wide limits, for the sandbox has none;
# quick steps after the resume.
ENVIRONMENT = {
    f"{service}_{name}": value
    for service in ("APOLLO", "MILLIONVERIFIER", "PERPLEXITY", "OPENAI", "INSTANTLY")
    for name, value in (("CONNECT_TIMEOUT", "2"), ("READ_TIMEOUT", "3"), ("DEADLINE", "4"), ("RATE_LIMITS", "80/1"))
} | {"RAMP_STEP_SECONDS": "1", "RAMP_STEP_CALLS": "5"}
# Longer than any step of the story takes on two cores that do something else as well (seconds): a killed worker's lease
# alone is 44.
PATIENCE = 180
MAY_COST = "SELECT coalesce(sum(may_cost_usd), 0) FROM vendor_calls"


class Failed(Exception):
    """The story did not go as it must; the text says where."""


class Drill:
    """A Drill tells the story, chapter by chapter, on a started stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.jobs_paused_at = 0.0
        self.connect()

    def connect(self) -> None:
        """Connect to the stack's database, anew after a restart."""
        self.database = psycopg.connect(self.stack.database_url, autocommit=True)

    def value(self, sql: str, *parameters: object) -> Any:
        row = self.database.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, parameters).fetchall()

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask or tell the sandbox."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (our own http:// URL)
            f"{self.stack.sandbox_url}/_control/{path}",
            data=data,
            method="GET" if body is None else "PUT",
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def command(self, *arguments: str, refused: bool = False) -> Any:
        """Run a `manage.py` command with --json; `refused`: it must be refused, with exit status 1."""
        changes = arguments[0] in ("breaker", "queue", "campaign") and arguments[1] not in ("status", "plan", "probe")
        done = self.stack.manage(*arguments, "--json", *(("--actor", "drill") if changes else ()))
        if done.returncode != int(refused):
            raise Failed(f"`manage.py {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stderr.strip().splitlines()[-1] if refused else json.loads(done.stdout)

    def until(self, what: str, reached: Callable[[], bool], within: float = PATIENCE) -> float:
        """Wait until `reached`, and return the seconds that it took. Raises Failed when it did not come."""
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > within:
                raise Failed(f"Not within {within:.0f} s: {what}; {self.what_stands()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def what_stands(self) -> str:
        """Return the counts by which somebody sees what a wait waited for."""
        incidents = self.value("SELECT count(*) FROM incidents")
        campaigns = self.rows("SELECT name, status, status_message FROM campaigns")
        jobs = self.rows("SELECT kind, status, max(error), count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2")
        unfinished = [job for job in jobs if job[1] not in ("COMPLETED", "CANCELLED")]
        return f"incidents: {incidents}, campaigns: {campaigns}, unfinished jobs: {unfinished}"

    def ended(self) -> int:
        return int(self.value("SELECT count(*) FROM leads WHERE state <> 'OPEN'"))

    # --- the story ----------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        self.campaigns_run()
        self.worker_dies()
        self.vendor_breaks()
        self.nothing_recovers()
        self.operator_recovers()
        self.everything_finishes()

    def campaigns_run(self) -> None:
        self.command("campaign", "create", "From a search", "--apollo-url", SEARCH, "--max-leads", "200", "--start")
        self.command("campaign", "create", "From a CSV", "--csv", str(ROOT / "samples" / "people.csv"), "--start")
        say("  two campaigns run: 200 people of an Apollo search, 500 rows of a CSV")
        # Answers that are lost although they are charged: a call that hangs until our deadline, one that is cut.
        self.control("perplexity", {"fault": "timeout", "share": 0.02})
        self.control("millionverifier", {"fault": "malformed", "share": 0.05})
        say("  some answers are lost on their way, charged all the same")
        self.until("60 leads have ended", lambda: self.ended() >= 60)

    def worker_dies(self) -> None:
        names = self.rows("SELECT name FROM processes WHERE role = 'worker' ORDER BY name")
        victim = int(names[0][0].rpartition(":")[2])
        os.kill(victim, signal.SIGKILL)
        before = self.ended()
        say(f"  worker process {victim} is killed with SIGKILL")
        self.until("work goes on after the death of a worker", lambda: self.ended() >= before + 20)
        for service in ("perplexity", "millionverifier"):
            self.control(service, {"fault": "none"})

    def vendor_breaks(self) -> None:
        self.control(BREAKS, {"fault": "server_error"})
        say(f"  {BREAKS} answers with errors")
        self.until("the breaker has opened", lambda: bool(self.value("SELECT count(*) FROM incidents")))
        waits = "SELECT count(*) FROM jobs WHERE status = 'PENDING'"
        self.until("every waiting job is paused", lambda: self.value(waits) == 0)
        self.jobs_paused_at = time.time()
        # The killed worker's jobs come back when their leases end.
        busy = "SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')"
        self.until("every unfinished job is paused", lambda: self.value(busy) == 0)
        message = self.value("SELECT max(status_message) FROM campaigns")
        say(f"  all is paused: {message}")

    def nothing_recovers(self) -> None:
        self.control(BREAKS, {"fault": "none"})
        before = self.calls()
        refusal = self.command("queue", "resume", "--reason", "too early", refused=True)
        say(f"  {BREAKS} is well again; a resume without a reset is refused: {refusal}")
        time.sleep(3)
        if self.calls() != before:
            raise Failed("A paid call was made although everything is paused")

    def calls(self) -> int:
        """Count the paid calls that the sandbox has received."""
        return sum(1 for call in self.control("calls?since=0") if not call["probe"])

    def operator_recovers(self) -> None:
        self.command("breaker", "reset", BREAKS, "--reason", "the vendor is well again")
        if self.value("SELECT count(*) FROM campaigns WHERE status = 'RUNNING'"):
            raise Failed("A reset resumed something")
        say(f"  {BREAKS} is reset: still paused")
        result = self.command("queue", "resume", "--reason", "drill")
        say(f"  {result['message']}")

    def everything_finishes(self) -> None:
        completed = "SELECT count(*) FROM campaigns WHERE status = 'COMPLETED'"
        self.until("both campaigns are completed", lambda: self.value(completed) == 2)
        self.command("reconcile")
        say("  both campaigns are completed and the books balance")

    # --- the table ----------------------------------------------------------------------------------------------------

    def report(self) -> bool:
        """Print what was counted, and return whether every zero is one."""
        opened_at, ended_at = self.rows(
            "SELECT extract(epoch FROM i.opened_at), extract(epoch FROM p.ended_at) "
            "FROM incidents i JOIN queue_pauses p ON p.id = i.pause_id"
        )[0]
        opened, ended = float(opened_at), float(ended_at)
        calls = [call for call in self.control("calls?since=0") if not call["probe"]]
        bill = self.control("bill")
        late = [call for call in calls if opened + 1 < call["at"] < ended]
        admitted = self.value(
            "SELECT count(*) FROM vendor_calls v JOIN incidents i ON v.admitted_at > i.opened_at "
            "JOIN queue_pauses p ON p.id = i.pause_id WHERE v.admitted_at < p.ended_at"
        )
        fatal = max(
            call["at"] for call in calls if call["service"] == BREAKS and call["status"] == 500 and call["at"] < opened
        )
        paused = float(
            self.value(
                "SELECT extract(epoch FROM max(at)) FROM events WHERE subject_type = 'campaign' AND verb = 'paused'"
            )
        )
        twice = self.charged_twice(bill)
        pushed_twice = bill["instantly"]["keys_charged_more_than_once"]
        zeros = {
            "calls admitted after the opening": admitted,
            "calls that reached a vendor more than 1 s after it": len(late),
            "addresses pushed twice": len(pushed_twice),
            "keys charged twice and not flagged": len(twice),
        }
        leads = ", ".join(
            f"{n} {state}" for state, n in self.rows("SELECT state, count(*) FROM leads GROUP BY 1 ORDER BY 1")
        )
        campaigns = self.rows("SELECT name, status FROM campaigns ORDER BY id")
        lines = {
            "campaigns": ", ".join(f"{name}: {status}" for name, status in campaigns),
            "leads by end state": leads,
            "calls by service (sandbox)": ", ".join(f"{b['calls']} {name}" for name, b in bill.items()),
            "calls whose answer was lost": self.value("SELECT count(*) FROM vendor_calls WHERE may_be_charged"),
            "what they may have cost beyond the books": f"at most ${self.value(MAY_COST):.4f}",
            **zeros,
            "seconds from the fatal failure to queue paused": f"{opened - fatal:.3f}",
            "seconds from the fatal failure to campaigns paused": f"{paused - fatal:.3f}",
            "seconds from the fatal failure to jobs paused": f"{self.jobs_paused_at - fatal:.3f}",
        }
        say("")
        for name, value in lines.items():
            say(f"  {name:<52} {value}")
        say("")
        return not any(zeros.values())

    def charged_twice(self, bill: dict[str, Any]) -> list[str]:
        """Return the keys that the sandbox charged more than once and more often than the ledger knows.

        An answer that came is a charge, one that was lost is flagged. A mail that is written again is paid for again,
        and known.
        """
        rows = self.rows("""
            SELECT v.service, l.email, j.payload -> 'people' FROM vendor_calls v JOIN jobs j ON j.id = v.job_id
            LEFT JOIN leads l ON l.id = j.lead_id WHERE v.may_be_charged OR v.cost_usd + v.credits > 0
        """)
        booked = Counter((service, key) for service, email, people in rows for key in people or [email])
        return [
            f"{service}: {key}"
            for service, entry in bill.items()
            for key, times in entry["keys_charged_more_than_once"].items()
            if booked[service, key] < times
        ]


def main() -> int:
    """Return 0 when the story ended as it must, else 1."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-drill-") as folder:
        stack = Stack(Path(folder), env=ENVIRONMENT, durable=False, say=lambda line: say(f"  {line}"))
        stack.handle_signals()
        try:
            with stack:
                say("The drill:")
                drill = Drill(stack)
                try:
                    drill.tell()
                except Failed:
                    say(stack.manage("queue", "status").stdout)
                    raise
                good = drill.report()
                drill.database.close()
        except (Failed, StartError, OSError, psycopg.Error) as error:
            say(f"The drill failed: {error}")
            return 1
        except (Interrupted, KeyboardInterrupt):
            say("The drill was interrupted.")
            return 1
    verdict = "passed" if good else "FAILED: a count that must be zero is not"
    say(f"The drill {verdict} in {time.monotonic() - began:.0f} s.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
