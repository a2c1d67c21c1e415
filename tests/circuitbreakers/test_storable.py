"""Whatever vendors, people and hands in Redis write: every row is taken, and no state is for ever because of it."""

import json
from typing import Any

import pytest

from circuitbreakers import breaker, gate, notes, pauses, switch
from circuitbreakers.events import Actor
from circuitbreakers.models import Breaker, Event, Incident, QueuePause
from circuitbreakers.storable import fit, storable
from tests.breakers import (
    ANN,
    a_call,
    compare_until_quiet,
    incidents_of,
    redis_cli,
    reset,
    stored,
    trip,
    trip_and_die,
)

NASTY = "a\x00b\x1b[2J\ud800c"
CLEAN = "ab[2Jc"
LONG = Actor("n" * 151, "command")


def test_what_no_row_takes_is_left_out_and_lines_stay():
    assert storable(NASTY) == CLEAN
    assert storable("one\n\ttwo é 😀 שלום") == "one\n\ttwo é 😀 שלום"
    assert storable("x" * 600) == "x" * 500
    assert storable("x" * 600, 30) == "x" * 30
    assert storable(None) == "None"


@pytest.mark.parametrize("text", [NASTY, "x" * 2000 + "\x00"])
def test_a_vendors_words_never_keep_an_opening_from_its_incident(text):
    gate.record_failure("apollo", text, "auth")
    (incident,) = incidents_of()
    assert incident.evidence[0]["error"] == storable(text)
    assert stored()["last_error"] == storable(text)
    assert reset() is True


def test_a_vendors_words_on_a_permit_are_cleaned_too():
    gate.admit("apollo", a_call()).settle("server_error", NASTY)
    assert stored()["last_error"] == CLEAN


def test_an_opening_that_stands_in_redis_with_such_words_is_recorded(monkeypatch):
    """As one that was stored before they were cleaned."""
    trip_and_die(monkeypatch)
    evidence = [
        json.dumps({"at": "2026-01-01T00:00:00Z", "failure_type": "auth", "error": NASTY, "call": 7}),
        "typed by hand",
        "[1]",
    ]
    redis_cli().delete("circuit_failures:apollo")
    redis_cli().rpush("circuit_failures:apollo", *evidence)
    redis_cli().hset(
        "circuit_breaker:apollo",
        mapping={"reason": "r\x00" * 300, "failure_type": "f" * 31, "failures": "1e300", "open_until": "soon"},
    )
    compare_until_quiet()
    (incident,) = incidents_of()
    assert (incident.reason, incident.failure_type, incident.failures) == ("r" * 200, "f" * 30, 2**31 - 1)
    assert incident.evidence == [
        {"at": "2026-01-01T00:00:00Z", "failure_type": "auth", "error": CLEAN, "call": "7"},
        {"error": "typed by hand"},
        {"error": "[1]"},
    ]
    assert reset() is True


@pytest.mark.parametrize("value", ["-3", "inf", "nan", "many", "9" * 400])
def test_a_number_typed_by_hand_never_keeps_an_opening_from_its_incident(value, monkeypatch):
    trip_and_die(monkeypatch)
    redis_cli().hset("circuit_breaker:apollo", mapping={"failures": value, "half_open_attempts": value})
    compare_until_quiet()
    assert len(incidents_of()) == 1


@pytest.mark.parametrize("reason", ["r" * 250, "r" * 500, "r" * 600, f"r{NASTY}"])
def test_a_hold_is_recorded_whatever_its_reason(reason):
    assert breaker.hold("apollo", actor=ANN, reason=reason)
    (incident,) = incidents_of()
    assert incident.reason == f"held: {storable(reason)}"[:200]
    assert Breaker.objects.get(service="apollo").hold_reason == storable(reason)
    assert Event.objects.get(verb="held").reason == storable(reason)
    compare_until_quiet()
    assert breaker.release("apollo", actor=ANN)
    assert reset() is True


def test_a_reason_of_nothing_but_control_characters_is_none():
    with pytest.raises(breaker.BreakerRefused, match="A reason is needed"):
        breaker.hold("apollo", actor=ANN, reason="\x00 \x1b")


def test_every_verb_takes_any_actor_and_any_reason():
    verbs: dict[str, Any] = {"actor": LONG, "reason": f"{NASTY}{'r' * 600}"}
    pauses.pause("openai", **verbs)
    pauses.lift("openai", **verbs)
    breaker.hold("apollo", **verbs)
    breaker.release("apollo", **verbs)
    (incident,) = incidents_of()
    notes.acknowledge(incident.pk, **verbs)
    notes.note(incident.pk, actor=LONG, text=verbs["reason"])
    breaker.reset("apollo", force=True, **verbs)
    (incident,) = incidents_of()
    assert (incident.reset_by, incident.reset_reason[:10]) == ("n" * 150, f"forced: {NASTY[0]}b")
    assert QueuePause.objects.get(key="operator:openai").ended_by == "n" * 150
    assert compare_until_quiet() == 0


def test_a_long_name_that_only_the_switch_knows_of_a_reset_is_cut_when_it_is_finished():
    trip()
    switch.run("reset", "apollo", ["n" * 151, switch.read("apollo").opening_epoch])
    compare_until_quiet()
    assert incidents_of()[0].reset_by == "n" * 150


def test_a_text_is_as_long_as_its_column_allows():
    assert fit(f"{NASTY}{'x' * 600}", Incident, "reason") == (CLEAN + "x" * 600)[:200]
    assert fit("x" * 600, Incident, "reset_reason") == "x" * 500
    assert fit("x" * 600, Incident, "failure_type") == "x" * 30
