"""Each alert fires when it should and not before, by promtool's test of rules, and the runbook says what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.alerts import PROMETHEUS, RULES, alerts, as_yaml, expectation, firing
from tests.deploy.promtool import promtool
from tests.pages import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"
APOLLO = {"service": "apollo"}
# Alert: its series by the minute, when it is still quiet, when it fires, with which labels, its value as it is written.
CASES: dict[str, tuple[dict[str, str], str, str, dict[str, str], str]] = {
    "HoldfastDown": (
        {'up{job="holdfast",instance="x"}': "1x2 0x10"},
        "4m", "6m", {"job": "holdfast", "instance": "x"}, "",
    ),
    "HoldfastRedisDown": ({"holdfast_redis_up": "1x2 0x10"}, "3m", "5m", {}, ""),
    "HoldfastWorkersWithoutRedis": (
        {'holdfast_refusals_total{service="apollo",reason="unreachable"}': "0x5 5+5x20",
         'holdfast_refusals_total{service="openai",reason="paused"}': "0+100x30"},
        "6m", "15m", {}, "",
    ),
    "HoldfastNoWorker": (
        {'holdfast_processes{role="worker"}': "3x2 0x10", 'holdfast_processes{role="supervisor"}': "1x12"},
        "3m", "5m", {}, "",
    ),
    "HoldfastNoSupervisor": (
        {'holdfast_processes{role="supervisor"}': "1x2 0x10", 'holdfast_processes{role="worker"}': "1x12"},
        "3m", "5m", {}, "",
    ),
    "HoldfastSupervisorLags": ({"holdfast_supervisor_lag_seconds": "2x4 20+0x9"}, "4m", "7m", {}, "20s"),
    "HoldfastStepFails": (
        {'holdfast_supervisor_step_failures_total{step="feed leads"}': "0x20 0+1x20", "holdfast_redis_up": "1x60"},
        "21m", "35m", {"step": "feed leads"}, "",
    ),
    "HoldfastBreakerOpen": (
        {'holdfast_breaker_state{service="apollo",state="open"}': "0x5 1x2 0x9",
         'holdfast_breaker_state{service="apollo",state="half_open"}': "0x7 1x9",
         'holdfast_breaker_state{service="openai",state="closed"}': "1x20"},
        "4m", "9m", APOLLO, "",
    ),
    "HoldfastStateLost": (
        {'holdfast_breaker_state{service="apollo",state="lost"}': "0x2 1x9"}, "3m", "6m", APOLLO, "",
    ),
    "HoldfastPausedForHours": (
        {'holdfast_queue_active{service="apollo"}': "1x5 0x300", 'holdfast_queue_active{service="openai"}': "0x300"},
        "4h", "4h10m", {}, "",
    ),
    "HoldfastResumeStopped": (
        {'holdfast_queue_resumes_total{stage="full"}': "0+1x60",
         'holdfast_queue_resumes_total{stage="canary"}': "0x10 1x60"},
        "10m", "15m", {"stage": "canary"}, "",
    ),
    "HoldfastCascadeSlow": (
        {"holdfast_cascade_duration_seconds_count": "0x5 1x15 2x20",
         'holdfast_cascade_duration_seconds_bucket{le="10.0"}': "0x5 1x15 1x20"},
        "10m", "25m", {}, "",
    ),
    "HoldfastNothingMoves": (
        {'holdfast_jobs_oldest_seconds{service="apollo",status="PENDING"}': "0+60x60",
         'holdfast_admissions_total{service="apollo"}': "0+5x10 50x60",
         'holdfast_queue_active{service="apollo"}': "1x60"},
        "25m", "40m", APOLLO, "",
    ),
    "HoldfastCallsFail": (
        {'holdfast_calls_total{service="apollo",outcome="success"}': "0+3x60",
         'holdfast_calls_total{service="apollo",outcome="timeout"}': "0x20 0+1x40",
         'holdfast_calls_total{service="openai",outcome="invalid_request"}': "0+9x60"},
        "21m", "45m", APOLLO, "25%",
    ),
    "HoldfastCallsSlow": (
        {'holdfast_call_duration_seconds_bucket{service="apollo",le="60.0"}': "0+8x60",
         'holdfast_call_duration_seconds_bucket{service="apollo",le="120.0"}': "0+10x60",
         'holdfast_call_duration_seconds_bucket{service="apollo",le="+Inf"}': "0+10x60"},
        "9m", "30m", APOLLO, "",
    ),
    "HoldfastCallsUnknown": (
        {'holdfast_calls_total{service="apollo",outcome="unknown"}': "0x60 0+1x60",
         'holdfast_calls_total{service="apollo",outcome="timeout"}': "0+1x120"},
        "65m", "2h", APOLLO, "59",
    ),
    "HoldfastLeasesReclaimed": (
        {'holdfast_leases_reclaimed_total{reason="died"}': "0x30 0+1x60"}, "40m", "1h", {"reason": "died"}, "29",
    ),
    "HoldfastMessagesWait": ({"holdfast_outbox_oldest_seconds": "0x5 0+60x30"}, "12m", "20m", {}, "14m 0s"),
    "HoldfastMessagesGivenUp": (
        {'holdfast_deliveries_total{outcome="given_up"}': "0x30 1x60",
         'holdfast_deliveries_total{outcome="failed"}': "0+1x90"},
        "30m", "35m", {}, "",
    ),
    "HoldfastCampaignHalted": ({"holdfast_campaigns_halted": "0x5 2x60"}, "30m", "40m", {}, "2"),
    "HoldfastOutcomesWait": ({"holdfast_outcomes_waiting": "5x5 200x20"}, "10m", "20m", {}, ""),
    "HoldfastWebhookMissed": (
        {'holdfast_outcomes_missed{kind="reply"}': "6x60", 'holdfast_outcomes_missed{kind="bounce"}': "0x5 7x60"},
        "30m", "40m", {}, "13",
    ),
}  # fmt: skip


@pytest.mark.processes
def test_the_rules_and_the_configuration_are_such() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")


def test_each_alert_has_a_case() -> None:
    assert set(CASES) == set(alerts())


@pytest.mark.processes
@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_not_before(name: str, tmp_path: Path) -> None:
    series, quiet, fires, labels, value = CASES[name]
    expected = [expectation(name, quiet), expectation(name, fires, firing(name, value, **labels))]
    file = tmp_path / "case.yml"
    file.write_text(as_yaml(RULES, "1m", series, expected))
    promtool("test", "rules", file)


@pytest.mark.processes
def test_the_recorded_trip_rings_while_it_lasts() -> None:
    promtool("test", "rules", PROMETHEUS / "trip.test.yml")


def test_the_recorded_trip_has_the_numbers_of_today() -> None:
    recorded = yaml.safe_load((PROMETHEUS / "trip.test.yml").read_text())["tests"][0]
    named = {re.split(r"[{ ]", one["series"])[0] for one in recorded["input_series"]}
    used = {name for rule in alerts().values() for name in re.findall(r"\bholdfast_\w+", rule["expr"])}
    assert named <= used | {"up"}
    assert {"holdfast_breaker_state", "holdfast_calls_total", "holdfast_queue_active"} <= named


# --- the runbook ------------------------------------------------------------------------------------------------------


def test_each_alert_has_its_paragraph_in_the_runbook() -> None:
    paragraphs = dict(re.findall(r"^### (Holdfast\w+)\n\n(.+)$", RUNBOOK.read_text(), re.MULTILINE))
    assert list(paragraphs) == list(alerts())
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert paragraphs[name].startswith(rule["labels"]["severity"].capitalize())


def anchors(text: str) -> set[str]:
    """A page's headings as GitHub links them, and the anchors that are written."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    linked = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return linked | set(re.findall(r'<a id="([^"]+)">', text))


def test_links_within_the_runbook_lead_somewhere() -> None:
    text = RUNBOOK.read_text()
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors(text)


# --- the dashboard ----------------------------------------------------------------------------------------------------


def panels() -> list[dict[str, Any]]:
    content = yaml.safe_load((ROOT / "deploy" / "grafana" / "holdfast.json").read_text())
    return [panel for panel in content["panels"] if panel["type"] != "row"]


@pytest.mark.processes
def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert len(expressions) > 15
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


def test_every_panel_says_what_it_shows_and_leaves_room_for_the_others() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
