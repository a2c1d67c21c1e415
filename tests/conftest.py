"""What all tests share: the stores in step, who runs what and when, and which browser the browser tests drive."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings

from tests import emptying
from tests.missing import missing
from tests.shares import Shares, place
from tests.stores import compared_hashes, in_step, one_sandbox, probes_succeed, sandbox

__all__ = ["compared_hashes", "in_step", "one_sandbox", "probes_succeed", "sandbox"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no browser: install one (Debian: apt install chromium) or set CHROMIUM to its path"

# For `make quick`: a fifth of the usual examples, where a test does not ask for a number of its own.
hypothesis_settings.register_profile("quick", max_examples=20)
# For sabotage and mutants: that it fails is enough, nobody reads the smallest example.
hypothesis_settings.register_profile("unshrunk", max_examples=20, phases=[Phase.explicit, Phase.generate])


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


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_in_no_time() -> Iterator[None]:
    """The real hash is slow on purpose."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """pytest-django's own database, in which tests that commit are cleaned up by `emptying`."""
    with django_db_blocker.unblock():
        emptying.take_over()


@pytest.fixture(autouse=True)
def each_test_leaves_the_registered_probes_as_they_were() -> Iterator[None]:
    """Tests let a vendor's health call find what they need; the next test meets the real one again."""
    from circuitbreakers import probes

    registered = dict(probes._probes)
    yield
    probes._probes.clear()
    probes._probes.update(registered)
