"""Reset, hold, release, half-open, probes, pauses and activate: what each may do, and what it must leave alone."""

import time
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from circuitbreakers import breaker, events, incidents, pauses, postmortem, probes, rebuild, switch
from circuitbreakers.locks import SWITCH_LOCK, switch_lock
from circuitbreakers.models import Breaker, Event, Incident, QueuePause
from circuitbreakers.services import SERVICES
from tests.breakers import (
    ANN,
    OTHERS,
    answer_probes,
    at_once,
    compare_until_quiet,
    fail,
    incidents_of,
    is_admitted,
    let_the_wait_pass,
    queue,
    redis_cli,
    refusal,
    reset,
    resume,
    set_policy,
    stored,
    trip,
    trip_and_die,
)

races = pytest.mark.django_db(transaction=True)


def epochs() -> dict[str, int]:
    return {service: switch.read(service).epoch for service in SERVICES}


# --- epochs ----------------------------------------------------------------------------------------------------------


def test_every_transition_has_a_later_epoch():
    seen = [switch.read("apollo").epoch]

    def then() -> None:
        seen.append(switch.read("apollo").epoch)

    trip()
    then()
    let_the_wait_pass()
    breaker.half_open("apollo")
    then()
    answer_probes(ok=False)
    probes.probe("apollo")
    then()
    reset()
    then()
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    then()
    breaker.release("apollo", actor=ANN)
    reset()
    then()
    assert seen == sorted(set(seen))
    assert all(len(str(epoch)) == 16 for epoch in seen)


def test_an_epoch_grows_even_when_the_servers_clock_was_set_back():
    ahead = switch.read("apollo").epoch + 3_600_000_000
    redis_cli().hset("circuit_breaker:apollo", "epoch", str(ahead))
    assert trip() == ahead + 1
    reset()
    assert switch.read("apollo").epoch == ahead + 2


def test_an_incident_carries_the_epoch_of_its_opening_through_half_open_and_failed_probes():
    epoch = trip()
    answer_probes(ok=False)
    for _ in range(3):
        let_the_wait_pass()
        breaker.half_open("apollo")
        probes.probe("apollo")
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch == epoch
    assert [incident.epoch for incident in incidents_of()] == [epoch]


# --- reset -----------------------------------------------------------------------------------------------------------


def test_a_reset_needs_a_probe_that_succeeds_now():
    trip()
    answer_probes(ok=False)
    with pytest.raises(breaker.BreakerRefused, match=r"The probe of apollo failed: HTTP 503 Mend the cause"):
        breaker.reset("apollo", actor=ANN)
    assert stored()["state"] == "open"
    answer_probes(ok=True)
    assert breaker.reset("apollo", actor=ANN) is True
    assert stored()["state"] == "closed"


def test_a_forced_reset_needs_a_reason_and_no_probe():
    trip()
    answer_probes(ok=False)
    with pytest.raises(breaker.BreakerRefused, match="A reason is needed"):
        breaker.reset("apollo", actor=ANN, force=True, reason="  ")
    assert breaker.reset("apollo", actor=ANN, force=True, reason="the vendor says so")
    (incident,) = incidents_of()
    assert (incident.reset_by, incident.reset_reason) == ("ann", "forced: the vendor says so")


def test_a_half_open_breaker_is_reset_like_an_open_one():
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")
    answer_probes(ok=True)
    assert breaker.reset("apollo", actor=ANN)
    assert stored()["state"] == "closed"


def test_a_held_breaker_is_not_reset_even_by_force():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    with pytest.raises(breaker.BreakerRefused, match=r"The apollo breaker is held: maintenance\. Release it first\."):
        reset()
    # The script says no too: the hold may come between the look and the reset.
    assert switch.run("reset", "apollo", ["ann", switch.read("apollo").opening_epoch]) == ["held"]


def test_a_lost_breaker_is_not_reset():
    redis_cli().delete("circuit_breaker:apollo")
    with pytest.raises(breaker.BreakerRefused, match="being rebuilt"):
        reset()
    assert stored() == {}


def test_a_reset_wakes_no_queue():
    trip()
    reset()
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert [pause.key for pause in pauses.all_standing()] == ["system"]


