"""Counts are added up over processes: none is lost by an ordinary end, none is added twice."""

from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection
from prometheus_client import CollectorRegistry, Counter, Histogram

from telemetry import kept
from telemetry.models import Count
from tests.breakers import at_once

pytestmark = pytest.mark.django_db


class Numbers:
    """A process of its own, as far as `kept` can tell: what it has counted, and what of it has been added."""

    def __init__(self) -> None:
        self.registry, self.added = CollectorRegistry(), dict[Any, float]()
        self.calls = Counter("calls_total", "Calls.", ["service"], registry=self.registry)
        self.seconds = Histogram("seconds", "Seconds.", buckets=(1, 5), registry=self.registry)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`be(numbers)` makes this process that one."""

    def be(numbers: Numbers) -> Numbers:
        monkeypatch.setattr(kept, "REGISTRY", numbers.registry)
        monkeypatch.setattr(kept, "_added", numbers.added)
        return numbers

    return be


def read() -> dict[str, float]:
    return {
        f"{sample.name}{list(sample.labels.values())}": sample.value
        for metric in kept.metrics()
        for sample in metric.samples
    }


def test_what_several_processes_counted_is_added_up_and_outlives_them(processes: Any) -> None:
    for number in (1, 2, 3):
        process = processes(Numbers())
        process.calls.labels("apollo").inc(number)
        process.seconds.observe(number)
        kept.add()
    processes(Numbers())  # of the web, which has counted nothing
    assert read() == {
        "calls_total['apollo']": 6.0,
        "seconds_bucket['1.0']": 1.0,
        "seconds_bucket['5.0']": 3.0,
        "seconds_bucket['+Inf']": 3.0,
        "seconds_count[]": 3.0,
        "seconds_sum[]": 6.0,
    }


def test_what_was_added_is_not_added_again(processes: Any, django_assert_num_queries: Any) -> None:
    process = processes(Numbers())
    process.calls.labels("apollo").inc()
    assert kept.add() == 1
    with django_assert_num_queries(0):
        assert kept.add() == 0
    process.calls.labels("apollo").inc(2)
    kept.add()
    assert read()["calls_total['apollo']"] == 3.0


def test_what_cannot_be_added_is_added_with_the_next(processes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process = processes(Numbers())
    process.calls.labels("apollo").inc(2)
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", refuse)
        with pytest.raises(DatabaseError):
            kept.add()
    process.calls.labels("apollo").inc()
    kept.add()
    assert read()["calls_total['apollo']"] == 3.0


def refuse() -> Any:
    raise DatabaseError


def test_a_label_that_this_process_does_not_know_is_shown(processes: Any) -> None:
    Count.objects.create(sample="calls_total", labels='{"service": "a sixth"}', value=4)
    Count.objects.create(sample="of_an_older_version_total", labels="{}", value=4)
    processes(Numbers())
    assert read()["calls_total['a sixth']"] == 4.0
    assert not [name for name in read() if name.startswith("of_an_older")]


@pytest.mark.django_db(transaction=True)
def test_processes_that_add_at_the_same_time_wait_and_lose_nothing() -> None:
    together = Barrier(4)

    def add() -> None:
        numbers = [f"holdfast_{name}_total" for name in range(50)]
        with connection.cursor() as cursor:
            for _ in range(20):
                together.wait(30)
                cursor.execute(kept.ADD, [numbers, ["{}"] * 50, [1.0] * 50])

    assert at_once(*[add] * 4) == [None] * 4
    assert set(Count.objects.values_list("value", flat=True)) == {80.0}
