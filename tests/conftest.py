"""What all tests share: the stores in step, who runs what and when, and which browser the browser tests drive."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.missing import missing
from tests.shares import Shares, place
from tests.stores import compared_hashes, in_step, one_sandbox, sandbox

__all__ = ["compared_hashes", "in_step", "one_sandbox", "sandbox"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no browser: install one (Debian: apt install chromium) or set CHROMIUM to its path"


def find_chromium() -> str | None:
    """`$CHROMIUM`, else the first browser on PATH."""
    candidates = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS
    return next(filter(None, map(shutil.which, candidates)), None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first: the short ones then fill the gaps."""
    items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares | None:
    """For `--dist loadfile`, ours."""
    return Shares(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and not find_chromium():
        missing(NO_BROWSER)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path, for playwright's `executable_path`."""
    path = find_chromium()
    return path or missing(NO_BROWSER)


@pytest.fixture(autouse=True)
def each_test_leaves_the_registered_probes_as_they_were() -> Iterator[None]:
    """Tests let a vendor's health call find what they need; the next test meets the real one again."""
    from circuitbreakers import probes

    registered = dict(probes._probes)
    yield
    probes._probes.clear()
    probes._probes.update(registered)
