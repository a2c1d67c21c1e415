"""`manage.py failures`: what it prints for people and for programs, and its exit statuses."""

import uuid
from typing import Any

import pytest

from campaigns.models import JobRow
from circuitbreakers.models import Event
from tests.campaigns.failing import fail, the_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def test_groups_are_listed_planned_and_retried(manage: Any) -> None:
    job = fail()
    ran = manage("failures", "list", "--service", "millionverifier")
    assert (ran.status, ran.err) == (0, "")
    assert str(the_group().key) in ran.out
    assert "HTTP <n> for <id>" in ran.out
    assert manage("failures", "list", "--campaign", job.campaign_id, "--json").data["groups"][0]["count"] == 1
    assert manage("failures", "list", "--page", "2").out == "(none)\n"
    told = manage("failures", "plan", the_group().key)
    assert "1 failures in 1 campaign. A retry puts back 1: at most $" in told.out
    assert f"for instance job {job.pk}, lead {job.lead_id}, campaign {job.campaign_id}: HTTP 503 for req_1" in told.out
    token = manage("failures", "plan", the_group().key, "--json").data["token"]
    ran = manage("failures", "retry", token, "--reason", "well again", "--actor", "olga")
    assert (ran.status, ran.out) == (0, "1 failures put back, in 1 campaigns.\n")
    event = Event.objects.get(subject_type="failures")
    assert (event.actor, event.door, event.reason) == ("olga", "command", "well again")


def test_a_group_is_dropped_and_a_second_time_refused(manage: Any) -> None:
    fail(state="DROPPED")
    token = manage("failures", "plan", the_group().key, "--json").data["token"]
    assert manage("failures", "drop", token).status == 1  # without a reason
    assert JobRow.objects.get().status == "FAILED"
    assert manage("failures", "drop", token, "--reason", "old", "--json").data["jobs"] == 1
    ran = manage("failures", "drop", token, "--reason", "old")
    assert (ran.status, "retried or dropped meanwhile" in ran.err + ran.out) == (1, True)


def test_what_is_not_there_and_what_is_no_key_or_token_is_refused(manage: Any) -> None:
    assert manage("failures", "plan", uuid.uuid4()).status == 1
    assert manage("failures", "plan", "x").status == 2
    assert manage("failures", "retry", "x", "--reason", "why").status == 1
    assert manage("failures", "list", "--service", "acme").status == 2