def test_a_reset_writes_the_missing_incident_first(monkeypatch):
    epoch = trip_and_die(monkeypatch)
    reset()
    (incident,) = incidents_of()
    assert incident.epoch == epoch
    assert incident.reset_at is not None


def test_a_reset_that_died_half_way_is_finished_under_its_own_actor():
    trip()
    switch.run("reset", "apollo", ["ann", switch.read("apollo").opening_epoch])
    compare_until_quiet()
    (incident,) = incidents_of()
    assert incident.reset_by == "ann"
    assert stored()["state"] == "closed"


def test_a_reset_closes_only_the_opening_that_was_probed():
    trip()

    def meanwhile() -> probes.ProbeResult:
        # While we probe, somebody else forces the reset and it breaks again.
        reset()
        trip()
        return probes.ProbeResult(True, "it was well a moment ago", "answers")

    probes.register_probe("apollo", meanwhile)
    with pytest.raises(breaker.BreakerRefused):
        breaker.reset("apollo", actor=ANN)
    assert stored()["state"] == "open"
    assert incidents.unreset().keys() == {"apollo"}


@races
def test_a_breaker_that_opens_while_it_is_reset_as_closed_stays_open(monkeypatch):
    monkeypatch.setattr("circuitbreakers.gate.announce", lambda opening: None)  # it dies before it can tell

    def open_it_while_the_reset_waits_for_the_lock() -> None:
        with switch_lock():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted",
                        [SWITCH_LOCK],
                    )
                    if cursor.fetchone() == (1,):
                        break
                time.sleep(0.01)
            assert fail(failure_type="auth") == "opened"

    def reset_it() -> bool:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [SWITCH_LOCK]
                )
                if cursor.fetchone() == (1,):
                    break
            time.sleep(0.01)
        return reset()

    nothing, refused = at_once(open_it_while_the_reset_waits_for_the_lock, reset_it)
    assert nothing is None
    assert isinstance(refused, breaker.BreakerRefused)
    assert stored()["state"] == "open"


@races
def test_operators_who_reset_at_once_reset_once():
    trip()
    results = at_once(*([reset] * 8))
    assert results.count(True) == 1
    assert all(result in (True, False) or isinstance(result, breaker.BreakerRefused) for result in results)
    assert Event.objects.filter(verb="reset").count() == 1


# --- hold and release ------------------------------------------------------------------------------------------------


def test_a_hold_is_an_opening_in_every_respect(caplog):
    assert breaker.hold("openai", actor=ANN, reason="maintenance window") is True
    assert stored("openai")["state"] == "open"
    assert stored("openai")["reason"] == "held: maintenance window"
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    (incident,) = incidents_of("openai")
    assert (incident.failure_type, incident.reason) == ("held", "held: maintenance window")
    assert "Circuit breaker opened for service openai after 0 failures" in caplog.messages
    assert Breaker.objects.get(service="openai").held_by == "ann"


def test_a_second_hold_changes_nothing():
    breaker.hold("openai", actor=ANN, reason="first")
    assert breaker.hold("openai", actor=ANN, reason="second") is False
    assert Breaker.objects.get(service="openai").hold_reason == "first"
    assert len(incidents_of("openai")) == 1


def test_a_hold_on_an_open_breaker_is_no_second_opening():
    epoch = trip()
    assert breaker.hold("apollo", actor=ANN, reason="nobody touches it")
    assert switch.read("apollo").opening_epoch == epoch
    assert len(incidents_of()) == 1


def test_a_hold_outlives_timeouts_and_probes():
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    assert stored()["state"] == "open"
    let_the_wait_pass()
    assert not breaker.half_open("apollo")
    answer_probes(ok=True)
    probes.probe("apollo")
    assert stored()["state"] == "open"


def test_a_release_leaves_it_open_to_be_reset():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    assert breaker.release("apollo", actor=ANN, reason="done") is True
    assert stored()["state"] == "open"
    assert stored()["held"] == ""
    assert breaker.release("apollo", actor=ANN) is False
    assert reset() is True


def test_a_hold_that_only_the_switch_knows_can_be_released():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    Breaker.objects.update(held_at=None, held_by="", hold_reason="")  # a hold and its release crossed
    assert breaker.release("apollo", actor=ANN) is True
    assert reset() is True


