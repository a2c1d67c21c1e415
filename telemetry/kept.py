"""Counts are added up over all processes and their restarts in PostgreSQL: whichever web process is asked, says all.

A process adds what it has counted since the last time with its sign of life, so that counting costs a job nothing; a
killed one takes its last two seconds with it.
"""

import json
import threading
from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from telemetry.counters import REGISTRY
from telemetry.models import Count

Key = tuple[str, str]  # a sample's name, its labels as JSON

# In the order of their keys, as all do: two processes that add at the same time wait and do not deadlock.
ADD = """
INSERT INTO counts (sample, labels, value) SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[])
ON CONFLICT (sample, labels) DO UPDATE SET value = counts.value + excluded.value
"""

_added: dict[Key, float] = {}
_lock = threading.Lock()


def add() -> int:
    """Add to PostgreSQL what this process has counted since the last time; how many samples that changed.

    Raises DatabaseError: then it is added the next time.
    """
    with _lock:
        counted = {key: value for key, value in _counted().items() if value != _added.get(key, 0.0)}
        if counted:
            keys = sorted(counted)
            differences = [counted[key] - _added.get(key, 0.0) for key in keys]
            with connection.cursor() as cursor:
                cursor.execute(ADD, [[name for name, _ in keys], [labels for _, labels in keys], differences])
            _added.update(counted)
        return len(counted)


def metrics() -> Iterator[Metric]:
    """Yield what all processes have counted, in two-second-old numbers; 0 for the labels that this process knows of and
    nobody has counted yet, so that a counter's first rise is seen."""
    kept = {(sample, labels): value for sample, labels, value in Count.objects.values_list("sample", "labels", "value")}
    for family in REGISTRY.collect():
        metric = Metric(family.name, family.documentation, family.type)
        for name, labels in _keys(family):
            metric.add_sample(name, json.loads(labels), kept.pop((name, labels), 0.0))
        if family.type == "counter":
            for name, labels in [key for key in kept if key[0] == f"{family.name}_total"]:
                metric.add_sample(name, json.loads(labels), kept[name, labels])
        yield metric


def _counted() -> dict[Key, float]:
    """Return all that this process has counted since it began."""
    return {
        key: sample.value
        for family in REGISTRY.collect()
        for key, sample in zip(_keys(family), _samples(family), strict=True)
    }


def _keys(family: Metric) -> list[Key]:
    return [(sample.name, json.dumps(sample.labels, sort_keys=True)) for sample in _samples(family)]


def _samples(family: Metric) -> list[Sample]:
    return [sample for sample in family.samples if not sample.name.endswith("_created")]
