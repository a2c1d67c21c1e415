"""Campaigns through the API: made from a search or a CSV, once per key, and moved by their verbs."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign, Lead
from circuitbreakers.models import Event
from tests.api.conftest import client_of
from tests.breakers import trip
from tests.builders import make_call, make_campaign, make_job, make_lead

URL = "/api/v1/campaigns"
SEARCH = "https://app.apollo.io/#/people?personTitles[]=cto&personNotTitles[]=cfo"
CSV = "First Name,Last Name,Company,Email\nAnn,Lee,Acme,ann@acme.example\nBo,Ray,Beta,not an address\n"


def a_file(text: str | bytes = CSV) -> SimpleUploadedFile:
    return SimpleUploadedFile("leads.csv", text.encode() if isinstance(text, str) else text, "text/csv")


def upload(client: APIClient, url: str = URL, **fields: Any) -> Any:
    return client.post(url, fields, format="multipart")


def test_a_campaign_is_made_from_an_apollo_search_with_what_has_no_effect_named(operator: APIClient) -> None:
    answer = operator.post(URL, {"name": "CTOs", "max_leads": 50, "apollo_url": SEARCH})
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert (data["name"], data["status"], data["max_leads"], data["created_by"]) == ("CTOs", "CREATED", 50, "operator")
    assert data["search"] == {"person_titles[]": ["cto"]}
    assert data["messages"] == ["personNotTitles has no effect: people with these titles will be found too."]
    assert Event.objects.get(subject_type="campaign", verb="created").door == "api"


def test_a_campaign_is_made_from_an_uploaded_csv(operator: APIClient) -> None:
    answer = upload(operator, name="From a file", csv=a_file())
    assert answer.status_code == 201
    report = answer.json()["data"]["leads_imported"]
    assert (report["rows"], report["taken"], report["skipped"]) == (2, 1, {"malformed address": 1})
    assert Lead.objects.get().email == "ann@acme.example"


@pytest.mark.parametrize(("delimiter", "chosen"), [("~", "~"), ("\t", "\t"), ("|", "pipe")])
def test_a_delimiter_can_be_chosen(operator: APIClient, delimiter: str, chosen: str) -> None:
    text = CSV.replace(",", delimiter)
    inline = operator.post(URL, {"name": "Inline", "csv": text, "delimiter": chosen})
    pk = inline.json()["data"]["id"]
    assert inline.json()["data"]["leads_imported"]["delimiter"] == delimiter
    again = upload(operator, f"{URL}/{pk}/leads", csv=a_file(text), delimiter=chosen)
    assert again.json()["data"]["report"]["skipped"] == {"malformed address": 1, "already in campaign": 1}
    made = upload(operator, name="From a file", csv=a_file(text), delimiter=chosen)
    assert made.json()["data"]["leads_imported"]["taken"] == 1
    refused = operator.post(URL, {"name": "Inline", "csv": text, "delimiter": "ab"})
    assert "cannot separate columns" in refused.json()["errors"]["csv"][0]


def test_a_guessed_column_and_the_headers_row_are_said(operator: APIClient) -> None:
    answer = operator.post(URL, {"name": "Inline", "csv": "A list\nWer,Kontakt\nAnn,ann@acme.example\n"})
    report = answer.json()["data"]["leads_imported"]
    assert (report["taken"], report["guessed"], report["header_row"]) == (1, ["Kontakt"], 2)


def test_a_campaign_is_made_from_a_csv_inside_the_json(operator: APIClient) -> None:
    answer = operator.post(URL, {"name": "Inline", "csv": CSV})
    assert (answer.status_code, answer.json()["data"]["leads_imported"]["taken"]) == (201, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Name,Phone\nAnn,1\n", "No column holds e-mail addresses"),
        ("", "empty"),
        (b"Email\n\xff\xfe\xfa@acme.example\n", "UTF"),
        (b"PK\x03\x04 zip", "Excel workbook or a ZIP archive"),
    ],
)
def test_a_file_that_is_refused_leaves_no_campaign_behind(
    operator: APIClient, content: str | bytes, words: str
) -> None:
    answer = upload(operator, name="Broken", csv=a_file(content))
    assert answer.status_code == 400
    assert words in answer.json()["errors"]["csv"][0]
    assert not Campaign.objects.exists()


def test_an_address_that_is_no_search_is_an_error_of_its_field(operator: APIClient) -> None:
    answer = operator.post(URL, {"name": "x", "apollo_url": "https://evil.example/#/people?personTitles[]=cto"})
    assert answer.status_code == 400
    assert "app.apollo.io" in answer.json()["errors"]["apollo_url"][0]


def test_a_prompt_with_an_unknown_placeholder_is_refused_when_it_is_saved(operator: APIClient) -> None:
    answer = operator.post(URL, {"name": "x", "mail_prompt": "Dear {frist_name}"})
    assert "There is no placeholder {frist_name}" in answer.json()["errors"]["mail_prompt"][0]


def test_status_and_owner_are_not_taken_from_the_caller(operator: APIClient) -> None:
    operator.post(URL, {"name": "x", "status": "RUNNING", "created_by": "root", "id": 7, "operator_paused_by": "x"})
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.created_by, campaign.operator_paused_by) == ("CREATED", "operator", "")


def test_the_same_key_and_body_return_the_first_campaign(operator: APIClient) -> None:
    first = operator.post(URL, {"name": "x", "csv": CSV}, headers={"Idempotency-Key": "k-1"})
    again = operator.post(URL, {"name": "x", "csv": CSV}, headers={"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["data"]["id"] == first.json()["data"]["id"]
    assert again["Idempotent-Replayed"] == "true"
    assert (Campaign.objects.count(), Lead.objects.count()) == (1, 1)


@pytest.mark.parametrize("other", [{"name": "y", "csv": CSV}, {"name": "x", "csv": CSV + "Cy,Fox,C,cy@c.example\n"}])
def test_the_same_key_with_another_body_is_a_conflict(operator: APIClient, other: dict[str, str]) -> None:
    operator.post(URL, {"name": "x", "csv": CSV}, headers={"Idempotency-Key": "k-1"})
    answer = operator.post(URL, other, headers={"Idempotency-Key": "k-1"})
    assert answer.status_code == 409
    assert Campaign.objects.count() == 1


def test_another_users_equal_key_is_another_key(operator: APIClient) -> None:
    client_of("admin").post(URL, {"name": "x"}, headers={"Idempotency-Key": "k-1"})
    assert operator.post(URL, {"name": "y"}, headers={"Idempotency-Key": "k-1"}).status_code == 201


def test_a_key_whose_file_was_refused_can_be_used_again(operator: APIClient) -> None:
    assert operator.post(URL, {"name": "x", "csv": "Name\nAnn\n"}, headers={"Idempotency-Key": "k"}).status_code == 400
    assert operator.post(URL, {"name": "x", "csv": CSV}, headers={"Idempotency-Key": "k"}).status_code == 201


def test_a_campaign_goes_through_its_life(operator: APIClient) -> None:
    pk = operator.post(URL, {"name": "x", "csv": CSV}).json()["data"]["id"]
    for verb, status in (("start", "RUNNING"), ("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
        answer = operator.post(f"{URL}/{pk}/{verb}", {"reason": "as planned"})
        assert (answer.status_code, answer.json()["data"]["status"]) == (200, status)
        assert answer.json()["data"]["action"] == verb


@pytest.mark.parametrize(
    ("status", "verb"),
    [("CREATED", "start"), ("RUNNING", "start"), ("RUNNING", "resume"), ("CREATED", "pause"), ("CANCELLED", "cancel"),
     ("CREATED", "retry-failed")],
)  # fmt: skip
def test_a_move_that_the_state_forbids_is_a_conflict(operator: APIClient, status: str, verb: str) -> None:
    campaign = make_campaign(status)  # CREATED: it has no leads
    answer = operator.post(f"{URL}/{campaign.pk}/{verb}", {"reason": "x"})
    assert answer.status_code == 409
    assert f"Campaign {campaign.pk}" in answer.json()["detail"]


def test_what_the_system_paused_is_not_resumed_one_by_one(operator: APIClient) -> None:
    campaign = make_campaign("RUNNING")
    trip("apollo")
    answer = operator.post(f"{URL}/{campaign.pk}/resume")
    assert answer.status_code == 409
    assert "resume the queue" in answer.json()["detail"]


def test_failed_jobs_are_put_back_and_counted(operator: APIClient) -> None:
    campaign = make_campaign("RUNNING")
    make_job(campaign, status="FAILED", completed_at=campaign.started_at, failure_type="timeout")
    answer = operator.post(f"{URL}/{campaign.pk}/retry-failed")
    assert answer.json()["data"] == {"id": campaign.pk, "action": "retry_failed", "jobs": 1}


def test_leads_are_added_to_a_campaign_and_the_same_file_adds_nothing(operator: APIClient) -> None:
    campaign = make_campaign("CREATED")
    for taken in (1, 0):
        answer = upload(operator, f"{URL}/{campaign.pk}/leads", csv=a_file())
        assert (answer.status_code, answer.json()["data"]["report"]["taken"]) == (200, taken)
    assert operator.post(f"{URL}/{campaign.pk}/leads", {}, format="multipart").status_code == 400


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED", "FAILED"])
def test_a_campaign_that_has_ended_takes_no_leads(operator: APIClient, status: str) -> None:
    campaign = make_campaign(status)
    answer = upload(operator, f"{URL}/{campaign.pk}/leads", csv=a_file())
    assert (answer.status_code, set(answer.json())) == (409, {"status", "detail"})
    assert "takes no more leads" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["campaigns/4711", "campaigns/4711/progress", "campaigns/4711/leads", "incidents/4711"]
)
def test_what_does_not_exist_is_not_found(operator: APIClient, path: str) -> None:
    answer = operator.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()) == (404, {"status": "error", "detail": "Not found."})


def test_a_verb_on_what_does_not_exist_is_not_found(operator: APIClient) -> None:
    for verb in ("start", "pause", "resume", "cancel", "retry-failed"):
        assert operator.post(f"{URL}/4711/{verb}").status_code == 404


def test_progress_is_counted_when_it_is_asked_for(viewer: APIClient) -> None:
    campaign = make_campaign("RUNNING")
    make_job(campaign)
    data = viewer.get(f"{URL}/{campaign.pk}/progress").json()["data"]
    assert (data["leads"], data["stages"], data["jobs"]) == ({"OPEN": 1}, {"verify": 1}, {"PENDING": 1})


def test_lists_are_filtered_searched_and_ordered(viewer: APIClient) -> None:
    red = make_campaign("RUNNING", name="Red")
    make_campaign("PAUSED", name="Blue", operator_paused_at=red.started_at)
    make_campaign("CREATED", name="Reddish")

    def names(query: str) -> list[str]:
        return [row["name"] for row in viewer.get(f"{URL}?{query}").json()["data"]["results"]]

    assert names("") == ["Reddish", "Blue", "Red"]
    assert names("status=RUNNING&status=PAUSED") == ["Blue", "Red"]
    assert names("search=red&ordering=name") == ["Red", "Reddish"]
    assert viewer.get(f"{URL}?status=SLEEPING").json()["errors"]["status"]


def test_leads_jobs_and_calls_are_found_by_what_they_belong_to(viewer: APIClient) -> None:
    campaign, other = make_campaign("RUNNING"), make_campaign("RUNNING")
    job = make_job(campaign)
    call = make_call(job, outcome="timeout")
    make_call(make_job(other))
    make_lead(campaign, email="zoe@beta.example", company="Beta")

    def ids(path: str) -> list[int]:
        return [row["id"] for row in viewer.get(f"/api/v1/{path}").json()["data"]["results"]]

    assert ids(f"jobs?campaign={campaign.pk}&status=PENDING") == [job.pk]
    assert ids("vendor-calls?outcome=timeout") == [call.pk]
    assert ids("leads?email=ZOE@beta.example") == ids("leads?company=BETA") == ids("leads?search=zoe")
    assert ids(f"campaigns/{campaign.pk}/leads?search=person")
    assert len(ids("leads")) == 3


def test_a_page_of_campaigns_reads_all_their_numbers_at_once(viewer: APIClient) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            rows = viewer.get(URL).json()["data"]["results"]
        assert [row["progress"]["jobs"] for row in rows] == [{"PENDING": 1}] * len(rows)
        return len(seen)

    make_job(make_campaign("CREATED"))
    statements()  # the first request also reads who asks
    one = statements()
    for _ in range(9):
        make_job(make_campaign("CREATED"))
    assert statements() == one
