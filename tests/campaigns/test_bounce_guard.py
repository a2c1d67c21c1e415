"""The bounce guard: who is paused, by what numbers, and not again for what a person has seen."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import bounce_guard, lifecycle
from campaigns.models import Campaign, Lead
from circuitbreakers.models import Event
from tests.breakers import ANN
from tests.builders import ago, make_campaign, numbers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
HOUR, DAY = 3600, 86_400


def mails(campaign: Campaign, sent: int, bounced: int, at: Any = None) -> None:
    """So many leads to whom a mail went, an hour ago if nothing is said, of which so many bounced."""
    at = at or ago(HOUR)
    Lead.objects.bulk_create(
        Lead(
            campaign=campaign,
            email=f"person{next(numbers)}@acme.example",
            state="PUSHED",
            ended_at=at,
            sent_at=at,
            bounced_at=at + timedelta(seconds=5) if number < bounced else None,
        )
        for number in range(sent)
    )


@pytest.mark.parametrize(
    ("sent", "bounced", "paused"),
    [(49, 1, 0), (49, 49, 0), (50, 1, 0), (50, 2, 1), (66, 2, 1), (67, 2, 0), (100, 3, 1), (101, 3, 0), (200, 0, 0)],
)
def test_three_per_cent_of_at_least_fifty_pause_a_campaign(sent: int, bounced: int, paused: int) -> None:
    mails(make_campaign(), sent, bounced)
    assert bounce_guard.pause_bouncing() == paused
    assert Campaign.objects.get().status == ("PAUSED" if paused else "RUNNING")


def test_the_pause_is_an_operators_under_the_guards_name_with_the_numbers() -> None:
    campaign = make_campaign()
    mails(campaign, 66, 2)
    bounce_guard.pause_bouncing()
    campaign.refresh_from_db()
    assert (campaign.operator_paused_by, campaign.system_paused_at) == ("bounce guard", None)
    assert campaign.status_message.startswith(
        "Paused by bounce guard: 2 of 66 mails sent within 7 days bounced (3.0 %, the limit is 3 %)."
    )
    event = Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb="paused")
    assert (event.actor, event.door, event.after) == ("bounce guard", "supervisor", {"status": "PAUSED"})


def test_only_what_was_sent_within_seven_days_counts_and_only_the_campaigns_own() -> None:
    campaign = make_campaign()
    mails(campaign, 40, 40, ago(8 * DAY))
    mails(campaign, 49, 1)
    mails(make_campaign("PAUSED"), 60, 60)
    mails(make_campaign("COMPLETED"), 60, 60)
    assert bounce_guard.pause_bouncing() == 0


def test_what_was_resumed_by_hand_is_not_paused_again_for_the_same_bounces_but_for_new_ones() -> None:
    campaign = make_campaign()
    mails(campaign, 66, 20)
    assert bounce_guard.pause_bouncing() == 1
    lifecycle.resume(campaign.pk, actor=ANN)
    assert bounce_guard.pause_bouncing() == 0
    mails(campaign, 49, 49, timezone.now())
    assert bounce_guard.pause_bouncing() == 0
    mails(campaign, 1, 0, timezone.now())
    assert bounce_guard.pause_bouncing() == 1
    lifecycle.resume(campaign.pk, actor=ANN)
    assert bounce_guard.pause_bouncing() == 0


def test_a_later_pause_and_resume_of_anybodys_forgives_nothing() -> None:
    campaign = make_campaign()
    mails(campaign, 66, 2)
    bounce_guard.pause_bouncing()
    lifecycle.resume(campaign.pk, actor=ANN)
    mails(campaign, 60, 10, timezone.now())
    lifecycle.pause(campaign.pk, actor=ANN, reason="lunch")
    lifecycle.resume(campaign.pk, actor=ANN)
    assert bounce_guard.pause_bouncing() == 1


def test_one_statement_looks_at_all_campaigns() -> None:
    for _ in range(5):
        mails(make_campaign(), 60, 0)
    with CaptureQueriesContext(connection) as captured:
        assert bounce_guard.pause_bouncing() == 0
    assert len(captured) == 1


def test_limits_are_settings_and_no_mails_at_all_turn_it_off(settings: Any) -> None:
    mails(make_campaign(), 10, 1)
    settings.BOUNCE_GUARD_SENT = 0
    assert bounce_guard.pause_bouncing() == 0
    settings.BOUNCE_GUARD_SENT, settings.BOUNCE_GUARD_PERCENT = 10, 10.5
    assert bounce_guard.pause_bouncing() == 0
    settings.BOUNCE_GUARD_PERCENT = 10
    assert bounce_guard.pause_bouncing() == 1
