"""A real Prometheus scrapes a Holdfast of two web and three worker processes through a trip, and has the numbers of the
ledger.

`RECORD_TRIP=1 .venv/bin/python -m pytest tests/acceptance/test_prometheus.py` writes the trip that the tests of the
alert rules play back: deploy/prometheus/trip.test.yml.
"""

import csv
import itertools
import os
import re
import secrets
import time
from collections import Counter

import pytest
import requests
import yaml

from local.drill import ENVIRONMENT, Drill
from local.processes import Child, free_port
from local.stack import Stack
from tests.deploy.alerts import PROMETHEUS, RULES, alerts, as_yaml, expectation, firing
from tests.deploy.promtool import program, promtool

pytestmark = pytest.mark.processes

LEADS = 400
BREAKS = "openai"
# Played back by the rules' tests: what the alerts of pauses look at, and of the rest what moves in a trip.
RECORDED = (
    'up{job="holdfast"}',
    "holdfast_redis_up",
    "holdfast_processes",
    'holdfast_breaker_state{state=~"open|half_open"}',
    "holdfast_queue_active",
    "holdfast_queue_resumes_total",
    "holdfast_cascade_duration_seconds_count",
    'holdfast_cascade_duration_seconds_bucket{le="10.0"}',
    "holdfast_calls_total > 0",
    "holdfast_refusals_total > 0",
)
MAKE_VIEWER = """
import os, django
django.setup()
from django.contrib.auth.models import Group, User
user = User.objects.create_user("prometheus", password=os.environ["VIEWERS_PASSWORD"], is_staff=True)
user.groups.add(Group.objects.get(name="Viewer"))
"""


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    """As for all acceptance tests, with two processes of the web."""
    env = {**ENVIRONMENT, "WEB_CONCURRENCY": "2"}
    with Stack(tmp_path_factory.mktemp("stack"), env=env, processes=3, threads=8, durable=True) as stack:
        drill = Drill(stack)
        yield drill
        drill.database.close()


@pytest.fixture(scope="module")
def token(drill):
    """A viewer's, as an operator gives it to Prometheus."""
    password = secrets.token_urlsafe()
    drill.stack.python("-c", MAKE_VIEWER, check=True, VIEWERS_PASSWORD=password)
    body = {"username": "prometheus", "password": password, "name": "prometheus", "days": 1}
    answer = requests.post(f"{drill.stack.web_url}/api/v1/auth/token", json=body, timeout=30)
    assert answer.ok, answer.text
    return answer.json()["data"]["token"]


