"""Workers and supervisors count what they do, and lose nothing of it when they end in good order."""

from typing import Any

import pytest
from django.db import DatabaseError

from campaigns.models import JobRow, VendorCall
from circuitbreakers import gate, pauses
from integrations.sandbox import Sandbox
from telemetry import kept
from telemetry.counters import REGISTRY
from telemetry.models import Count
from tests.builders import ago, make_campaign, make_job
from tests.stores import break_vendor
from tests.workers.chain import ANN, job_of
from workers import dispatch, liveness, reclaim
from workers.middleware import Liveness
from workers.run import run
from workers.supervisor import Step, run_round

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sandbox")]


class Rises:
    """`rises("holdfast_calls_total", service="openai")`: by how much this process has counted it since it was made."""

    def __init__(self) -> None:
        self.before = self.read()

    def read(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        families = REGISTRY.collect()
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}

    def __call__(self, name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return self.read().get(key, 0.0) - self.before.get(key, 0.0)


@pytest.fixture
def rises() -> Rises:
    return Rises()


def test_a_call_is_counted_as_admitted_by_its_outcome_and_with_its_seconds(rises: Rises) -> None:
    job = job_of("openai")
    assert run(job.pk, "openai") == "completed"
    assert rises("holdfast_admissions_total", service="openai") == 1
    assert rises("holdfast_calls_total", service="openai", outcome="success") == 1
    assert rises("holdfast_call_duration_seconds_count", service="openai") == 1
    seconds = VendorCall.objects.get().duration_ms or 0
    assert rises("holdfast_call_duration_seconds_sum", service="openai") == pytest.approx(seconds / 1000)


def test_a_failed_call_is_counted_by_its_type(sandbox: Sandbox, rises: Rises) -> None:
    break_vendor(sandbox, "openai", "server_error")
    run(job_of("openai").pk, "openai")
    assert rises("holdfast_calls_total", service="openai", outcome="server_error") == 1
    assert rises("holdfast_calls_total", service="openai", outcome="success") == 0


def test_a_refusal_is_counted_by_its_reason_and_as_no_call(rises: Rises) -> None:
    pauses.pause("openai", actor=ANN, reason="a test")
    assert run(job_of("openai").pk, "openai") == "refused: paused"
    assert rises("holdfast_refusals_total", service="openai", reason="paused") == 1
    assert rises("holdfast_admissions_total", service="openai") == 0
    assert rises("holdfast_call_duration_seconds_count", service="openai") == 0


def test_a_reclaimed_lease_is_counted_and_its_call_as_unknown(rises: Rises) -> None:
    job = make_job(make_campaign(), "write", "PROCESSING", claimed_at=ago(120), lease_until=ago(60), worker="gone:1")
    gate.admit("openai", job.call)
    assert reclaim.reclaim() == 1
    assert VendorCall.objects.get().outcome == "unknown"
    assert rises("holdfast_leases_reclaimed_total", reason="died") == 1
    assert rises("holdfast_calls_total", service="openai", outcome="unknown") == 1


def test_a_round_of_dispatch_is_counted_with_what_it_sent(rises: Rises) -> None:
    campaign = make_campaign()
    for _ in range(3):
        make_job(campaign, "write", run_at=ago(1))
    assert dispatch.dispatch() == 3
    assert rises("holdfast_dispatch_rounds_total") == 1
    assert rises("holdfast_jobs_dispatched_total", service="openai") == 3


def test_a_round_is_counted_and_so_is_a_step_that_fails(rises: Rises) -> None:
    def breaks() -> int:
        raise ZeroDivisionError

    run_round([Step("well", lambda: 1), Step("broken", breaks)], 0)
    assert rises("holdfast_supervisor_round_duration_seconds_count") == 1
    assert rises("holdfast_supervisor_step_failures_total", step="broken") == 1
    assert rises("holdfast_supervisor_step_failures_total", step="well") == 0


# --- with the sign of life --------------------------------------------------------------------------------------------


def total(name: str) -> float:
    return sum(Count.objects.filter(sample=name).values_list("value", flat=True))


def test_the_sign_of_life_takes_along_what_was_counted() -> None:
    kept.add()
    before = total("holdfast_dispatch_rounds_total")
    dispatch.dispatch()
    assert total("holdfast_dispatch_rounds_total") == before
    liveness.sign("supervisor")
    assert total("holdfast_dispatch_rounds_total") == before + 1


def test_a_worker_that_is_stopped_adds_what_its_last_calls_counted() -> None:
    job = job_of("openai")
    liveness.sign_off()
    before = total("holdfast_calls_total")
    run(job.pk, "openai")
    Liveness().after_worker_shutdown(None, None)  # type: ignore[arg-type]
    assert total("holdfast_calls_total") == before + 1


def test_numbers_that_cannot_be_written_hold_up_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise DatabaseError("no room")

    monkeypatch.setattr(kept, "add", refuse)
    liveness.sign("worker")
    liveness.sign_off()
    assert JobRow.objects.count() == 0
