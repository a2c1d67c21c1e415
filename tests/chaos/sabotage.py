"""`make sabotage` takes out each guard in a copy of the tree and says which test turns red: none may be green or hang.

`python -m tests.chaos.sabotage budget pause` takes those whose property has one of the words.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.chaos.guards import GUARDS, ROOT

# Seconds for one file of tests; the slowest one takes a fifth of it.
PATIENCE = 300
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".local", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis")


class Verdict(NamedTuple):
    """What the tests said of an edit: `red` with the first that failed, `green`, or `hangs`."""

    colour: str
    test: str = ""

    @property
    def noticed(self) -> bool:
        return self.colour == "red"


def copy_of_tree() -> Path:
    """Copy the tree without what can be made anew."""
    tree = Path(tempfile.mkdtemp(prefix="holdfast-sabotage-")) / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    return tree


def tried(tree: Path, file: str, text: str, instead: str, tests: str) -> Verdict:
    """Run tests with the edit in the copy, and take it back."""
    source = (tree / file).read_text()
    (tree / file).write_text(source.replace(text, instead, 1))
    try:
        return run(tree, tests)
    finally:
        (tree / file).write_text(source)


def run(tree: Path, tests: str, patience: float = PATIENCE) -> Verdict:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n0",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=unshrunk",
    ]
    process = subprocess.Popen(
        [*command, *tests.split()], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.terminate()  # its servers are stopped by it
        process.communicate()
        return Verdict("hangs")
    if process.returncode == 0:
        return Verdict("green")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return Verdict("red", failed[1] if failed else output.strip().splitlines()[-1])


def main() -> int:
    words = sys.argv[1:]
    chosen = [guard for guard in GUARDS if not words or any(word in guard.keeps for word in words)]
    tree, unnoticed = copy_of_tree(), 0
    try:
        for guard in chosen:
            began = time.monotonic()
            verdict = tried(tree, guard.file, guard.text, guard.instead, guard.test)
            unnoticed += not verdict.noticed
            print(f"{verdict.colour:5} {guard.keeps}: {verdict.test} ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        shutil.rmtree(tree.parent)
    print(f"{len(chosen)} guards taken out, {unnoticed} unnoticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
