"""Health and metrics: what load balancers, monitors and Prometheus see."""

import re
from typing import Any

import pytest
from django.db import OperationalError, connection
from rest_framework.test import APIClient

from tests.breakers import trip
from tests.builders import make_campaign

READY = "/api/v1/health/ready"


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_a_process_that_answers_is_alive_whatever_else_is_down(
    anonymous: APIClient, redis_down: None, prefix: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = anonymous.get(f"{prefix}/health/live")
    assert answer.json() == {"status": "success", "data": {"alive": True}}


def test_ready_names_what_is_missing_without_turning_the_web_away(anonymous: APIClient) -> None:
    data = anonymous.get(READY).json()["data"]
    assert data == {"ready": True, "mode": "sandbox", "missing": ["No live worker", "No live supervisor"]}


def test_ready_misses_nothing_when_all_run(anonymous: APIClient, live_processes: None) -> None:
    assert anonymous.get("/health/ready").json()["data"]["missing"] == []


def test_few_connections_left_are_said_and_turn_nobody_away(
    anonymous: APIClient, live_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuitbreakers.connections.SCARCE", 0)
    (sentence,) = anonymous.get(READY).json()["data"]["missing"]
    assert re.fullmatch(r"PostgreSQL has \d+ of 197 connections left", sentence)


def test_without_redis_it_is_not_ready_and_says_so(
    anonymous: APIClient, live_processes: None, redis_down: None
) -> None:
    answer = anonymous.get(READY)
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "error",
        "detail": "Not ready: Redis does not answer; The message broker does not answer",
    }


def test_without_postgresql_it_is_not_ready_and_says_so(anonymous: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setattr(connection, "cursor", refuse)
        without.setattr(connection, "close", lambda: None)
        answer = anonymous.get(READY)
    assert (answer.status_code, answer.json()["detail"]) == (503, "Not ready: PostgreSQL does not answer")


def refuse(*_: Any, **__: Any) -> Any:
    raise OperationalError("server closed the connection")


def test_without_postgresql_everything_else_is_503(viewer: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer.get("/api/v1/campaigns")
    monkeypatch.setattr("campaigns.overview.queue_status", refuse)
    answer = viewer.get("/api/v1/queue-management/status")
    assert answer.status_code == 503
    assert answer.json() == {"status": "error", "detail": "PostgreSQL does not answer. Try again."}


def test_what_is_wrong_can_be_kept_from_strangers(settings: Any, anonymous: APIClient, viewer: APIClient) -> None:
    settings.EXPOSE_HEALTH = "login"
    assert anonymous.get(READY).json()["data"]["missing"] == []
    assert viewer.get(READY).json()["data"]["missing"]


def test_prometheus_reads_the_breakers_and_the_counts(viewer: APIClient) -> None:
    make_campaign("RUNNING")
    trip("apollo")
    text = viewer.get("/metrics").content.decode()
    for line in (
        "holdfast_redis_up 1.0",
        'holdfast_breaker_state{service="apollo",state="open"} 1.0',
        'holdfast_breaker_state{service="openai",state="closed"} 1.0',
        'holdfast_queue_active{service="openai"} 0.0',
        'holdfast_campaigns{status="PAUSED"} 1.0',
        'holdfast_processes{role="supervisor"} 0.0',
        "holdfast_incidents_open 1.0",
    ):
        assert line in text.splitlines(), line


def test_without_redis_prometheus_is_told_so(viewer: APIClient, redis_down: None) -> None:
    text = viewer.get("/metrics").content.decode()
    assert "holdfast_redis_up 0.0" in text
    assert "holdfast_breaker_state" not in text
