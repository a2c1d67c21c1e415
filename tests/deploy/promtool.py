"""Prometheus's own programs: found on this machine, asked, and what they say if they say no."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.missing import missing

HOW = "no {}: install it (Debian: apt install prometheus) or set {} to its path"


def program(name: str) -> str:
    """The path of `promtool` or `prometheus`: `$PROMTOOL`, `$PROMETHEUS`, else on PATH."""
    path = shutil.which(os.environ.get(name.upper()) or name)
    return path or missing(HOW.format(name, name.upper()))


def promtool(*arguments: str | Path, given: str = "") -> None:
    """Run it; an assertion with all that it said if it refuses."""
    done = subprocess.run([program("promtool"), *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
