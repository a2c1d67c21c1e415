"""The pipeline's own numbers."""

import pytest

from campaigns import pipeline
from circuitbreakers.policy import FAILURE_TYPES


def test_a_pages_reveals_are_numbered_from_its_hundred() -> None:
    parts = pipeline.reveals(3, ["a"] * 25, ["b"])
    assert parts == [(300, ["a"] * 10), (301, ["a"] * 10), (302, ["a"] * 5), (303, ["b"])]


def test_what_a_job_may_cost_in_tries() -> None:
    assert (pipeline.MAX_ATTEMPTS, pipeline.MAX_CRASHES, pipeline.MAX_REJECTED_MAILS) == (5, 3, 2)


@pytest.mark.parametrize("failure_type", sorted(FAILURE_TYPES))
def test_a_failure_waits_no_longer_than_it_must(failure_type: str) -> None:
    decision = pipeline.after_failure(failure_type, 0, jitter=1.0)
    retried = failure_type in pipeline.RETRIED
    assert decision.wait == (4.0 if retried else 0.0)
