"""`python -m tests.chaos.mutation scripts` makes mutants, one at a time, and says which of them no test notices.

As a pytest plugin, in a copy of the tree, it runs the tests of a group anew for each mutant: in a fork, since servers,
imports and collection take longer than they do. Python that is imported is not made anew there, so what is mutated is
read by the tests themselves: the Lua scripts. Of Python each mutant has a pytest of its own.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.mutants import Mutant, of_file
from tests.chaos.sabotage import copy_of_tree, run

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "circuitbreakers/scripts"
BREAKERS = "tests/circuitbreakers"
# What is mutated, and the tests that must notice: those first that are quick.
GROUPS = {
    "scripts": (
        sorted(f"{SCRIPTS}/{path.name}" for path in (ROOT / SCRIPTS).glob("*.lua")),
        [
            *(
                f"{BREAKERS}/test_{name}.py"
                for name in ("properties", "verbs", "gate_memory", "redis_contract", "ramps")
            ),
            *(f"{BREAKERS}/test_{name}.py" for name in ("rates", "rebuild", "limits", "second_opinion")),
            *("tests/workers/test_budgets.py", "tests/workers/test_try_one.py", "tests/workers/test_reclaim.py"),
        ],
    ),
    "policy, pipeline": (
        ["circuitbreakers/policy.py", "campaigns/pipeline.py"],
        [
            *("tests/test_contract.py", "tests/campaigns/test_pipeline.py", "tests/circuitbreakers/test_policy.py"),
            *("tests/campaigns/test_jobs.py", "tests/workers/test_search.py"),
        ],
    ),
    "lifecycle": (
        ["campaigns/lifecycle.py"],
        [
            *(f"tests/campaigns/test_{name}.py" for name in ("wakes", "lifecycle", "retry", "foresight", "pruning")),
            *("tests/workers/test_first_leads.py", "tests/workers/test_push.py", "tests/console/test_campaign_page.py"),
        ],
    ),
    "recovery": (
        ["campaigns/recovery.py"],
        [f"tests/campaigns/test_{name}.py" for name in ("recovery", "wakes", "two_persons", "ramp_report")],
    ),
}
PATIENCE = 150  # seconds for all tests of one mutant


def chosen(root: Path, group: str) -> list[Mutant]:
    """Return the mutants of a group of which RESULTS says nothing yet; with MOST=60 so many of them, drawn by SEED."""
    known = {(one["group"], one["edit"]) for one in verdicts()}
    mutants = [one for file in GROUPS[group][0] for one in of_file(root, file) if (group, str(one)) not in known]
    most = int(os.environ.get("MOST") or len(mutants))
    return sorted(random.Random(os.environ.get("SEED", "1")).sample(mutants, min(most, len(mutants))))


def verdicts() -> list[dict[str, str]]:
    """Read what RESULTS, a file of a line a mutant, says of those that were tried before."""
    kept = Path(os.environ.get("RESULTS") or os.devnull)
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def tell(group: str, mutant: Mutant, verdict: str, began: float) -> None:
    print(f"{verdict:8} {mutant} ({time.monotonic() - began:.1f} s)", flush=True)
    if results := os.environ.get("RESULTS"):
        with Path(results).open("a") as kept:
            kept.write(json.dumps({"group": group, "edit": str(mutant), "verdict": verdict}) + "\n")


# --- as a plugin, for what the tests read themselves ------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    group = os.environ.get("MUTATE")
    if not group:
        return None
    from django.db import connections

    first, *others = session.items
    # Makes the database and whatever else stands for the whole session.
    session.config.hook.pytest_runtest_protocol(item=first, nextitem=others[0])
    if session.testsfailed:
        raise session.Failed("a test fails without any mutant")
    terminal = os.fdopen(os.dup(2), "w")
    sys.stdout = terminal
    connections.close_all()
    items = [*others, first]
    if (verdict := in_a_fork(session, items)) != "survived":
        raise session.Failed(f"without any mutant: {verdict}")
    for mutant in chosen(Path.cwd(), group):
        connections.close_all()
        began, path = time.monotonic(), Path(mutant.file)
        text = path.read_text()
        path.write_text(mutant.of(text))
        try:
            tell(group, mutant, in_a_fork(session, items), began)
        finally:
            path.write_text(text)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        os.write(2, f"{report.nodeid} {report.longreprtext}\n".encode())


def in_a_fork(session: pytest.Session, items: list[pytest.Item]) -> str:
    """Run the tests until one fails, and say what came of it. That one comes first from now on: what notices a mutant
    notices its neighbours."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        nowhere = os.open(os.environ.get("SAID", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status = 2
        try:
            failed = until_one_fails(session, items)
            os.write(writing, b"" if failed is None else str(failed).encode())
            status = 0 if failed is None else 1
        finally:
            os._exit(status)
    os.close(writing)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with open(reading) as told:
                if which := told.read():
                    items.insert(0, items.pop(int(which)))
            return "survived" if status == 0 else "noticed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    return "hangs"


def until_one_fails(session: pytest.Session, items: list[pytest.Item]) -> int | None:
    for number, item in enumerate(items):
        following: Any = items[number + 1] if number + 1 < len(items) else item
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return number
    return None


# --- by the command ---------------------------------------------------------------------------------------------------


def main() -> int:
    group = sys.argv[1]
    tree = copy_of_tree()
    tests = " ".join(GROUPS[group][1])
    try:
        if group == "scripts":
            os.environ["MUTATE"] = group
            # Not -x: at a failure the fork would end the session, with the database of all.
            print(run(tree, f"--maxfail=0 -p tests.chaos.mutation -s {tests}", patience=24 * 3600))
            return 0
        for mutant in chosen(tree, group):
            began, path = time.monotonic(), tree / mutant.file
            text = path.read_text()
            path.write_text(mutant.of(text))
            verdict = run(tree, tests, patience=PATIENCE)
            path.write_text(text)
            tell(group, mutant, {"red": "noticed", "green": "survived"}.get(verdict.colour, verdict.colour), began)
    finally:
        shutil.rmtree(tree.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