def test_a_hold_that_only_the_switch_knows_stands_in_both_stores_after_a_comparison():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    Breaker.objects.update(held_at=None, held_by="", hold_reason="")
    compare_until_quiet()
    row = Breaker.objects.get(service="apollo")
    assert (row.held_by, row.hold_reason) == ("supervisor", "maintenance")
    assert row.held_at is not None


def test_a_hold_needs_a_reason():
    with pytest.raises(breaker.BreakerRefused, match="A reason is needed"):
        breaker.hold("apollo", actor=ANN, reason=" ")
    assert stored()["state"] == "closed"


def test_the_expiry_of_a_reminder_opens_nothing_and_closes_nothing():
    breaker.hold("apollo", actor=ANN, reason="maintenance", remind_at=timezone.now() - timedelta(days=1))
    compare_until_quiet()
    assert stored()["held"] == "1"


def test_a_hold_that_died_before_the_switch_is_applied_and_announced(monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(breaker, "apply_hold", lambda service, reason: None)
        breaker.hold("apollo", actor=ANN, reason="maintenance")
    assert stored()["state"] == "closed"
    compare_until_quiet()
    assert (stored()["state"], stored()["held"], stored()["hold_reason"]) == ("open", "1", "maintenance")
    assert len(incidents_of()) == 1


@races
def test_a_release_and_a_comparison_at_once_leave_both_stores_of_one_mind():
    for _ in range(10):
        breaker.hold("apollo", actor=ANN, reason="maintenance")
        _, released, _ = at_once(rebuild.compare, lambda: breaker.release("apollo", actor=ANN), rebuild.compare)
        assert released is True
        assert stored()["held"] == ""
        assert reset() is True


# --- half-open and probes --------------------------------------------------------------------------------------------


def test_half_open_admits_nothing():
    trip()
    let_the_wait_pass()
    assert breaker.half_open("apollo")
    assert Event.objects.filter(verb="half_opened", incident=Incident.objects.get()).count() == 1
    assert stored()["state"] == "half_open"
    assert refusal().reason == "open"
    assert fail() == "stale"


def test_a_closed_breaker_is_never_half_opened():
    let_the_wait_pass()
    assert not breaker.half_open("apollo")
    assert stored()["state"] == "closed"


def test_a_state_typed_open_by_hand_has_nothing_to_wait_for():
    trip()
    reset()  # which empties `open_until`
    redis_cli().hset("circuit_breaker:apollo", "state", "open")
    assert breaker.half_open("apollo")


def test_each_failed_probe_waits_twice_as_long_up_to_the_ceiling():
    set_policy(reset_timeout=60, reset_timeout_ceiling=300)
    trip()
    answer_probes(ok=False)
    waits = []
    for attempt in range(1, 6):
        let_the_wait_pass()
        breaker.half_open("apollo")
        probes.probe("apollo")
        state = switch.read("apollo")
        assert (state.state, state.half_open_attempts) == ("open", attempt)
        assert state.open_until is not None
        assert state.last_probe_at is not None
        waits.append((state.open_until - state.last_probe_at).total_seconds())
    assert waits == [120, 240, 300, 300, 300]


def test_a_failed_probe_is_no_new_opening(caplog):
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")
    answer_probes(ok=False)
    caplog.clear()
    probes.probe("apollo")
    assert Event.objects.get(verb="probed").after == {"ok": False, "outcome": "reopened"}
    assert len(incidents_of()) == 1
    assert not [text for text in caplog.messages if "opened for service" in text]


def test_a_failed_probe_of_a_breaker_that_is_not_half_open_changes_no_state():
    answer_probes(ok=False)
    probes.probe("apollo")
    assert stored()["state"] == "closed"
    trip()
    until = stored()["open_until"]
    probes.probe("apollo")
    assert (stored()["state"], stored()["open_until"]) == ("open", until)
    assert stored()["last_probe_ok"] == "0"


def test_a_probe_that_ended_while_ours_asked_for_the_lease_is_taken_for_the_one_that_ran(monkeypatch):
    answer_probes(ok=True)
    take = switch.take_probe_lease

    def just_missed(service: str, token: str, seconds: int) -> bool:
        assert take(service, "theirs", seconds)
        missed = take(service, token, seconds)
        switch.run("probe", service, ["theirs", 1, "answers", "the key is good", 60_000_000, 60_000_000])
        return missed

    monkeypatch.setattr(switch, "take_probe_lease", just_missed)
    assert probes.probe("apollo", wait=5).ok


def test_every_probe_is_on_record_and_on_its_incident():
    answer_probes(ok=True)
    probes.probe("apollo", actor=ANN, reason="their page\x00 says resolved")
    trip()
    answer_probes(ok=False)
    for _ in range(3):
        probes.probe("apollo")
    incident = Incident.objects.get()
    events = list(Event.objects.filter(verb="probed").order_by("id"))
    assert [(e.actor, (e.after or {})["ok"], e.incident_id) for e in events] == [
        (ANN.name, True, None),
        *[("supervisor", False, incident.pk)] * 3,
    ]
    assert (events[0].after or {})["why"] == "their page says resolved"
    told = [(entry.what, entry.count) for entry in postmortem.entries(incident) if "probed" in entry.what]
    assert told == [("breaker apollo probed 3 times", 3)]


def test_the_latest_probes_of_each_service_are_few_and_newest_first():
    now = timezone.now()
    for _ in range(5):
        probes.probe("apollo")
    probes.probe("openai")
    found = probes.recent(SERVICES, since=now, most=3)
    assert [row.subject_id for row in found] == ["openai", "apollo", "apollo", "apollo"]
    assert probes.recent(SERVICES, since=timezone.now(), most=3) == []


def test_who_cannot_wait_for_a_running_probe_is_told_so():
    trip()
    switch.take_probe_lease("apollo", "somebody", 60)
    with pytest.raises(probes.ProbeRunning, match=r"Try again in (60|5\d) s: it has ended by then"):
        probes.probe("apollo", wait=0.1)
    redis_cli().delete("circuit_probe:apollo")
    assert switch.probe_lease_left("apollo") == 0


# --- activate: the only writer of ACTIVE -----------------------------------------------------------------------------


def test_a_resume_is_refused_while_any_breaker_is_not_closed():
    trip("apollo")
    trip_two = fail("openai", "auth")
    assert trip_two == "opened"
    compare_until_quiet()
    reset("apollo")
    for prepare in (lambda: None, lambda: (let_the_wait_pass("openai"), breaker.half_open("openai"))):
        prepare()
        with pytest.raises(pauses.SwitchRefused, match="Circuit breakers still open for: openai"):
            pauses.activate("system", epochs())
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")


def test_a_resume_is_refused_when_a_breaker_has_moved_since_the_check():
    trip()
    reset()
    seen = epochs()
    trip("openai")
    reset("openai")  # closed again, but not the closed breaker that was looked at
    with pytest.raises(pauses.SwitchRefused, match="The openai circuit breaker has changed since the check"):
        pauses.activate("system", seen)
    assert redis_cli().hexists("queue_pauses", "system")


def test_a_resume_is_refused_while_a_state_is_lost():
    trip()
    reset()
    seen = epochs()
    redis_cli().delete("circuit_breaker:openai")
    with pytest.raises(pauses.SwitchRefused, match="The state of openai is being rebuilt"):
        pauses.activate("system", seen)


def test_pauses_stack_and_each_is_lifted_on_its_own():
    trip()
    assert pauses.pause("openai", actor=ANN, reason="the bill")
    assert pauses.pause("all", actor=ANN, reason="lunch")
    assert not pauses.pause("all", actor=ANN, reason="lunch again")
    reset()
    assert resume() == []
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert pauses.lift("all", actor=ANN)
    assert queue() == {**dict.fromkeys(SERVICES, "ACTIVE"), "openai": "PAUSED"}
    assert not pauses.lift("all", actor=ANN)
    assert pauses.lift("openai", actor=ANN)
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")


def test_lifting_an_operators_pause_leaves_the_systems():
    pauses.pause("all", actor=ANN, reason="lunch")
    trip()
    pauses.lift("all", actor=ANN)
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert redis_cli().hkeys("queue_pauses") == ["system"]


def test_a_pause_that_a_host_with_a_fast_clock_began_can_be_lifted_by_any_other():
    pauses.pause("openai", actor=ANN, reason="the bill")
    QueuePause.objects.update(started_at=timezone.now() + timedelta(seconds=2))
    assert pauses.lift("openai", actor=ANN) is True
    row = QueuePause.objects.get()
    assert row.ended_at == row.started_at


def test_nothing_is_active_while_a_breaker_is_not_closed_even_if_its_pause_was_lost():
    trip()
    redis_cli().delete("queue_pauses")
    assert pauses.activate("") == []
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")


def test_a_paused_service_admits_nothing_and_the_others_go_on():
    pauses.pause("openai", actor=ANN, reason="the bill")
    assert refusal("openai").reason == "paused"
    assert all(is_admitted(service) for service in SERVICES if service != "openai")


def test_an_operators_pause_that_the_switch_did_not_get_is_not_on_record(settings):
    settings.REDIS_SWITCH_URL = "redis://127.0.0.1:1/0"
    switch.client.cache_clear()
    switch.script.cache_clear()
    try:
        with pytest.raises(switch.RedisUnavailable):
            pauses.pause("openai", actor=ANN, reason="the bill")
    finally:
        switch.client.cache_clear()
        switch.script.cache_clear()
    assert pauses.all_standing() == []


@races
def test_a_resume_that_races_with_an_opening_never_leaves_an_active_queue_behind():
    for _ in range(10):
        trip("apollo")
        reset("apollo")

        def try_to_resume() -> str:
            try:
                resume()
            except pauses.SwitchRefused:
                return "refused"
            return "resumed"

        verdict, opened = at_once(try_to_resume, lambda: fail("openai", "auth"))
        assert (verdict, opened) in [("refused", "opened"), ("resumed", "opened")]
        compare_until_quiet()
        assert queue() == dict.fromkeys(SERVICES, "PAUSED")
        assert [pause.key for pause in pauses.all_standing()] == ["system"]
        assert not any(is_admitted(service) for service in OTHERS)
        reset("openai")
        assert resume() == list(SERVICES)


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE events SET verb = 'nothing happened'", "DELETE FROM events WHERE true"])
def test_the_database_refuses_to_change_an_event(statement):
    events.record("breaker", "apollo", "opened", actor=ANN)
    with pytest.raises(DatabaseError, match="events is append-only"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert Event.objects.filter(verb="opened").count() == 1


def test_an_event_is_not_saved_twice():
    event = events.record("breaker", "apollo", "opened", actor=ANN)
    with pytest.raises(TypeError, match="append-only"):
        event.save()


def test_every_change_is_one_event_with_its_actor_door_and_reason():
    trip()
    breaker.hold("apollo", actor=ANN, reason="nobody touches it")
    breaker.release("apollo", actor=ANN, reason="done")
    reset()
    pauses.pause("openai", actor=ANN, reason="the bill")
    pauses.lift("openai", actor=ANN, reason="paid")
    rows = Event.objects.filter(subject_type__in=["breaker", "queue"], incident__isnull=False).order_by("id")
    incident = Incident.objects.get()
    assert [(row.subject_id, row.verb, row.actor, row.door) for row in rows] == [
        ("apollo", "opened", "circuit breaker", "breaker"),
        ("apollo", "held", "ann", "command"),
        ("apollo", "released", "ann", "command"),
        ("apollo", "reset", "ann", "command"),
    ]
    assert list(rows) == [event for event in incidents.timeline(incident) if event.subject_type != "campaign"]
    queue_rows = Event.objects.filter(subject_type="queue", subject_id="openai").order_by("id")
    assert [(row.verb, row.reason) for row in queue_rows] == [("paused", "the bill"), ("resumed", "paid")]


def test_the_database_refuses_a_second_standing_pause_of_one_key():
    QueuePause.objects.create(key="system", reason="x", actor="x")
    with pytest.raises(DatabaseError, match="queue_pause_stands_once"), transaction.atomic():
        QueuePause.objects.create(key="system", reason="x", actor="x")


@pytest.mark.parametrize("name", ["x" * 400, "ann\x00", "ann\udcff", "ann\nbob"])
def test_an_actor_carries_no_name_that_postgresql_refuses(name: str) -> None:
    actor = events.Actor(name, "command")
    event = events.record("breaker", "apollo", "probed", actor=actor)
    event.refresh_from_db()
    assert event.actor == actor.name
    assert event.actor[:3] == name[:3]
