"""The bodies that the domain makes by hand have the fields that the API's serializers describe, no more and no less."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from api import queue
from circuitbreakers import probes
from circuitbreakers.events import Actor
from tests.breakers import reset, trip
from tests.builders import make_campaign, make_job

URL = "/api/v1/queue-management"


def differences(described: Any, value: Any, path: str = "body") -> Iterator[str]:
    """Every field that a body has and its serializer has not, or the other way round, at any depth."""
    if isinstance(described, serializers.ListSerializer | serializers.ListField):
        for number, part in enumerate(value):
            yield from differences(described.child, part, f"{path}[{number}]")
    elif isinstance(described, serializers.DictField):
        for key, part in value.items():
            yield from differences(described.child, part, f"{path}.{key}")
    elif isinstance(described, serializers.Serializer) and value is not None:
        needed = {name for name, field in described.fields.items() if field.required}
        yield from (f"{path} lacks {name}" for name in needed - value.keys())
        yield from (f"{path} has {name} besides" for name in value.keys() - described.fields.keys())
        for name in value.keys() & described.fields.keys():
            yield from differences(described.fields[name], value[name], f"{path}.{name}")


def assert_described(serializer: type[serializers.Serializer], body: dict[str, Any]) -> None:
    assert list(differences(serializer(), body)) == []
    serializer(data=body).is_valid(raise_exception=True)


def an_outage() -> None:
    """A running campaign with a job, paused by an opening; one breaker has been probed."""
    make_job(make_campaign("RUNNING"))
    trip("apollo")
    probes.probe("apollo", actor=Actor("ann", "cli"))


@pytest.mark.parametrize(
    ("path", "serializer"),
    [
        ("status", queue.QueueStatus),
        ("circuit-breakers", queue.Breakers),
        ("resume-queue", queue.ResumePlan),
        ("campaign-status", queue.CampaignStatus),
    ],
)
def test_what_is_read_is_as_described(operator: APIClient, path: str, serializer: type[serializers.Serializer]) -> None:
    an_outage()
    assert_described(serializer, operator.get(f"{URL}/{path}").json()["data"])


def test_what_a_resume_answers_is_as_described(operator: APIClient, live_processes: None) -> None:
    an_outage()
    reset("apollo")
    assert_described(queue.ResumeResult, operator.post(f"{URL}/resume-queue").json()["data"])


def test_a_field_too_many_or_too_few_is_named() -> None:
    item = {"name": "redis", "ok": True, "detail": "", "why": ""}
    assert sorted(differences(queue.PlanItem(many=True), [item])) == ["body[0] has why besides", "body[0] lacks mend"]
