"""What became of the leads, from the push to its client's answer: the client and the sandbox must agree."""

from collections.abc import Iterator

import pytest
import requests
from pytest_django import Settings

from integrations import instantly
from integrations import instantly_outcomes as outcomes
from integrations.errors import FailureType, VendorError
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.filters import FILTERS, INTERESTS
from integrations.sandbox.instantly.sending import STATUSES
from tests.integrations.sandbox.calls import Client
from tests.integrations.sandbox.receiving import settled
from tests.integrations.wire import http, serving

SECRET = "5e1f-opaque"
EMAILS = ("ida@acme.example", "tom@acme.example", "zed@other.example")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with Sandbox(port=0) as running:
        yield running.url


@pytest.fixture(autouse=True)
def pointed_at_it(sandbox: str, vendors: Settings) -> None:
    requests.post(f"{sandbox}/_control/reset", timeout=5).raise_for_status()
    vendors.VENDORS["instantly"] |= {"base_url": f"{sandbox}/instantly", "api_key": "sandbox-instantly-key"}


@pytest.fixture
def campaign() -> str:
    """A campaign of three leads."""
    made = instantly.create_campaign("Autumn")
    for email in EMAILS:
        assert instantly.push(campaign_id=made, lead={"email": email}).outcome == "pushed"
    return made


def order(sandbox: str, method: str, path: str, **body: object) -> None:
    requests.request(method, f"{sandbox}/_control/instantly/{path}", json=body, timeout=5).raise_for_status()


def emit(sandbox: str, event: str, email: str) -> None:
    order(sandbox, "POST", "emit", event=event, email=email)


def emails(campaign: str, filter_: str) -> list[str]:
    return [lead.email for lead in outcomes.list_leads(campaign, filter_).rows]


def test_a_subscription_lives_from_its_making_to_its_end(sandbox: str) -> None:
    with serving(http(200, {}), http(500, {})) as receiver:
        made = outcomes.create_webhook(url=f"{receiver.url}/hook", header="X-Holdfast", secret=SECRET)
        assert (made.disabled, made.event_type, made.campaign) == (False, "all_events", "")
        assert outcomes.list_webhooks() == [made]
        assert outcomes.test_webhook(made.id).success
        assert receiver.last.headers["x-holdfast"] == SECRET
        assert outcomes.test_webhook(made.id).status == 500
    assert outcomes.test_webhook(made.id).status is None
    outcomes.delete_webhook(made.id)
    assert outcomes.list_webhooks() == []
    with pytest.raises(VendorError) as caught:
        outcomes.delete_webhook(made.id)
    assert caught.value.failure_type == FailureType.INVALID_REQUEST


def test_a_subscription_that_the_vendor_disabled_is_seen_and_resumed(sandbox: str, campaign: str) -> None:
    order(sandbox, "PUT", "hooks", retry_seconds=0)
    with serving(http(500, {})) as receiver:
        outcomes.create_webhook(url=f"{receiver.url}/hook", header="X-Holdfast", secret=SECRET)
        emit(sandbox, "email_sent", EMAILS[0])
        with Client(sandbox) as client:
            settled(client)
        (webhook,) = outcomes.list_webhooks()
        assert webhook.disabled
        assert webhook.disabled_at is not None
        assert not outcomes.resume_webhook(webhook.id).disabled


@pytest.mark.parametrize(
    ("event", "filter_"),
    [
        ("email_sent", outcomes.FILTER_VAL_CONTACTED),
        ("email_bounced", outcomes.FILTER_VAL_BOUNCED),
        ("lead_unsubscribed", outcomes.FILTER_VAL_UNSUBSCRIBED),
        ("reply_received", outcomes.FILTER_VAL_REPLIED),
        ("lead_not_interested", outcomes.FILTER_LEAD_NOT_INTERESTED),
        ("lead_wrong_person", outcomes.FILTER_LEAD_WRONG_PERSON),
        ("lead_out_of_office", outcomes.FILTER_LEAD_OUT_OF_OFFICE),
    ],
)
def test_what_happened_to_a_lead_is_found_by_its_filter(sandbox: str, campaign: str, event: str, filter_: str) -> None:
    emit(sandbox, event, EMAILS[1])
    assert emails(campaign, filter_) == [EMAILS[1]]


def test_a_lead_says_all_that_happened_to_it(sandbox: str, campaign: str) -> None:
    for event in ("email_sent", "reply_received", "lead_wrong_person"):
        emit(sandbox, event, EMAILS[0])
    (lead,) = outcomes.list_leads(campaign, outcomes.FILTER_VAL_REPLIED).rows
    assert (lead.contacted, lead.replied, lead.bounced, lead.unsubscribed) == (True, True, False, False)
    assert (lead.interest, lead.replies, lead.campaign) == (outcomes.WRONG_PERSON, 1, campaign)
    assert lead.interest_changed_at is not None


def test_all_leads_are_read_page_by_page(sandbox: str, campaign: str) -> None:
    order(sandbox, "POST", "emit", event="email_sent", campaign=campaign)
    seen: list[list[str]] = []
    after = ""
    while True:
        page = outcomes.list_leads(campaign, outcomes.FILTER_VAL_CONTACTED, after=after, limit=2)
        seen.append([lead.email for lead in page.rows])
        after = page.next
        if not after:
            break
    assert seen == [[*EMAILS[:2]], [EMAILS[2]], []]


def test_the_filters_and_interests_are_those_that_the_sandbox_knows() -> None:
    ours = {value for name, value in vars(outcomes).items() if name.startswith("FILTER_")}
    assert ours <= set(FILTERS)
    assert set(outcomes.INTERESTS) == set(INTERESTS.values())


def test_whoever_is_blocked_is_not_pushed_and_blocking_again_is_harmless(campaign: str) -> None:
    first, again = (outcomes.block(["new@acme.example", "blocked.example"]) for _ in range(2))
    assert (first.created, first.valid, first.invalid) == (2, 2, 0)
    assert (again.created, again.valid, again.invalid) == (0, 2, 0)
    for email in ("new@acme.example", "any@blocked.example"):
        assert instantly.push(campaign_id=campaign, lead={"email": email}).outcome == "blocked"


@pytest.mark.parametrize("status", STATUSES)
def test_a_campaign_says_whether_it_sends_and_why_not(sandbox: str, campaign: str, status: int) -> None:
    order(sandbox, "PUT", "sending", campaign=campaign, status=status)
    said = outcomes.sending_status(campaign)
    assert (said.status, said.code) == (status, STATUSES[status])
    assert said.sentence.startswith("Campaign ")
    assert (said.since is None) == (said.code == "healthy")


def test_a_plan_that_is_used_up_has_no_room_and_takes_no_lead(sandbox: str, campaign: str) -> None:
    room = outcomes.plan_room()
    assert room is not None
    assert room > 0
    order(sandbox, "PUT", "plan", leads=len(EMAILS))
    assert outcomes.plan_room() == 0
    with pytest.raises(VendorError) as caught:
        instantly.push(campaign_id=campaign, lead={"email": "new@acme.example"})
    assert caught.value.failure_type == FailureType.QUOTA_EXHAUSTED
