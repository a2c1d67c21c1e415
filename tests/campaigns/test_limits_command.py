"""How fast a service is called, from the shell: exit statuses, what it prints, and whose value it replaced."""

from typing import Any

import pytest

from circuitbreakers import rates
from circuitbreakers.models import Breaker, Event

pytestmark = pytest.mark.django_db
WHY = "their support asked for it"


@pytest.fixture(autouse=True)
def the_environments(in_step: None, settings: Any) -> None:
    settings.RATE_LIMITS = {name: rates.parse(text) for name, text in settings.RATE_LIMIT_DEFAULTS.items()}


def set_limits(manage: Any, *arguments: str, reason: str = WHY, actor: str = "ann") -> Any:
    return manage("breaker", "set-limits", "apollo", *arguments, "--reason", reason, "--actor", actor)


def row() -> Breaker:
    return Breaker.objects.get(pk="apollo")


def test_limits_are_set_and_whoever_sets_them_next_is_told_what_was_replaced(manage: Any) -> None:
    ran = set_limits(manage, "--rate-limits", "50/60,3000/3600", "--dispatch-window", "9")
    assert ran.status == 0
    assert "rate limits of apollo: 50/60,3000/3600 (was 200/60,6000/3600, the environment's)" in ran.out
    assert "dispatch window of apollo: 9 (was 256, the environment's)" in ran.out
    event = Event.objects.get(subject_type="policy")
    assert (event.actor, event.door, event.reason) == ("ann", "command", WHY)
    ran = set_limits(manage, "--rate-limits", "60/60,3000/3600", actor="ben")
    assert f"(was 50/60,3000/3600, by ann at {event.at:%Y-%m-%d %H:%M} UTC: {WHY})" in ran.out


def test_who_and_why_is_shown_wherever_the_limits_are(manage: Any) -> None:
    set_limits(manage, "--rate-limits", "50/60,3000/3600")
    assert "50/60,3000/3600" in manage("breaker", "status").out
    shown = manage("breaker", "limits", "apollo").out
    assert f"UTC: {WHY}" in shown
    assert "the vendor publishes 200/60,6000/3600; version 2" in shown
    data = manage("breaker", "limits", "--json").data
    assert (data["apollo"]["rate_limits"]["set_by"], data["openai"]["rate_limits"]["by_hand"]) == ("ann", False)


def test_empty_ones_are_the_environments(manage: Any) -> None:
    set_limits(manage, "--rate-limits", "50/60,3000/3600", "--dispatch-window", "9")
    assert set_limits(manage, "--rate-limits", "", "--dispatch-window", "").status == 0
    assert (row().rate_limits, row().dispatch_window) == ("", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate-limits", "0/60"], "lets nothing through"),
        (["--rate-limits", "many"], "Write COUNT/SECONDS"),
        (["--rate-limits=-5/60"], "Write COUNT/SECONDS"),
        (["--rate-limits", "500/60"], "Above what is published"),
        (["--dispatch-window", "99999"], "1 to 10,000 messages"),
        (["--dispatch-window", "0"], "a whole number of messages above zero"),
        (["--dispatch-window=-1"], "a whole number of messages above zero"),
        ([], "Give --rate-limits, --dispatch-window, or both."),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(manage: Any, arguments: list[str], words: str) -> None:
    ran = set_limits(manage, *arguments)
    assert ran.status == 2
    assert words in ran.err
    assert (row().rate_limits, row().dispatch_window) == ("", None)


def test_a_reason_is_needed(manage: Any) -> None:
    assert set_limits(manage, "--rate-limits", "50/60,3000/3600", reason="").status == 2
    assert manage("breaker", "slow", "apollo").status == 2


def test_more_than_is_published_needs_its_own_word(manage: Any) -> None:
    assert set_limits(manage, "--rate-limits", "500/60", "--above-published").status == 0
    assert "(it is above that)" in manage("breaker", "limits", "apollo").out


def test_with_the_version_that_was_read_an_edit_since_is_not_written_over(manage: Any) -> None:
    set_limits(manage, "--rate-limits", "50/60,3000/3600", "--if-version", "1")
    ran = set_limits(manage, "--rate-limits", "60/60,3000/3600", "--if-version", "1", actor="ben")
    assert ran.status == 1
    assert "apollo was edited meanwhile by ann at" in ran.err
    assert row().rate_limits == "50/60,3000/3600"


def test_a_service_is_slowed_and_brought_back(manage: Any) -> None:
    assert manage("breaker", "slow", "openai", "--reason", WHY).out == "openai is slowed to 20 % of its rate limits.\n"
    assert "500/60,tokens=200000/60 at 20 %" in manage("breaker", "status").out
    assert "openai is slowed to 20 % of its rate limits" in manage("queue", "status").out
    again = manage("breaker", "slow", "openai", "--reason", WHY)
    assert (again.status, again.out) == (0, "openai was slowed already to 20 % of its rate limits.\n")
    assert manage("breaker", "full-speed", "openai").out == "openai is back at its full rate limits.\n"
    assert manage("breaker", "slow", "openai", "--percent", "0", "--reason", WHY).status == 2


def test_where_there_is_no_limit_nothing_can_be_slowed(manage: Any, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "openai": ()}
    ran = manage("breaker", "slow", "openai", "--reason", WHY)
    assert (ran.status, "openai has no rate limits to be slowed to 20 % of: set some first." in ran.err) == (1, True)
