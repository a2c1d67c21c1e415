"""The table of what follows from what Instantly tells, by values alone."""

import itertools

import pytest
from django.utils import timezone

from campaigns import outcomes
from campaigns.models import Lead, Suppression


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("email_bounced", "bounced"),
        ("lead_unsubscribed", "unsubscribed"),
        ("lead_not_interested", "not_interested"),
        ("lead_wrong_person", "wrong_person"),
    ],
)
def test_who_must_not_be_written_to_again_is_suppressed_for_that_cause(kind: str, cause: str) -> None:
    effect = outcomes.effect_of(kind)
    assert (effect.suppresses, effect.ends) == (cause, False)


def test_a_reply_ends_what_is_open_and_suppresses_nobody() -> None:
    effect = outcomes.effect_of("reply_received")
    assert (effect.ends, effect.suppresses) == (True, "")


@pytest.mark.parametrize(
    "kind",
    [
        *("auto_reply_received", "lead_out_of_office", "email_opened", "link_clicked", "lead_neutral"),
        *("lead_interested", "lead_meeting_booked", "account_error", "campaign_completed"),
    ],
)
def test_nothing_follows_from_what_is_only_noted(kind: str) -> None:
    assert outcomes.effect_of(kind) == outcomes.Effect("noted")


def test_a_name_that_nobody_knows_is_no_error_and_has_no_effect() -> None:
    assert outcomes.effect_of("Label of our own") == outcomes.Effect("unknown")


@pytest.mark.parametrize("bounce_type", ["soft", " Soft_Bounce ", "transient"])
def test_a_bounce_that_says_that_it_is_soft_is_none(bounce_type: str) -> None:
    assert outcomes.effect_of("email_bounced", bounce_type) == outcomes.NOTED


@pytest.mark.parametrize("bounce_type", ["", "hard", "whatever"])
def test_any_other_bounce_is_taken_for_a_hard_one(bounce_type: str) -> None:
    assert outcomes.effect_of("email_bounced", bounce_type).suppresses == "bounced"


def test_the_strongest_outcome_is_shown() -> None:
    now = timezone.now()
    order = ["unsubscribed_at", "bounced_at", "replied_at", "sent_at"]
    shown = [outcomes.outcome_of(dict.fromkeys(order[number:], now)) for number in range(4)]
    assert shown == ["UNSUBSCRIBED", "BOUNCED", "REPLIED", "SENT"]
    assert outcomes.outcome_of(dict.fromkeys(order)) == ""


def test_every_effect_has_columns_and_causes_that_exist() -> None:
    columns = {field.name for field in Lead._meta.fields}
    for effect in outcomes.EFFECTS.values():
        assert {*effect.marks} <= columns
        assert not effect.suppresses or effect.suppresses in Suppression.Cause.values
    assert set(outcomes.CAUSES) == set(Suppression.Cause.values)


def test_of_two_causes_one_is_the_stronger() -> None:
    for one, other in itertools.permutations(outcomes.CAUSES, 2):
        assert outcomes.is_stronger(one, other) != outcomes.is_stronger(other, one)
    assert outcomes.is_stronger("unsubscribed", "bounced")
    assert outcomes.is_stronger("bounced", "a cause that nobody knows")
