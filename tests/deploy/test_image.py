"""The image: linted, pinned by version, from a lock with hashes that says what requirements.txt says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^([\w.\[\]-]+==\S+)(?: ?; ?(.+?))?(?: \\)?$", re.MULTILINE)


def pins(text: str) -> set[str]:
    """Pinned packages by their names alone, as `name==version`."""
    return {re.sub(r"\[.*\]", "", pin).lower().replace("_", "-") for pin, _ in PIN.findall(text)}


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_lock_has_every_pin_of_the_requirements_and_no_package_without_a_hash() -> None:
    wanted = pins((ROOT / "requirements.txt").read_text())
    assert len(wanted) > 15
    assert wanted <= pins(LOCK), "make lock"
    blocks = re.split(r"\n(?=[a-z])", LOCK.strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("line", [line for line in (ROOT / "Dockerfile").read_text().splitlines() if "FROM " in line])
def test_nothing_is_built_on_a_moving_name(line: str) -> None:
    assert re.fullmatch(r"FROM (python:\$\{PYTHON\}|packages)( AS \w+)?", line)


def test_the_version_is_whole_and_one_that_we_support() -> None:
    (version,) = re.findall(r"^ARG PYTHON=3\.(\d+)\.\d+-slim-\w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert int(version) in (11, 12, 13)


def test_it_runs_as_nobody_in_particular_under_an_init() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["tini", "--"]' in text
    assert "--require-hashes" in text
    assert text.rindex("USER 10001") > text.rindex("RUN ")
