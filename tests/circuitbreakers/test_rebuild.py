"""D2: a lost or rolled-back switch is made again from PostgreSQL; pause wins, and nothing is ever read as closed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, OperationalError

from circuitbreakers import breaker, gate, incidents, pauses, rebuild, switch
from circuitbreakers.models import Event, Incident
from circuitbreakers.services import SERVICES
from circuitbreakers.states import BreakerState
from tests.breakers import (
    ANN,
    OTHERS,
    a_call,
    admit,
    at_once,
    call_state,
    compare_until_quiet,
    fail,
    in_flight,
    incidents_of,
    is_admitted,
    old_copy,
    queue,
    redis_cli,
    refusal,
    reset,
    resume,
    stored,
    trip,
    trip_and_die,
)
from tests.builders import make_campaign


def test_D2_a_lost_hash_admits_nothing_and_is_never_made_by_a_result():
    permit = admit()
    redis_cli().delete("circuit_breaker:apollo")
    assert refusal().reason == "lost"
    permit.settle("auth")
    assert fail() == "lost"
    assert gate.record_success("apollo") == "lost"
    assert switch.run("hold", "apollo", ["x", 1]) == ["lost"]
    assert switch.run("release", "apollo") == ["lost"]
    assert switch.run("half_open", "apollo") == ["kept"]
    assert stored() == {}


def test_D2_an_incident_not_yet_reset_means_open_under_that_incident_with_a_new_epoch():
    epoch = trip()
    redis_cli().flushdb()
    compare_until_quiet()
    state = switch.read("apollo")
    assert (state.state, state.opening_epoch, state.failure_type) == ("open", epoch, "auth")
    assert state.epoch > epoch
    assert state.opened_at == incidents_of()[0].opened_at
    assert state.open_until is not None
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert len(incidents_of()) == 1
    assert [switch.read(service).state for service in OTHERS] == ["closed"] * 4


def test_D2_flushing_redis_in_health_opens_no_gate_before_the_comparison_and_all_after_it():
    redis_cli().flushdb()
    assert {refusal(service).reason for service in SERVICES} == {"lost"}
    rebuild.compare()
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")
    assert all(is_admitted(service) for service in SERVICES)


def test_D2_flushing_redis_forgets_no_pause():
    pauses.pause("openai", actor=ANN, reason="the bill")
    trip()
    reset()
    redis_cli().flushdb()
    compare_until_quiet()
    assert redis_cli().hkeys("queue_pauses") == ["operator:openai", "system"]
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    resume()
    assert queue() == {**dict.fromkeys(SERVICES, "ACTIVE"), "openai": "PAUSED"}


def test_D2_flushing_redis_forgets_no_hold():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    redis_cli().flushdb()
    compare_until_quiet()
    assert (stored()["state"], stored()["held"], stored()["hold_reason"]) == ("open", "1", "maintenance")


def test_D2_a_hold_that_reached_neither_switch_nor_incident_admits_nothing_after_a_loss(monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(breaker, "apply_hold", lambda service, reason: None)
        breaker.hold("apollo", actor=ANN, reason="maintenance")
    redis_cli().flushdb()
    rebuild.compare()
    assert not any(is_admitted(service) for service in SERVICES)
    compare_until_quiet()
    assert stored()["held"] == "1"
    assert len(incidents_of()) == 1


def test_D2_permits_from_before_the_loss_change_nothing():
    permits = [admit() for _ in range(6)]
    redis_cli().flushdb()
    rebuild.compare()
    for permit in permits:
        permit.settle("auth")
    assert stored()["state"] == "closed"
    assert stored()["failure_count"] == "0"
    assert in_flight() == 0


def test_D2_a_copy_from_before_the_opening_is_opened_again_under_its_incident():
    put_back = old_copy()
    epoch = trip()
    put_back()
    compare_until_quiet()
    state = switch.read("apollo")
    assert (state.state, state.opening_epoch) == ("open", epoch)
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert len(incidents_of()) == 1


def test_D2_a_copy_from_before_the_reset_is_a_new_opening_to_be_reset_again():
    first = trip()
    put_back = old_copy()
    reset()
    resume()
    put_back()
    compare_until_quiet()
    assert stored()["state"] == "open"
    assert switch.read("apollo").opening_epoch > first
    assert [incident.reset_at is None for incident in incidents_of()] == [False, True]
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    reset()
    assert resume() == list(SERVICES)
    assert compare_until_quiet() == 0


def test_D2_a_copy_of_an_older_opening_is_reset_once_for_the_newer_one():
    trip()
    put_back = old_copy()
    reset()
    resume()
    second = trip()
    put_back()
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch == second
    reset()
    assert compare_until_quiet() == 0
    assert stored()["state"] == "closed"
    assert all(incident.reset_at for incident in incidents_of())


def test_D2_a_copy_of_a_reset_breaker_does_not_reset_a_later_opening():
    trip()
    reset()
    resume()
    put_back = old_copy()  # it says: closed, reset of the first opening
    second = trip()
    put_back()
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch == second
    assert incidents_of()[-1].reset_at is None


@pytest.mark.parametrize("lose", ["an old copy", "everything"])
def test_D2_an_opening_that_was_forgotten_and_resumed_over_is_a_new_one_with_its_own_cascade(lose):
    """What a resume did before anybody had compared the copy, or with a pause that was ended by hand."""
    put_back = old_copy()
    first = trip()
    campaign = make_campaign()
    put_back() if lose == "an old copy" else redis_cli().flushdb()
    standing = pauses.standing("system")
    assert standing
    pauses.end(standing, actor=ANN, reason="")
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch > first
    assert [incident.reset_at for incident in incidents_of()] == [None, None]
    assert [row.key for row in pauses.all_standing()] == ["system"]
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert reset()
    assert all(incident.reset_at for incident in incidents_of())
    assert resume() == list(SERVICES)
    assert compare_until_quiet() == 0


def test_D2_a_copy_of_the_status_alone_lifts_no_pause():
    active = queue()
    trip()
    redis_cli().hset("queue_status", mapping=active)
    compare_until_quiet()
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")


def test_D2_a_copy_in_which_the_system_pause_stood_pauses_again():
    trip()
    reset()
    put_back = old_copy()
    resume()
    put_back()
    compare_until_quiet()
    assert [pause.key for pause in pauses.all_standing()] == ["system"]
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert resume() == list(SERVICES)


def test_D2_rebuilding_writes_neither_closed_nor_active_over_what_is_there():
    trip()
    before, status = stored(), queue()
    for wanted in ("closed", "open"):
        args = [wanted, before["opening_epoch"], "", "x", "x", 0, "", 60_000_000]
        assert switch.run("rebuild", "apollo", args) == ["kept"]
    assert (stored(), queue()) == (before, status)


def test_D2_rebuilding_what_is_there_and_well_changes_nothing():
    fail(times=3)
    before = stored()
    assert rebuild.compare() == 0
    assert stored() == before


def test_D2_every_rebuilding_is_an_event():
    trip()
    redis_cli().flushdb()
    compare_until_quiet()
    (event,) = Event.objects.filter(subject_id="apollo", verb="created", incident__isnull=False)
    assert (event.actor, event.after, event.incident) == ("supervisor", {"state": "open"}, Incident.objects.get())


def test_D2_an_opening_whose_process_died_is_announced_by_the_comparison(monkeypatch, caplog):
    epoch = trip_and_die(monkeypatch)
    assert incidents_of() == []
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")  # the switch did not wait for anybody
    compare_until_quiet()
    (incident,) = incidents_of()
    assert (incident.epoch, incident.failure_type, incident.failures) == (epoch, "auth", 1)
    assert incident.evidence[0]["error"] == "HTTP 503"
    assert "Finishing the announcement of apollo" in caplog.messages


def test_whoever_finishes_an_announcement_says_so_once_in_the_contracts_words(monkeypatch, caplog):
    trip_and_die(monkeypatch)
    caplog.clear()
    compare_until_quiet()
    words = [
        "Circuit breaker opened for service apollo after 1 failures",
        "Pausing queues for service apollo due to circuit breaker",
    ]
    assert [line for line in caplog.messages if "circuit breaker" in line.lower()] == words


def test_a_listener_that_fails_on_an_unfinished_opening_is_logged_and_asked_again(monkeypatch, caplog):
    trip_and_die(monkeypatch)
    with monkeypatch.context() as failing:
        failing.setattr(incidents, "open_incident", lambda opening: 1 / 0)
        rebuild.compare()
    assert "A listener failed on the opening of apollo: ZeroDivisionError('division by zero')" in caplog.messages
    assert "Pausing queues for service apollo due to circuit breaker" not in caplog.messages
    compare_until_quiet()
    assert len(incidents_of()) == 1


def test_D2_the_pause_of_an_opening_that_races_with_the_comparison_is_left_to_its_cascade(monkeypatch):
    lock = rebuild.switch_lock

    def opened_while_we_wait_for_the_lock():
        trip_and_die(monkeypatch)
        return lock()

    with monkeypatch.context() as racing:
        racing.setattr(rebuild, "switch_lock", opened_while_we_wait_for_the_lock)
        rebuild.compare()
    assert pauses.all_standing() == []
    compare_until_quiet()
    (incident,) = incidents_of()
    assert incident.pause.reason == "System pause: apollo circuit breaker opened"
    assert [pause.key for pause in pauses.all_standing()] == ["system"]
    assert not Event.objects.filter(reason="Found in the switch only").exists()


@pytest.mark.django_db(transaction=True)
def test_D2_two_supervisors_that_compare_at_once_make_one_incident(monkeypatch):
    trip_and_die(monkeypatch)
    results = at_once(*([rebuild.compare] * 6))
    assert all(isinstance(result, int) for result in results)
    assert len(incidents_of()) == 1
    assert Event.objects.filter(verb="opened").count() == 1


@pytest.mark.django_db(transaction=True)
def test_D2_two_supervisors_that_rebuild_at_once_make_one_of_everything():
    trip()
    pauses.pause("all", actor=ANN, reason="lunch")
    redis_cli().flushdb()
    results = at_once(*([rebuild.compare] * 6))
    assert all(isinstance(result, int) for result in results)
    assert compare_until_quiet() == 0
    assert len(incidents_of()) == 1
    assert len(pauses.all_standing()) == 2
    assert stored()["state"] == "open"


# --- the seal --------------------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_a_server_that_restarted_admits_nothing_until_it_was_compared(other_server):
    assert is_admitted()
    other_server.child.restart()
    assert {refusal(service).reason for service in SERVICES} == {"lost"}
    assert not gate.should_allow_request("apollo")
    assert switch.read("apollo").state == "closed"  # its contents are there, but who knows what is missing
    rebuild.compare()
    assert all(is_admitted(service) for service in SERVICES)


@pytest.mark.processes
def test_an_opening_survives_the_restart_of_the_server(other_server):
    epoch = trip()
    other_server.child.restart()
    compare_until_quiet()
    assert (stored()["state"], switch.read("apollo").opening_epoch) == ("open", epoch)
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert len(incidents_of()) == 1


def test_only_the_server_that_was_compared_is_sealed():
    redis_cli().delete("switch_seal")
    assert switch.run("seal", "apollo", ["another run"]) == ["restarted"]
    assert refusal().reason == "lost"
    assert switch.run("seal", "apollo", [switch.read_all().run_id]) == ["sealed"]
    assert is_admitted()


# --- one value that cannot be compared --------------------------------------------------------------------------------


def failing_for(service: str) -> Callable[..., int]:
    """A rebuilding that raises for that service alone."""
    rebuilt = rebuild._rebuild

    def rebuild_or_fail(state: BreakerState, *rest: Any) -> int:
        if state.service == service:
            raise DataError("a value that no row takes")
        return rebuilt(state, *rest)

    return rebuild_or_fail


def test_a_strange_key_of_a_pause_is_logged_once_and_stops_nothing(caplog, monkeypatch):
    monkeypatch.setattr(rebuild, "_strange", set())
    redis_cli().hset("queue_pauses", mapping={"maintenance": "typed by hand", "operator:all": "typed too"})
    redis_cli().delete("switch_seal", "circuit_breaker:openai")
    compare_until_quiet()
    assert caplog.messages.count("queue_pauses in Redis has a key that pauses nothing: 'maintenance'") == 1
    assert [row.key for row in pauses.all_standing()] == ["operator:all"]
    assert switch.read("openai").state == "closed"
    assert switch.read_all().sealed


@pytest.mark.parametrize(
    ("typed", "reason", "actor"),
    [
        ("c\x00" * 600, "c" * 500, "supervisor"),
        (json.dumps({"cause": "c" * 600, "actor": "a" * 200}), "c" * 500, "a" * 150),
        (json.dumps({"cause": ["\x00"], "actor": 7}), "['\\x00']", "7"),
        (json.dumps({"cause": "\x00", "actor": None}), "Found in the switch", "supervisor"),
    ],
)
def test_a_pause_of_any_text_stands_in_both_stores(typed, reason, actor):
    redis_cli().hset("queue_pauses", "operator:openai", typed)
    redis_cli().delete("switch_seal")
    compare_until_quiet()
    (row,) = pauses.all_standing()
    assert (row.key, row.reason, row.actor) == ("operator:openai", reason, actor)
    assert switch.read_all().sealed


def test_one_breaker_that_cannot_be_compared_does_not_keep_the_others_from_being_mended(monkeypatch, caplog):
    trip("openai")
    pauses.pause("instantly", actor=ANN, reason="the bill")
    redis_cli().flushdb()
    with monkeypatch.context() as failing:
        failing.setattr(rebuild, "_rebuild", failing_for("apollo"))
        rebuild.compare()
    assert [switch.read(service).state for service in SERVICES] == ["lost", "closed", "closed", "open", "closed"]
    assert redis_cli().hkeys("queue_pauses") == ["system", "operator:instantly"]
    assert "Cannot compare the breaker of apollo with PostgreSQL" in caplog.messages
    compare_until_quiet()
    assert switch.read("apollo").state == "closed"


def test_a_server_of_which_something_could_not_be_compared_is_not_sealed(monkeypatch, caplog):
    redis_cli().delete("switch_seal")
    with monkeypatch.context() as failing:
        failing.setattr(rebuild, "_rebuild", failing_for("apollo"))
        rebuild.compare()
    assert not any(is_admitted(service) for service in SERVICES)
    assert "Redis started anew and is not sealed: cannot compare the breaker of apollo" in caplog.messages
    rebuild.compare()
    assert all(is_admitted(service) for service in SERVICES)


def test_a_pause_that_cannot_be_written_down_keeps_the_gate_shut_after_a_loss(monkeypatch):
    redis_cli().hset("queue_pauses", "operator:openai", "typed by hand")
    redis_cli().delete("switch_seal")
    with monkeypatch.context() as failing:
        failing.setattr(rebuild, "_keep_pause", lambda *args: 1 / 0)
        rebuild.compare()
    assert refusal("apollo").reason == "lost"


def test_a_store_that_is_away_ends_the_comparison(monkeypatch):
    def away(*args: Any) -> int:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(rebuild, "_rebuild", away)
    with pytest.raises(OperationalError):
        rebuild.compare()


def test_since_when_redis_remembers_is_told():
    assert switch.sealed_at() is not None
    permit_before = a_call()
    redis_cli().flushdb()
    assert switch.sealed_at() is None
    rebuild.compare()
    assert call_state("apollo", permit_before) == "absent"


# --- one bad value ---------------------------------------------------------------------------------------------------


def started_anew() -> None:
    redis_cli().hset("switch_seal", "run_id", "an older server")


def a_word_too_many() -> None:
    redis_cli().hset("queue_pauses", "maintenance", "typed by hand")


def an_endless_pause() -> None:
    redis_cli().hset("queue_pauses", "operator:openai", json.dumps({"cause": "c\x00" * 501, "actor": "a" * 151}))


def an_endless_name() -> None:
    trip()
    switch.run("reset", "apollo", ["a" * 151, switch.read("apollo").opening_epoch])


def an_endless_hold() -> None:
    redis_cli().hset("circuit_breaker:apollo", mapping={"held": "1", "hold_reason": "\x00" + "r" * 501})


def another_encoding() -> None:
    redis_cli().hset("queue_pauses", "operator:openai", b"\xe4rger")


def numbers_that_are_none() -> None:
    redis_cli().hset("circuit_breaker:apollo", mapping={"failures": "1e999", "open_until": "2026-01-01T00:00:00"})


@pytest.mark.parametrize(
    "bad_value",
    [
        a_word_too_many,
        an_endless_pause,
        an_endless_name,
        an_endless_hold,
        another_encoding,
        numbers_that_are_none,
    ],
)
def test_no_value_that_somebody_typed_ends_the_comparison(bad_value: Callable[[], None]) -> None:
    bad_value()
    redis_cli().delete("circuit_breaker:perplexity")
    started_anew()
    compare_until_quiet()
    assert switch.read_all().sealed
    assert stored("perplexity")["state"] == "closed"
    assert switch.read("apollo").at(switch.read_all().now) in ("closed", "open")


def test_nothing_becomes_active_while_something_cannot_be_compared(monkeypatch):
    pauses.pause("openai", actor=ANN, reason="the bill")
    redis_cli().hset("queue_status", "openai", "ACTIVE")
    redis_cli().hdel("queue_status", "apollo")

    def refused(*args):
        raise ValueError("a bad value")

    with monkeypatch.context() as broken:
        broken.setattr(rebuild, "_match_hold", refused)
        rebuild.compare()
        assert "apollo" not in queue()
        assert queue()["openai"] == "PAUSED"
    compare_until_quiet()
    assert (queue()["apollo"], queue()["openai"]) == ("ACTIVE", "PAUSED")
