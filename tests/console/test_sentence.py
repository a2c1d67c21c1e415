"""The sentence on top: the gravest thing first, what waits, and what to do next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circuitbreakers.models import Incident, QueuePause
from circuitbreakers.services import SERVICES
from console.sentence import READ, Sentence, compose

NOW = datetime(2026, 3, 4, 3, 20, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
CLOSED = dict.fromkeys(SERVICES, "closed")


def say(**facts: Any) -> Sentence:
    quiet: dict[str, Any] = {
        "now": NOW, "redis": True, "states": CLOSED, "pauses": {}, "incident": None, "campaigns": {},
        "jobs_waiting": 0, "jobs_open": 0, "missing": [], "slowed": {},
    }  # fmt: skip
    return compose(**{**quiet, **facts})


def pause(key: str = "system", **fields: Any) -> dict[str, QueuePause]:
    return {key: QueuePause(key=key, started_at=NOW - timedelta(minutes=8), **fields)}


def incident(**fields: Any) -> Incident:
    return Incident(**{"service": "apollo", "failures": 5, "failure_type": "timeout", **fields})


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"reason": "5 consecutive failures"}, "because Apollo failed 5 calls in a row: timeouts"),
        ({"reason": "12 of 20 calls failed"}, "because Apollo let 12 of 20 calls fail: timeouts"),
        ({"reason": "quota_exhausted", "failure_type": "quota_exhausted"}, "says that there is no credit left"),
        ({"reason": "auth", "failure_type": "auth"}, "because Apollo refused our key"),
        ({"reason": "held: a migration", "failure_type": "held"}, "because Apollo is held: a migration"),
        ({"reason": "switch restored from an old copy", "failure_type": "unknown"}, "opened: switch restored"),
    ],
)
def test_a_system_pause_says_since_when_why_and_what_waits(fields: dict[str, Any], because: str) -> None:
    said = say(pauses=pause(), incident=incident(**fields), states={**CLOSED, "apollo": "open"},
               campaigns={"PAUSED": 12}, jobs_waiting=8431)  # fmt: skip
    assert said.text.startswith("Paused since 03:12 UTC because ")
    assert because in said.text
    assert said.text.endswith("12 campaigns and 8,431 jobs wait.")
    assert (said.next, said.title, said.tone) == ("probe and reset Apollo", "PAUSED", "bad")


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        ({"states": {**CLOSED, "apollo": "held", "openai": "open"}}, "release Apollo when its cause is mended"),
        ({"states": {**CLOSED, "apollo": "open", "openai": "half_open"}}, "probe and reset Apollo and OpenAI"),
        ({"campaigns": {"RUNNING": 1}}, "wait until the pause has reached every job"),
        ({}, "resume the queue"),
    ],
)
def test_the_next_step_follows_from_the_breakers(facts: dict[str, Any], step: str) -> None:
    assert step in say(pauses=pause(), **facts).next


def test_a_pause_of_another_day_names_its_day() -> None:
    row = QueuePause(key="system", started_at=NOW - timedelta(days=2))
    assert "Paused since 2026-03-02 03:20 UTC" in say(pauses={"system": row}).text


@pytest.mark.parametrize(
    ("facts", "tone", "words"),
    [
        ({"redis": False}, "bad", "Redis does not answer"),
        ({"states": {**CLOSED, "openai": "open"}}, "bad", "the pause is spreading"),
        ({"pauses": pause("operator:all", actor="olga", reason="a drill")}, "bad", "by olga: a drill"),
        ({"missing": ["worker", "supervisor"]}, "bad", "no live worker and no live supervisor"),
        ({"pauses": pause("operator:openai", actor="olga", reason="why")}, "warn", "olga has paused OpenAI: why"),
        ({"slowed": {"openai": NOW}, "campaigns": {"RUNNING": 1}}, "warn", "from OpenAI until 03:20:00 UTC"),
        ({"slowed": {"openai": TOMORROW}, "campaigns": {"RUNNING": 1}}, "warn", f"{TOMORROW:%Y-%m-%d %H:%M:%S} UTC"),
        ({"campaigns": {"RUNNING": 2}, "jobs_open": 7}, "good", "Running: 2 campaigns, 7 jobs to do."),
        ({"campaigns": {"PAUSED": 2}}, "idle", "2 campaigns paused by operators"),
        ({}, "idle", "Ready. No campaign is running."),
    ],
)  # fmt: skip
def test_each_state_has_its_sentence(facts: dict[str, Any], tone: str, words: str) -> None:
    said = say(**facts)
    assert said.tone == tone
    assert words in said.text
    assert bool(said.title) == (tone == "bad")


def test_what_is_graver_comes_first() -> None:
    both = {**pause(), **pause("operator:all", actor="olga", reason="a drill")}
    assert "by olga" not in say(pauses=both, missing=["worker"], slowed={"openai": NOW}).text


def test_campaigns_that_hold_after_their_first_leads_wait_for_a_reader() -> None:
    said = say(campaigns={"RUNNING": 3}, holding=1)
    assert (said.tone, said.text, said.next) == ("warn", "Running, but 1 campaign holds after its first leads.", READ)
    assert said.page == "admin:campaigns_campaign_changelist"
    assert say(campaigns={"RUNNING": 3}, holding=2).text == "Running, but 2 campaigns hold after their first leads."
    assert say(campaigns={"RUNNING": 3}).tone == "good"
