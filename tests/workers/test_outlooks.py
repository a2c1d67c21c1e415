"""What the services tell for free of the days ahead, asked beside the work and whatever is paused."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import OutlookReading
from circuitbreakers import gate
from circuitbreakers.models import Event
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from tests.breakers import fail, stored
from tests.stores import break_vendor, calls_of
from workers import ask_outlooks

pytestmark = pytest.mark.django_db


def readings() -> dict[str, OutlookReading]:
    return {row.service: row for row in OutlookReading.objects.all()}


def test_every_service_is_asked_for_free_and_no_breaker_hears_of_it(sandbox: Sandbox) -> None:
    ask_outlooks.ask_all()
    found = readings()
    assert set(found) == set(SERVICES)
    assert all(row.problem == "" for row in found.values())
    assert found["apollo"].left is not None
    assert found["millionverifier"].left is not None
    assert found["instantly"].left is not None
    assert (found["openai"].model, found["openai"].ends) == ("gpt-6.1-terra", None)
    assert all(call["probe"] for call in calls_of(sandbox))
    assert sum(call["charged"] for call in calls_of(sandbox)) == 0


def test_a_service_that_does_not_answer_says_so_and_holds_up_none_of_the_others(sandbox: Sandbox) -> None:
    ask_outlooks.ask_all()
    known = readings()["apollo"].left
    break_vendor(sandbox, "apollo", "server_error")
    ask_outlooks.ask_all()
    found = readings()
    assert "HTTP 5" in found["apollo"].problem
    assert found["apollo"].left == known
    assert found["instantly"].problem == ""
    assert (stored()["state"], stored()["failure_count"]) == ("closed", "0")
    assert gate.should_allow_request("apollo")


def test_they_are_asked_while_everything_is_paused(sandbox: Sandbox) -> None:
    fail("openai", times=5)
    ask_outlooks.ask_all()
    assert all(row.problem == "" for row in readings().values())


def test_an_end_that_comes_nearer_is_told_once_at_each_of_its_times(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "workers.ask_outlooks")
    now = timezone.now()
    row = OutlookReading.objects.create(service="openai", asked_at=now, model="gpt-9", ends=now.date() + timedelta(9))

    def told_when_it_ends_in(days: int) -> int:
        row.ends = now.date() + timedelta(days)
        row.save(update_fields=["ends"])
        return ask_outlooks.tell()

    assert [told_when_it_ends_in(days) for days in (9, 6, 6, 1, 1, 0, 0)] == [0, 1, 0, 1, 0, 1, 0]
    # Another model is set: the next end is told anew.
    assert [told_when_it_ends_in(days) for days in (90, 6)] == [0, 1]
    events = Event.objects.filter(verb="foretold", subject_id="openai").order_by("id")
    assert [event.actor for event in events] == ["supervisor"] * 4
    assert caplog.messages[0] == f"Foresight: openai: model gpt-9 is shut down on {now.date() + timedelta(6)}"
