"""What failed, through the API: in groups, with a dry run, retried and dropped as it was shown."""

import uuid

import pytest
from rest_framework.test import APIClient

from api import failures
from campaigns.models import JobRow, Lead
from circuitbreakers.models import Event
from tests.api.test_bodies import assert_described
from tests.builders import make_campaign
from tests.campaigns.failing import fail, the_group

pytestmark = pytest.mark.django_db
URL = "/api/v1/failures"


def test_groups_are_listed_by_page_of_a_service_or_a_campaign(viewer: APIClient) -> None:
    here = make_campaign()
    for word in ("alpha", "beta"):
        fail(here, word)
    fail(None, "alpha")
    body = viewer.get(URL).json()["data"]
    assert_described(failures.FailureGroups, body)
    assert [(one["words"], one["count"]) for one in body["results"]] == [("alpha", 2), ("beta", 1)]
    assert (body["next"], body["previous"]) == (None, None)
    first = viewer.get(URL, {"page_size": 1}).json()["data"]
    second = viewer.get(first["next"]).json()["data"]
    assert [one["words"] for page in (first, second) for one in page["results"]] == ["alpha", "beta"]
    assert viewer.get(second["previous"]).json()["data"]["results"] == first["results"]
    assert viewer.get(URL, {"campaign": here.pk}).json()["data"]["results"][0]["count"] == 1
    assert viewer.get(URL, {"service": "apollo"}).json()["data"]["results"] == []


@pytest.mark.parametrize(
    "query", [{"service": "acme"}, {"campaign": "x"}, {"page": "0"}, {"page": "9" * 30}, {"page_size": "501"}]
)
def test_what_cannot_be_asked_for_is_said(viewer: APIClient, query: dict[str, str]) -> None:
    answer = viewer.get(URL, query)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query))


def test_a_plan_is_shown_and_retried_once(operator: APIClient) -> None:
    fail(make_campaign("CANCELLED"))
    job = fail()
    key = the_group().key
    plan = operator.get(f"{URL}/{key}").json()["data"]
    assert_described(failures.FailurePlan, plan)
    assert (plan["retry"], plan["drop"], plan["stay"]) == (1, 2, {"their campaign was cancelled": 1})
    order = {"token": plan["token"], "reason": "well again"}
    answer = operator.post(f"{URL}/retry", order)
    assert answer.status_code == 200
    assert_described(failures.FailuresDone, answer.json()["data"])
    assert (answer.json()["data"]["action"], answer.json()["data"]["jobs"]) == ("retry", 1)
    assert JobRow.objects.get(pk=job.pk).status == "PENDING"
    event = Event.objects.get(subject_type="failures")
    assert (event.actor, event.door, event.reason) == ("operator", "api", "well again")
    answer = operator.post(f"{URL}/retry", order)
    assert answer.status_code == 409
    assert "2 failures were shown, and other ones are there now. 1 failures in" in answer.json()["detail"]


def test_a_group_is_dropped_and_its_plan_is_gone(operator: APIClient) -> None:
    fail()
    key = the_group().key
    plan = operator.get(f"{URL}/{key}", {"mended": "true"}).json()["data"]
    body = operator.post(f"{URL}/drop", {"token": plan["token"], "reason": "too old"}).json()["data"]
    assert (body["jobs"], body["leads"]) == (1, 1)
    assert Lead.objects.get().state == "DROPPED"
    assert operator.get(f"{URL}/{key}").status_code == 404
    assert operator.get(f"{URL}/{uuid.uuid4()}").status_code == 404
    assert operator.get(f"{URL}/x").status_code == 404


def test_a_token_and_a_reason_are_needed_and_a_viewer_may_only_look(operator: APIClient, viewer: APIClient) -> None:
    fail()
    token = viewer.get(f"{URL}/{the_group().key}").json()["data"]["token"]
    for verb in ("retry", "drop"):
        assert operator.post(f"{URL}/{verb}", {"token": token}).status_code == 400
        assert operator.post(f"{URL}/{verb}", {"reason": "why"}).status_code == 400
        assert operator.post(f"{URL}/{verb}", {"token": "x", "reason": "why"}).status_code == 409
        assert viewer.post(f"{URL}/{verb}", {"token": token, "reason": "why"}).status_code == 403
    assert the_group().count == 1
