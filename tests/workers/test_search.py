"""From a pasted Apollo URL to leads: pages, tens, the unmatched, what it cost."""

from decimal import Decimal

import pytest
from pytest_django import Settings

from campaigns import apollo_url, feed, finish, lifecycle, spend
from campaigns.models import Campaign, JobRow, Lead
from integrations.sandbox import Sandbox
from tests.integrations.wire import http, serving
from tests.stores import break_vendor, calls_of
from tests.workers.chain import ANN, TARGET, again

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]

# 127 people of the sandbox's; found out below rather than believed.
URL = "https://app.apollo.io/#/people?personTitles[]=cto&personLocations[]=germany&sortAscending=false&page=1"
NOBODY = "https://app.apollo.io/#/people?qKeywords=nobody-at-all-has-this"


def started(url: str, max_leads: int) -> Campaign:
    search = apollo_url.from_url(url)
    campaign = lifecycle.create(
        actor=ANN,
        name="Search",
        search=search.params,
        search_url=url,
        max_leads=max_leads,
        instantly_campaign_id=TARGET,
    )
    lifecycle.start(campaign.pk, actor=ANN)
    feed.feed()
    return campaign


def work_off(campaign: Campaign) -> None:
    """Every job of Apollo's until there are none."""
    while job := campaign.job_rows.filter(service="apollo", status="PENDING").order_by("id").first():
        assert again(job) == "completed"


def total(url: str) -> int:
    from integrations import apollo

    return apollo.search_people(apollo_url.from_url(url).params, page=1, per_page=1).total


@pytest.fixture
def everybody() -> int:
    found = total(URL)
    assert 100 < found < 400, "choose another search: it must have more than one page, and not too many"
    return found


@pytest.mark.parametrize("asked", ["fewer", "as many", "more", "one"])
def test_a_search_finds_as_many_as_there_are_and_no_more_than_were_asked_for(
    asked: str, everybody: int, sandbox: Sandbox
) -> None:
    max_leads = {"fewer": 25, "as many": everybody, "more": everybody + 50, "one": 1}[asked]
    sandbox.ledger.clear()
    campaign = started(URL, max_leads)
    work_off(campaign)
    expected = min(max_leads, everybody)
    assert campaign.leads.count() == expected
    pages, reveals = campaign.job_rows.filter(kind="find"), campaign.job_rows.filter(kind="reveal")
    assert pages.count() == -(-expected // 100)
    # The search names those who have no address: they are leads at once, and nobody asks for them.
    without = set(campaign.leads.filter(end_reason="no e-mail").values_list("apollo_id", flat=True))
    last = [len(job.payload["people"]) for job in reveals.order_by("part")][-1]
    of_page = {page: sum(len(job.payload["people"]) for job in reveals if job.part // 100 == page) for page in (1, 2)}
    assert last == ((of_page[2] or of_page[1]) % 10 or 10)
    assert {len(job.payload["people"]) for job in reveals if job.part % 10 < 9} <= {
        10,
        of_page[1] % 10,
        of_page[2] % 10,
    }
    asked_for = [key for call in calls_of(sandbox, "apollo") for key in call["keys"]]
    assert len(asked_for) == len(set(asked_for)) == expected - len(without)
    assert without.isdisjoint(asked_for)
    # Whoever has no address is dropped and says why; nobody else is.
    assert not campaign.leads.filter(state="DROPPED", end_reason="").exists()
    assert (
        campaign.leads.filter(state="OPEN").exclude(email=None).count() == campaign.leads.filter(state="OPEN").count()
    )
    booked = spend.by_service(campaign=campaign.pk)["apollo"]
    assert booked.credits == sum(call["charged"] for call in calls_of(sandbox, "apollo"))
    assert booked.calls == len(calls_of(sandbox, "apollo"))


def test_whoever_is_not_matched_or_has_no_address_is_dropped_with_the_reason(everybody: int) -> None:
    campaign = started(URL, everybody)
    work_off(campaign)
    reasons = set(campaign.leads.filter(state="DROPPED").values_list("end_reason", flat=True))
    assert reasons
    assert reasons <= {"no e-mail", "not matched by Apollo", "duplicate address"}
    assert "no e-mail" in reasons


def test_a_search_that_finds_nobody_ends_completed_and_says_so() -> None:
    campaign = started(NOBODY, 100)
    work_off(campaign)
    assert finish.finish_campaigns() == 1
    campaign.refresh_from_db()
    assert (campaign.status, campaign.status_message) == ("COMPLETED", "The search found nobody")
    assert campaign.job_rows.count() == 1


def test_a_search_that_apollo_refuses_ends_failed_with_its_words(settings: Settings) -> None:
    campaign = started(URL, 100)
    with serving(http(422, {"error": "Invalid parameters"})) as server:
        settings.VENDORS["apollo"] = {**settings.VENDORS["apollo"], "base_url": server.url}
        again(campaign.job_rows.get())
    assert finish.finish_campaigns() == 1
    campaign.refresh_from_db()
    assert campaign.status == "FAILED"
    assert "Invalid parameters" in campaign.status_message


def matches(*emails: str | None, consumed: object) -> bytes:
    people = [
        {"id": f"p{number}", "first_name": "Ida", "email": email} if email else None
        for number, email in enumerate(emails)
    ]
    return http(200, {"status": "success", "matches": people, "credits_consumed": consumed, "request_id": -7})


@pytest.mark.parametrize(("consumed", "credits"), [(1.5, "1.5"), (0.25, "0.25"), ("0.75", "0.75"), (0, "0")])
def test_credits_are_booked_as_the_vendor_reports_them(consumed: object, credits: str, settings: Settings) -> None:
    campaign = started(URL, 100)
    job = JobRow.objects.create(
        campaign=campaign, kind="reveal", service="apollo", part=1, payload={"people": ["p0", "p1"]}
    )
    with serving(matches("ida@acme.example", None, consumed=consumed)) as server:
        settings.VENDORS["apollo"] = {**settings.VENDORS["apollo"], "base_url": server.url}
        assert again(job) == "completed"
    call = job.calls.get()
    assert call.credits == Decimal(credits)
    assert call.cost_usd == Decimal(credits) * Decimal("0.025")
    assert call.request_id == "-7"
    assert dict(Lead.objects.filter(campaign=campaign).values_list("state", "end_reason")) == {
        "OPEN": "",
        "DROPPED": "not matched by Apollo",
    }


def test_ten_people_of_whom_nobody_is_matched_are_not_lost(everybody: int, sandbox: Sandbox) -> None:
    """Apollo's success that hides a failure: it would have dropped them for good."""
    campaign = started(URL, 20)
    again(campaign.job_rows.get(kind="find"))
    break_vendor(sandbox, "apollo", "silent")
    job = campaign.job_rows.filter(kind="reveal").order_by("part").first()
    assert job is not None
    assert again(job) == "failed: malformed"
    assert not campaign.leads.exists()
    break_vendor(sandbox, "apollo", "none")
    work_off(campaign)
    assert campaign.leads.count() == 20
