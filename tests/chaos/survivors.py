"""Mutants that no test notices, each with the reason why it may live.

`python -m tests.chaos.survivors RESULTS` keeps the score. RESULTS is the file of verdicts of `tests.chaos.mutation`.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos import report
from tests.chaos.mutation import GROUPS, ROOT, chosen

UNREAD = "not read yet"
# By the edit, without its line: it moves.
REASONS: dict[str, str] = {
    "campaigns/pipeline.py: 0.0 -> 1.0": "the backoff beside it is never below two seconds",
    "campaigns/recovery.py: 0 -> 1": "what stands after `or` is for the type checker; a default is always written over",
    "campaigns/recovery.py: wake_supervisor() -> pass": "the lift has woken it in its own transaction",
    "circuitbreakers/scripts/activate.lua: redis.call('HDEL', 'circuit_gate:' .. name, 'stage', 'stage_held', "
    "'ramp_calls') -> (nothing)": "whatever opened has ended its ramp before; what begins one is written anew",
    "circuitbreakers/scripts/admit.lua: < -> <=": "at the very microsecond in which the minute of the one call ends",
    "circuitbreakers/scripts/admit.lua: or -> and": "a hash that has a state has an epoch: both are written at once",
}


def without_line(edit: str) -> str:
    file, _, rest = edit.split(":", 2)
    return " ".join(f"{file}:{rest}".split())


def scores(verdicts: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Add up verdicts by group; one that hangs is noticed too, by whoever waits for the tests."""
    groups: dict[str, dict[str, Any]] = {}
    for one in verdicts:
        score = groups.setdefault(one["group"], {"edits": 0, "noticed": 0, "survivors": []})
        score["edits"] += 1
        if one["verdict"] == "survived":
            why = REASONS.get(without_line(one["edit"]), UNREAD)
            score["survivors"].append({"edit": one["edit"], "why": why})
        else:
            score["noticed"] += 1
    return groups


def of_today(verdicts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Narrow to the edits of the tree as it is, by their latest verdicts; several places of a line may be one edit."""
    edits = Counter((group, str(one)) for group in GROUPS for one in chosen(ROOT, group))
    kept = []
    for one in reversed(verdicts):
        if edits[one["group"], one["edit"]] > 0:
            edits[one["group"], one["edit"]] -= 1
            kept.append(one)
    return kept[::-1]


def main() -> int:
    verdicts = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    figures = report.read()
    figures["mutations"] |= scores(of_today(verdicts))
    report.save(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
