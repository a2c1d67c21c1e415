"""A policy's numbers, as the scripts get them."""

from circuitbreakers.policy import Limits, Policy


def test_times_are_in_microseconds() -> None:
    policy = Policy(reset_timeout=7, reset_timeout_ceiling=90)
    assert policy.reset_timeout_us == 7_000_000
    assert policy.reset_timeout_ceiling_us == 90_000_000


def test_without_a_word_a_service_goes_at_full_speed() -> None:
    assert Limits().speed == 100
