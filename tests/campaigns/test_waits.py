"""Jobs that wait because a vendor asked for it, when an operator lifts the wait."""

import pytest
from django.utils import timezone

from campaigns.models import JobRow
from circuitbreakers import gate
from tests.breakers import ANN
from tests.builders import ago, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
SERVICE = "millionverifier"


def throttled() -> None:
    gate.record(SERVICE, "rate_limit", "HTTP 429", retry_after=3600)


def is_due(job: JobRow) -> bool:
    job.refresh_from_db()
    return job.run_at <= timezone.now()


@pytest.mark.parametrize("failure_type", ["rate_limit", ""], ids=["it was refused itself", "the gate told it to wait"])
def test_a_job_that_was_told_to_slow_down_is_due_when_the_wait_is_lifted(failure_type: str) -> None:
    throttled()
    job = make_job(kind="verify", run_at=ago(-3600), failure_type=failure_type)
    gate.lift_wait(SERVICE, actor=ANN)
    assert is_due(job)


def test_the_backoff_after_a_failure_and_other_services_go_on_waiting() -> None:
    throttled()
    failed = make_job(kind="verify", run_at=ago(-3600), failure_type="server_error")
    other = make_job(kind="research", run_at=ago(-3600), failure_type="rate_limit")
    gate.lift_wait(SERVICE, actor=ANN)
    assert not is_due(failed)
    assert not is_due(other)


def test_where_nobody_waits_no_job_is_hurried() -> None:
    job = make_job(kind="verify", run_at=ago(-3600))
    assert gate.lift_wait(SERVICE, actor=ANN) is None
    assert not is_due(job)
