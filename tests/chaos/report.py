"""The runs are kept in docs/reliability.json, added up by fault, and docs/reliability.md is written from them."""

import json
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.report import commit, machine, table

ROOT = Path(__file__).resolve().parents[2]
FIGURES, PAGE = ROOT / "docs" / "reliability.json", ROOT / "docs" / "reliability.md"

HEAD = """# Reliability

Real processes, real servers, a sandbox that keeps the bill; faults on purpose, an operator after each opening, then
rest, and the books held against the bill. `make chaos` adds a run to `reliability.json` and writes this page from it:
do not edit it. `make chaos SEED=7 MINUTES=10` draws the same faults again; when exactly each strikes is up to chance.
"""


def circumstances(seed: int, faults: int, minutes: float, only: str) -> dict[str, Any]:
    """Say with what command and code, where, and beside what load a run begins now."""
    most = {"FAULTS": faults if faults < 10**6 else "", "ONLY": f"'{only}'" if only else ""}
    more = "".join(f" {name}={value}" for name, value in most.items() if value)
    return {
        "seed": seed,
        "command": f"make chaos SEED={seed} MINUTES={minutes:g}{more}",
        "commit": commit().rstrip("+"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": [round(average, 2) for average in os.getloadavg()],
        "machine": machine(),
    }


def read() -> dict[str, Any]:
    """Return the runs, oldest first, and the score of the mutations."""
    empty: dict[str, Any] = {"runs": [], "mutations": {}}
    return empty | (json.loads(FIGURES.read_text()) if FIGURES.exists() else {})


def keep(run: dict[str, Any]) -> None:
    """Add a run, its injections added up by fault, and write the page."""
    figures = read()
    figures["runs"].append({**run, "injected": by_fault(run["injected"])})
    save(figures)


def save(figures: dict[str, Any]) -> None:
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    write()


def by_fault(injected: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return for each fault how often it was injected, all its times, and the sums of what came of it."""
    added: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"times": 0, "pause": [], "recover": [], "twice": 0, "flagged": 0, "lost": 0}
    )
    for one in injected:
        row = added[one["fault"]]
        row["times"] += 1
        for name in ("pause", "recover"):
            if one[name] is not None:
                row[name].append(one[name])
        for name in ("twice", "flagged", "lost"):
            row[name] += one[name]
    return dict(sorted(added.items()))


def write() -> None:
    PAGE.write_text(page(read()))


def page(figures: dict[str, Any]) -> str:
    """Return the page: what came of each fault, the runs, and what the tests notice."""
    return "\n".join([HEAD, faults(figures["runs"]), runs(figures["runs"]), mutations(figures["mutations"])])


def faults(all_runs: list[dict[str, Any]]) -> str:
    added: dict[str, dict[str, Any]] = {}
    for run in all_runs:
        for name, one in run["injected"].items():
            sums = added.setdefault(name, {key: [] if isinstance(value, list) else 0 for key, value in one.items()})
            for key, value in one.items():
                sums[key] = sums[key] + value
    rows = [["fault", "injected", "openings", "s to pause", "s to recover", "pushed twice", "flagged", "lost"]]
    for name, one in sorted(added.items()):
        rows.append(
            [
                *(name, str(one["times"]), str(len(one["pause"]) or "")),
                *(spread(one["pause"]), spread(one["recover"])),
                *(str(one[what]) for what in ("twice", "flagged", "lost")),
            ]
        )
    totals = [str(sum(one[what] for one in added.values())) for what in ("times", "twice", "flagged", "lost")]
    openings = str(sum(len(one["pause"]) for one in added.values()))
    rows.append(["**all**", totals[0], openings, "", "", *totals[1:]])
    told = (
        "Median and longest, in seconds. To pause: from the opening of the breaker to the last campaign's row. To "
        "recover: from the end of the fault to the next call that was admitted, with the operator's reset and resume "
        "if needed; after a series of quick faults it is measured once. Pushed twice: also across campaigns. "
        "Flagged: calls whose answer was lost, which the books say may have been charged. Lost: leads without an end.\n"
    )
    return f"## Faults\n\n{told}\n{table(rows)}"


def spread(seconds: list[float]) -> str:
    return f"{median(seconds):.2f}, {max(seconds):.2f}" if seconds else ""


def runs(all_runs: list[dict[str, Any]]) -> str:
    rows = [["command", "commit", "at (UTC)", "load before", "faults", "took", "leads", "violated"]]
    for run in all_runs:
        leads = ", ".join(f"{number} {state}" for state, number in run["leads"].items())
        violated = "; ".join(f"{one['invariant']} ({one['number']})" for one in run["violations"]) or "nothing"
        rows.append(
            [
                *(f"`{run['command']}`", run["commit"], run["at"][:16].replace("T", " ")),
                ", ".join(map(str, run["load_before"])),
                *(str(sum(one["times"] for one in run["injected"].values())), f"{run['seconds']} s", leads, violated),
            ]
        )
    return f"## Runs\n\n{table(rows)}"


def mutations(scores: dict[str, Any]) -> str:
    rows = [["of", "edits", "noticed", "survived"]]
    survivors = []
    for name, score in scores.items():
        rows.append([name, str(score["edits"]), str(score["noticed"]), str(score["edits"] - score["noticed"])])
        survivors += [f"- {name}: `{one['edit']}`: {one['why']}" for one in score["survivors"]]
    if not scores:
        return ""
    return "\n".join([f"## Edits that a test must notice\n\n{table(rows)}", *survivors]) + "\n"
