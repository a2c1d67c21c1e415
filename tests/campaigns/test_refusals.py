"""When refusals in a row are the campaign's fault, and when they are each lead's own."""

import pytest

from campaigns import refusals
from campaigns.models import Campaign, JobRow
from tests.builders import make_call, make_campaign, make_job

pytestmark = pytest.mark.django_db
WORDS = "HTTP 400: the model does not support json_schema"


def called(campaign: Campaign, outcome: str = "invalid_request", error: str = WORDS, kind: str = "write") -> int:
    """A call that ended so; its job."""
    job = make_job(campaign, kind=kind, status="FAILED", fence=1)
    make_call(job, outcome, error=error)
    return job.pk


def refused(campaign: Campaign) -> JobRow:
    return make_job(campaign, kind="write", status="PROCESSING")


def test_the_fifth_refusal_in_the_same_words_names_the_four_before_it() -> None:
    campaign = make_campaign()
    before = [called(campaign, error=f"{WORDS} (request req_{number}f)") for number in range(4)]
    assert sorted(refusals.alike(refused(campaign), f"{WORDS} (request req_4f)") or []) == before


def test_four_are_not_enough() -> None:
    campaign = make_campaign()
    for _ in range(3):
        called(campaign)
    assert refusals.alike(refused(campaign), WORDS) is None


@pytest.mark.parametrize(
    ("outcome", "error"), [("success", ""), ("server_error", WORDS), ("invalid_request", "HTTP 400: too long")]
)
def test_anything_else_between_them_breaks_the_row(outcome: str, error: str) -> None:
    campaign = make_campaign()
    for _ in range(3):
        called(campaign)
    called(campaign, outcome, error)
    assert refusals.alike(refused(campaign), WORDS) is None


def test_other_campaigns_and_other_services_neither_count_nor_break_the_row() -> None:
    campaign, other = make_campaign(), make_campaign()
    before = [called(campaign) for _ in range(4)]
    called(campaign, "success", "", kind="verify")
    called(other, "success", "")
    assert sorted(refusals.alike(refused(campaign), WORDS) or []) == before
    assert refusals.alike(refused(other), WORDS) is None
