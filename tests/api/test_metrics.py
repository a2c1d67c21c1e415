"""Prometheus's numbers: as many as the rows say, from the first on, by its conventions."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from campaigns.models import Process, VendorCall
from circuitbreakers import events
from circuitbreakers.models import Incident
from circuitbreakers.services import SERVICES
from tests.breakers import trip
from tests.builders import ago, make_call, make_campaign, make_job, make_process
from tests.pages import ROOT, quoted, rows

PAGE = ROOT / "docs" / "metrics.md"
ANN = events.Actor("ann", "test")
# A label has few values: nothing of a campaign, a job or a person.
LABELS = {"service", "outcome", "reason", "stage", "state", "status", "step", "role", "kind", "le"}


def samples(client: APIClient) -> dict[str, float]:
    """Each sample's value by its name and its labels' values, in the order of their names: `holdfast_jobs PENDING`."""
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for sample in family.samples
    }


def test_calls_and_spend_are_those_of_the_ledger(viewer: APIClient) -> None:
    job = make_job(make_campaign(), "write")
    make_call(job, cost_usd="0.25")
    make_call(job, "unknown", fence=7, may_be_charged=True, may_cost_usd="0.5")
    numbers = samples(viewer)
    assert numbers["holdfast_ledger_calls_total openai"] == 2
    assert numbers["holdfast_spend_usd_total openai"] == 0.25
    assert numbers["holdfast_calls_unknown openai"] == 1
    assert numbers["holdfast_may_be_charged_usd openai"] == 0.5
    assert numbers["holdfast_ledger_calls_total apollo"] == 0


def test_a_late_answer_makes_no_counter_fall(viewer: APIClient) -> None:
    call = make_call(make_job(make_campaign(), "write"), "unknown")
    before = samples(viewer)
    VendorCall.objects.filter(pk=call.pk).update(outcome="success", cost_usd="0.1")
    after = samples(viewer)
    assert [name for name in before if name.endswith("_total") and after[name] < before[name]] == []
    assert after["holdfast_calls_unknown openai"] == 0


def test_an_opening_is_counted_with_the_seconds_of_its_cascade(viewer: APIClient) -> None:
    make_campaign("RUNNING")
    trip("apollo")
    numbers = samples(viewer)
    assert numbers["holdfast_breaker_openings_total apollo"] == 1
    assert numbers["holdfast_breaker_resets_total apollo"] == 0
    assert numbers["holdfast_cascade_duration_seconds_count"] == 1
    Incident.objects.update(cascade_seconds=0.3, reset_at=ago(0))
    numbers = samples(viewer)
    assert numbers["holdfast_breaker_resets_total apollo"] == 1
    assert numbers["holdfast_cascade_duration_seconds_sum"] == 0.3
    assert numbers["holdfast_cascade_duration_seconds_bucket 0.25"] == 0
    assert numbers["holdfast_cascade_duration_seconds_bucket 0.5"] == 1
    assert numbers["holdfast_cascade_duration_seconds_bucket +Inf"] == 1


@pytest.mark.parametrize(
    ("subject", "verb", "stage"),
    [
        ("queue", "resumed", "full"),
        ("queue", "resume_interrupted", "interrupted"),
        ("breaker", "stopped_at_canary", "canary"),
        ("breaker", "stopped_at_ramp", "ramp"),
    ],
)
def test_resumes_are_counted_by_the_stage_at_which_they_ended(
    viewer: APIClient, subject: str, verb: str, stage: str
) -> None:
    events.record(subject, "all", verb, actor=ANN)
    events.record("campaign", 1, verb, actor=ANN)
    counted = {name: value for name, value in samples(viewer).items() if name.startswith("holdfast_queue_resumes")}
    assert {name for name, value in counted.items() if value} == {f"holdfast_queue_resumes_total {stage}"}
    assert counted[f"holdfast_queue_resumes_total {stage}"] == 1


def test_the_oldest_job_is_found_by_service_and_status(viewer: APIClient) -> None:
    running, paused = make_campaign("RUNNING"), make_campaign("PAUSED")
    for seconds in (90, 30):
        make_job(running, "verify", created_at=ago(seconds))
    make_job(running, "write", "PROCESSING", claimed_at=ago(20))
    make_job(running, "write", "COMPLETED", created_at=ago(1000))
    make_job(paused, "write", created_at=ago(500))
    oldest = {name: value for name, value in samples(viewer).items() if name.startswith("holdfast_jobs_oldest")}
    assert {name: round(value, -1) for name, value in oldest.items()} == {
        "holdfast_jobs_oldest_seconds millionverifier PENDING": 90,
        "holdfast_jobs_oldest_seconds openai PROCESSING": 20,
        "holdfast_jobs_oldest_seconds openai PAUSED": 500,
    }


def test_the_lag_is_that_of_the_supervisor_that_led_last(viewer: APIClient) -> None:
    assert "holdfast_supervisor_lag_seconds" not in samples(viewer)
    make_process("supervisor", name="gone:1", leading=True, started_at=ago(900), seen_at=ago(600))
    assert samples(viewer)["holdfast_supervisor_lag_seconds"] == pytest.approx(600, abs=5)
    make_process("supervisor", name="leads:2", leading=True, started_at=ago(900), seen_at=ago(1))
    assert samples(viewer)["holdfast_supervisor_lag_seconds"] < 10
    assert Process.objects.count() == 2


def test_whatever_can_be_counted_begins_at_zero(viewer: APIClient) -> None:
    numbers = samples(viewer)
    for service in SERVICES:
        for name in (
            f"holdfast_calls_total timeout {service}",
            f"holdfast_refusals_total unreachable {service}",
            f"holdfast_admissions_total {service}",
            f"holdfast_breaker_openings_total {service}",
            f"holdfast_call_duration_seconds_bucket 120.0 {service}",
        ):
            assert name in numbers


def test_an_answer_costs_few_statements_however_much_there_is(
    viewer: APIClient, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        campaign = make_campaign("RUNNING")
        for _ in range(3):
            make_call(make_job(campaign))
    with django_assert_max_num_queries(25):
        viewer.get("/metrics")


# --- the page ---------------------------------------------------------------------------------------------------------


def exposed(client: APIClient) -> dict[str, tuple[str, set[str]]]:
    """Type and labels of each metric, named as its counter is read."""
    make_process("supervisor", leading=True, steps={"dispatch": {"seconds": 1, "overruns": 2}})
    make_job(make_campaign("RUNNING"))
    text = client.get("/metrics").content.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    return found


def test_the_page_names_each_metric_with_its_type_and_its_labels(viewer: APIClient) -> None:
    page = {quoted(name)[0]: (kind, set(quoted(labels))) for name, kind, labels, _ in rows(PAGE, "metrics")}
    found = exposed(viewer)
    assert sorted(page) == sorted(found)
    for name, (kind, labels) in found.items():
        assert page[name][0] == kind, name
        # Without samples nothing says which labels there are.
        assert labels <= page[name][1] or not labels, name
        assert page[name][1] <= LABELS


def test_names_in_rules_dashboard_and_docs_exist(viewer: APIClient) -> None:
    known = set(exposed(viewer))
    texts = [*(ROOT / "deploy").rglob("*.*"), *(ROOT / "docs").glob("*.md")]
    named = {name for path in texts for name in re.findall(r"\bholdfast_[a-z_]+\b", path.read_text())}
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) if name not in known else name for name in named}
    assert bare - known == set()