class Prometheus:
    """Asks a running Prometheus by its HTTP API."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, **parameters):
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression):
        """A number; None while there is none."""
        result = self.ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def by(self, expression, *labels):
        """Numbers above zero by these labels."""
        result = self.ask("query", query=f"{expression} > 0")["result"]
        return {tuple(one["metric"][label] for label in labels): float(one["value"][1]) for one in result}

    def firing(self):
        return {
            (one["labels"]["alertname"], one["labels"].get("service", ""))
            for one in self.ask("alerts")["alerts"]
            if one["state"] == "firing"
        }


def ready(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def prometheus(drill, token, tmp_path_factory):
    """With the configuration that is shipped, but for the address and a scrape and an evaluation each second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "token").write_text(token)
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    (scrape,) = config["scrape_configs"]
    scrape["scheme"] = "http"
    scrape["authorization"]["credentials_file"] = str(folder / "token")
    scrape["static_configs"] = [{"targets": [drill.stack.web_url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    child = Child(
        name="prometheus",
        command=[
            *(program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        ],
        log=folder / "prometheus.log",
        ready=lambda: ready(f"http://127.0.0.1:{port}/-/ready"),
    )
    child.start()
    yield Prometheus(f"http://127.0.0.1:{port}")
    child.stop()


@pytest.fixture(scope="module")
def leads(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["First Name", "Last Name", "Title", "Company", "Email"])
        rows.writerows([f"Ida{n}", "Locke", "CTO", f"Acme {n}", f"ida{n}@acme{n}.example"] for n in range(LEADS))
    return path


@pytest.fixture(scope="module")
def trip(drill, prometheus, leads):
    """A restart of the workers, an opening, a resume, the end: when it began and ended."""
    drill.until("Prometheus scrapes", lambda: prometheus.value('up{job="holdfast"}') == 1)
    drill.command("campaign", "create", "Measured", "--csv", str(leads), "--start")
    drill.until("calls are made", lambda: drill.value("SELECT count(*) FROM vendor_calls") > 50)
    drill.stack.child("workers").restart()
    began = time.time()
    drill.until("quiet", lambda: time.time() - began > 5 and prometheus.firing() == set())
    drill.control(BREAKS, {"fault": "server_error"})
    drill.until("Prometheus rings", lambda: prometheus.firing() == {("HoldfastBreakerOpen", BREAKS)})
    stood = f'min_over_time(holdfast_breaker_state{{service="{BREAKS}", state="open"}}[3s])'
    drill.until("it has been open for some scrapes", lambda: prometheus.value(stood) == 1)
    drill.control(BREAKS, {"fault": "none"})
    drill.until(
        "nothing is in flight", lambda: drill.value("SELECT count(*) FROM jobs WHERE status = 'PROCESSING'") == 0
    )
    drill.command("breaker", "reset", BREAKS, "--reason", "mended")
    drill.command("queue", "resume", "--reason", "mended")
    drill.until("the campaign ends", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED")
    drill.until("it rings no more", lambda: prometheus.firing() == set())
    return began, time.time()


def test_prometheus_has_the_numbers_of_the_ledger(drill, prometheus, trip):
    calls = {
        (service, outcome): number
        for service, outcome, number in drill.rows("SELECT service, outcome, count(*) FROM vendor_calls GROUP BY 1, 2")
    }
    assert sum(calls.values()) > LEADS
    # The last signs of life, and the next scrape.
    drill.until(
        "the processes have added what they counted",
        lambda: prometheus.by("holdfast_calls_total", "service", "outcome") == calls,
        within=15,
    )
    by_service = Counter()
    for (service, _), number in calls.items():
        by_service[(service,)] += number
    assert prometheus.by("holdfast_ledger_calls_total", "service") == by_service
    assert prometheus.by("holdfast_admissions_total", "service") == by_service
    assert prometheus.by("holdfast_call_duration_seconds_count", "service") == by_service
    assert prometheus.by("holdfast_call_duration_seconds_bucket{le='+Inf'}", "service") == by_service
    spent = drill.value("SELECT sum(cost_usd) FROM vendor_calls")
    assert prometheus.value("sum(holdfast_spend_usd_total)") == pytest.approx(float(spent))
    jobs = drill.value("SELECT count(*) FROM jobs WHERE status = 'COMPLETED'")
    assert prometheus.by("holdfast_jobs", "status") == {("COMPLETED",): jobs}
    assert prometheus.value("sum(holdfast_jobs_dispatched_total)") >= jobs


def test_prometheus_has_seen_the_trip(drill, prometheus, trip):
    assert drill.value("SELECT count(*) FROM incidents") == 1
    assert prometheus.by("holdfast_breaker_openings_total", "service") == {(BREAKS,): 1}
    assert prometheus.by("holdfast_breaker_resets_total", "service") == {(BREAKS,): 1}
    assert prometheus.by("holdfast_queue_resumes_total", "stage") == {("full",): 1}
    assert prometheus.value("holdfast_cascade_duration_seconds_count") == 1
    assert prometheus.value("holdfast_cascade_duration_seconds_sum") < 10
    assert prometheus.value("holdfast_supervisor_round_duration_seconds_count") > 10
    assert prometheus.value("holdfast_dispatch_rounds_total") > 10
    assert prometheus.value("holdfast_supervisor_lag_seconds") < 15
    began, ended = trip
    seen = prometheus.ask("query_range", query='holdfast_processes{role="worker"}', start=began, end=ended, step=1)
    assert max(float(value) for _, value in seen["result"][0]["values"]) == 3


def test_every_process_of_the_web_says_the_same(drill, token, trip):
    def totals():
        answer = requests.get(
            f"{drill.stack.web_url}/metrics",
            headers={"Authorization": f"Token {token}", "Connection": "close"},
            timeout=30,
        )
        return [line for line in answer.text.splitlines() if re.match(r"holdfast_(calls|ledger|spend|breaker)_", line)]

    assert {tuple(totals()) for _ in range(12)} == {tuple(totals())}


def test_what_is_exposed_keeps_to_the_conventions(drill, token, trip):
    answer = requests.get(f"{drill.stack.web_url}/metrics", headers={"Authorization": f"Token {token}"}, timeout=30)
    promtool("check", "metrics", given=answer.text)


# --- the recording ----------------------------------------------------------------------------------------------------


def values(samples):
    """Prometheus's samples as `promtool test rules` reads them: `0x29 1x30`; a run's first value counts beside."""
    runs = [(value, len(list(run))) for value, run in itertools.groupby(value for _, value in samples)]
    return " ".join(value if length == 1 else f"{value}x{length - 1}" for value, length in runs)


def recording(prometheus, trip):
    """The file for `promtool test rules` that plays the trip back by the second, and what rings in it."""
    began, ended = (round(instant) for instant in trip)
    series, open_at = {}, []
    for expression in RECORDED:
        found = prometheus.ask("query_range", query=expression, start=began, end=ended, step=1)["result"]
        for one in found:
            first = round(one["values"][0][0]) - began
            if one["metric"].get("state") == "open":
                open_at += [round(at) - began for at, value in one["values"] if value == "1"]
            labels = ", ".join(
                f'{name}="{value}"' for name, value in one["metric"].items() if name not in ("__name__", "instance")
            )
            series[f"{one['metric']['__name__']}{{{labels}}}"] = "_ " * first + values(one["values"])
    rings = f"{open_at[len(open_at) // 2]}s"
    expected = [expectation("HoldfastBreakerOpen", rings, firing("HoldfastBreakerOpen", service=BREAKS))]
    for name in alerts():
        expected += [expectation(name, "3s"), expectation(name, f"{ended - began}s")]
        if name != "HoldfastBreakerOpen":
            expected.append(expectation(name, rings))
    return series, expected


def test_the_rules_ring_at_the_recorded_trip_and_at_nothing_else(prometheus, trip, tmp_path):
    series, expected = recording(prometheus, trip)
    file = tmp_path / "trip.test.yml"
    file.write_text(as_yaml(RULES, "1s", series, expected))
    promtool("test", "rules", file)
    if os.environ.get("RECORD_TRIP"):
        (PROMETHEUS / "trip.test.yml").write_text(as_yaml(RULES.name, "1s", series, expected))
