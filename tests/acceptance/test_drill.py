"""`make drill` tells the whole story and ends well."""

import re
import subprocess
import sys

import pytest

from local.stack import ROOT

ZEROS = (
    "calls admitted after the opening",
    "calls that reached a vendor more than 1 s after it",
    "addresses pushed twice",
    "keys charged twice and not flagged",
)


@pytest.mark.processes
def test_the_drill_passes_and_what_must_be_zero_is_zero():
    done = subprocess.run(
        [sys.executable, "-m", "local.drill"], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ZEROS:
        assert re.search(rf"{re.escape(name)} +0$", done.stdout, re.MULTILINE), name
    assert "From a search: COMPLETED, From a CSV: COMPLETED" in done.stdout
    for what in ("queue paused", "campaigns paused", "jobs paused"):
        assert re.search(rf"seconds from the fatal failure to {what} +\d+\.\d+$", done.stdout, re.MULTILINE), what
