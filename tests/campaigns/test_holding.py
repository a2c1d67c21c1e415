"""Whoever adds work to a campaign holds its row: it does not end meanwhile, and one that has ended takes no more."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import transaction

from campaigns import finish, moves
from campaigns.leads import importing
from campaigns.leads.suppression import suppressed_among
from campaigns.models import Campaign
from campaigns.retry import FailedJobs
from tests.breakers import ANN, Beside, at_once
from tests.builders import make_campaign, make_job, make_lead

pytestmark = pytest.mark.django_db(transaction=True)


def import_somebody(campaign: Campaign) -> importing.ImportReport:
    return importing.import_csv(campaign, io.BytesIO(b"Email\nida@acme.example\n"), actor=ANN)


def put_back(campaign: Campaign) -> int:
    return FailedJobs(campaign.pk).put_back(actor=ANN, reason="OpenAI is back")


def with_nothing_left_to_do() -> Campaign:
    """One lead, which has failed at a vendor's fault and may be put back."""
    campaign = make_campaign()
    lead = make_lead(campaign, "FAILED", stage="write")
    make_job(kind="write", lead=lead, status="FAILED", failure_type="server_error", error="HTTP 503")
    return campaign


def state_of(campaign: Campaign) -> tuple[str, list[str]]:
    """Its status and those of its leads."""
    campaign.refresh_from_db()
    return campaign.status, sorted(campaign.leads.values_list("state", flat=True))


def test_a_campaign_does_not_end_while_leads_are_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = with_nothing_left_to_do()
    ended: list[Any] = []

    def in_the_middle_of_the_batch(addresses: Iterable[str]) -> set[str]:
        ended.extend(at_once(finish.finish_campaigns))
        return suppressed_among(addresses)

    monkeypatch.setattr(importing, "suppressed_among", in_the_middle_of_the_batch)
    import_somebody(campaign)
    assert ended == [0]  # and it did not wait for the import either
    assert finish.finish_campaigns() == 0
    assert state_of(campaign) == ("RUNNING", ["FAILED", "OPEN"])


def test_a_campaign_does_not_end_while_its_failed_leads_are_put_back() -> None:
    campaign = with_nothing_left_to_do()
    with transaction.atomic():
        assert put_back(campaign) == 1
        assert at_once(finish.finish_campaigns) == [0]
    assert finish.finish_campaigns() == 0
    assert state_of(campaign) == ("RUNNING", ["OPEN"])


@pytest.fixture
def coming_while_it_ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Finish the campaigns, with a task that comes after the decision and before the COMMIT; what came of the task."""

    def finish_and(task: Callable[[], Any]) -> Any:
        beside: list[Beside] = []

        def move_and_wait(*args: Any, **details: Any) -> None:
            moves.move(*args, **details)
            beside.append(Beside(task))
            beside[0].until_it_waits()

        monkeypatch.setattr(finish, "move", move_and_wait)
        assert finish.finish_campaigns() == 1
        return beside[0].result()

    return finish_and


def test_an_import_that_comes_while_its_campaign_ends_is_refused(coming_while_it_ends: Any) -> None:
    campaign = with_nothing_left_to_do()
    refused = coming_while_it_ends(lambda: import_somebody(campaign))
    assert isinstance(refused, importing.CampaignEnded)
    assert state_of(campaign) == ("COMPLETED", ["FAILED"])


def test_nothing_is_put_back_into_a_campaign_that_ends_just_then(coming_while_it_ends: Any) -> None:
    campaign = with_nothing_left_to_do()
    assert coming_while_it_ends(lambda: put_back(campaign)) == 0
    assert state_of(campaign) == ("COMPLETED", ["FAILED"])
