"""What a machine lacks: a skip on a developer's, a failure in a pipeline, where a skip would go unseen."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """End the test; `what` says how to get it."""
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(what)
    pytest.fail(what)
