"""After a queue resume a service comes back step by step: a canary, then 10, 25, 50 per cent, then all."""

from typing import Any

import pytest

from circuitbreakers import breaker, gate, incidents, pauses, ramp_verbs, ramps, rates, rebuild, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Event, Incident, QueuePause, Ramp
from circuitbreakers.services import SERVICES
from circuitbreakers.signals import breaker_opened
from circuitbreakers.states import Stage
from tests.breakers import (
    ANN,
    OTHERS,
    admit,
    compare_until_quiet,
    fail,
    incidents_of,
    is_admitted,
    old_copy,
    redis_cli,
    refusal,
    reset,
    trip,
)


@pytest.fixture(autouse=True)
def openings_are_written_down() -> Any:
    """As the cascade does, without campaigns."""

    def write(opening: Any, **kwargs: Any) -> bool:
        with switch_lock():
            return incidents.open_incident(opening) is not None

    breaker_opened.connect(write, weak=False, dispatch_uid="written down")
    yield
    breaker_opened.disconnect(dispatch_uid="written down")


def resume(*, everyone: bool = False) -> list[str]:
    """Lift the system pause as the queue resume does; the services that begin a ramp."""
    with switch_lock():
        snapshot = switch.read_all()
        row = pauses.standing(QueuePause.SYSTEM)
        assert row
        pauses.end(row, actor=ANN, reason="", at=snapshot.now)
        begin = ramps.begin(row, everyone=everyone, actor=ANN, reason="it is well")
        pauses.activate(QueuePause.SYSTEM, {name: one.epoch for name, one in snapshot.breakers.items()}, begin)
    return begin


def brought_back(service: str = "apollo", *, everyone: bool = False) -> None:
    """Trip, reset and resume."""
    trip(service)
    reset(service)
    resume(everyone=everyone)


def stage(service: str = "apollo") -> Stage:
    return switch.read_all().gates[service].stage


def step(deadline: float = 30) -> int:
    return ramp_verbs.step(lambda service: deadline)


def settle(*outcomes: str, service: str = "apollo") -> None:
    """One call after the other, each ending so."""
    for outcome in outcomes:
        admit(service).settle(outcome)


def let_a_step_pass(service: str = "apollo", seconds: int = 61) -> None:
    """As if the stage, and the calls that it has admitted, had begun so much earlier."""
    since = int(redis_cli().hget(f"circuit_gate:{service}", "stage_since"))
    redis_cli().hset(f"circuit_gate:{service}", "stage_since", str(since - seconds * 1_000_000))


def ramp_of(service: str = "apollo") -> Ramp:
    row = Ramp.objects.filter(service=service).first()
    assert row
    return row


def to_step(percent: int, service: str = "apollo") -> None:
    """Bring a service that is at its canary to that step."""
    settle(*["success"] * 5, service=service)
    step()
    while stage(service).percent != percent:
        settle(*["success"] * 20, service=service)
        let_a_step_pass(service)
        step()


# --- the canary -------------------------------------------------------------------------------------------------------


def test_only_the_service_that_had_opened_begins_with_a_canary() -> None:
    brought_back("openai")
    assert {name for name in SERVICES if not stage(name).full} == {"openai"}
    assert [row.service for row in Ramp.objects.all()] == ["openai"]
    assert ramp_of("openai").incident == incidents_of("openai")[0]


def test_all_of_them_do_when_the_operator_asks() -> None:
    brought_back("openai", everyone=True)
    assert {name for name in SERVICES if stage(name).canary} == set(SERVICES)
    assert ramp_of("apollo").incident is None


def test_a_canary_admits_five_calls_and_refuses_the_sixth_as_long_as_they_are_out() -> None:
    brought_back()
    permits = [admit() for _ in range(5)]
    refused = refusal()
    assert (refused.reason, refused.wait) == ("ramp", gate.RAMP_WAIT)
    assert stage().slots == 0
    permits[0].settle("success")
    assert refusal().reason == "ramp"
    assert [admit(service).call for service in OTHERS]


def test_what_says_nothing_of_the_vendor_gives_its_place_back() -> None:
    brought_back()
    settle("unknown", "invalid_request", "rate_limit")
    assert (stage().calls, stage().failed, stage().slots) == (0, 0, 5)


def test_after_five_calls_with_one_failure_it_goes_to_ten_per_cent() -> None:
    brought_back()
    settle("success", "timeout", "success", "success")
    assert stage().canary
    settle("success")
    assert stage().percent == 10
    assert step() == 1
    assert (ramp_of().stage, ramp_of().ended_at) == (10, None)
    event = Event.objects.filter(verb="ramp_moved").get()
    assert (event.before, event.after, event.incident) == ({"stage": 0}, {"stage": 10}, incidents_of()[0])


@pytest.mark.parametrize("outcomes", [["timeout", "timeout"], ["success", "malformed", "success", "server_error"]])
def test_a_second_failure_pauses_everything_again(outcomes: list[str]) -> None:
    brought_back()
    settle(*outcomes)
    assert switch.read("apollo").state == "open"
    assert set(switch.read_all().queue.values()) == {"PAUSED"}
    assert stage() == Stage()
    assert switch.read("apollo").reason == f"2 of {len(outcomes)} canary calls failed"


def test_a_failure_that_no_retry_cures_pauses_everything_again_at_once() -> None:
    brought_back()
    settle("auth")
    assert switch.read("apollo").state == "open"


def test_a_call_that_was_admitted_before_the_resume_counts_for_no_canary() -> None:
    old = admit("openai")
    brought_back("apollo", everyone=True)
    old.settle("timeout")
    assert (stage("openai").calls, stage("openai").failed) == (0, 0)
    assert switch.read("openai").failure_count == 1


def test_two_calls_that_are_overdue_are_two_failures() -> None:
    brought_back()
    for permit in (admit(), admit()):
        now = switch.read_all().now.timestamp() * 1_000_000
        redis_cli().zadd("circuit_permits:apollo", {permit.call: round(now - 41_000_000)})
    let_a_step_pass(seconds=120)
    assert step(deadline=35) == 0
    assert stage().canary
    assert step(deadline=30) == 1
    assert switch.read("apollo").state == "open"
    assert len(incidents_of()) == 1


def test_one_overdue_call_does_not_keep_the_canary_for_ever() -> None:
    brought_back()
    permit = admit()
    settle("success", "success", "success", "success")
    let_a_step_pass(seconds=120)
    step()
    assert stage().canary
    redis_cli().zadd(
        "circuit_permits:apollo",
        {permit.call: int(redis_cli().zscore("circuit_permits:apollo", permit.call)) - 60_000_000},
    )
    step()
    assert stage().percent == 10


# --- the steps --------------------------------------------------------------------------------------------------------


def test_each_step_takes_its_time_and_its_calls() -> None:
    brought_back()
    settle(*["success"] * 5)
    for percent, following in ((10, 25), (25, 50), (50, 100)):
        assert stage().percent == percent
        settle(*["success"] * 19)
        let_a_step_pass()
        step()
        assert stage().percent == percent, "a call is missing"
        settle("success")
        let_a_step_pass(seconds=-61)
        step()
        assert stage().percent == percent, "its time is not over"
        let_a_step_pass()
        step()
        assert stage().percent == following
    row = ramp_of()
    assert (row.ended_how, row.stage) == ("full", 100)
    assert Event.objects.filter(verb="ramp_full").count() == 1
    assert compare_until_quiet() == 0
    assert step() == 0


@pytest.mark.parametrize(("percent", "expected"), [(10, 10), (25, 4), (50, 2), (100, 1)])
def test_a_step_is_its_share_of_the_pace_and_of_the_burst(percent: int, expected: int, settings: Any) -> None:
    brought_back()
    to_step(percent)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": (rates.RateLimit("per_100s", 100, 100, 20),)}
    admitted = [is_admitted() for _ in range(40)].count(True)
    assert 20 / expected - 1 <= admitted <= 20 / expected + 3  # a burst, and what comes while it is asked
    wait = refusal().wait
    assert wait
    assert wait <= settings.RATE_LIMITS["apollo"][0].interval_us * expected / 1_000_000


def test_three_failures_in_a_row_stop_a_ramp_whatever_the_policy_says() -> None:
    brought_back()
    to_step(10)
    settle("timeout", "timeout", "success", "timeout", "timeout")
    assert switch.read("apollo").state == "closed"
    settle("timeout")
    assert switch.read("apollo").state == "open"


def test_ten_per_cent_of_failures_keep_it_at_its_step() -> None:
    brought_back()
    to_step(10)
    settle(*["success"] * 9, "timeout", *["success"] * 9, "timeout")
    let_a_step_pass()
    step()
    assert (stage().percent, stage().calls, stage().failed) == (10, 0, 0)
    settle(*["success"] * 20)
    step()
    assert stage().percent == 25


def test_without_a_canary_it_begins_with_the_first_step(settings: Any) -> None:
    settings.RESUME_CANARY_CALLS = 0
    brought_back()
    assert stage().percent == 10


def test_without_steps_full_speed_comes_after_the_canary(settings: Any) -> None:
    settings.RAMP_STEP_CALLS = 0
    brought_back()
    settle(*["success"] * 5)
    step()
    assert stage().full
    assert ramp_of().ended_how == "full"


def test_without_either_nothing_is_slower(settings: Any) -> None:
    settings.RESUME_CANARY_CALLS = settings.RAMP_STEP_CALLS = 0
    brought_back()
    assert stage().full
    assert not Ramp.objects.exists()


def done() -> int:
    return Event.objects.filter(subject_type="queue", verb="resume_done").count()


def test_a_resume_is_done_with_the_last_of_its_ramps() -> None:
    brought_back("openai", everyone=True)
    for service in OTHERS:
        ramp_verbs.all_at_once(service, actor=ANN, reason="it was well all along")
    assert done() == 0
    to_step(50)
    settle(*["success"] * 20)
    let_a_step_pass()
    step()
    assert done() == 1
    assert step() == 0
    assert done() == 1


def test_a_resume_is_not_done_while_another_opening_has_paused_all_again() -> None:
    brought_back()
    trip("openai")
    ramp_verbs.all_at_once("apollo", actor=ANN, reason="it is well")
    assert done() == 0


# --- stopped: the same incident goes on -------------------------------------------------------------------------------


def test_a_stopped_resume_goes_on_with_its_incident() -> None:
    brought_back()
    first = incidents_of()[0]
    settle("success", "timeout", "timeout")
    (again,) = incidents_of()
    assert again.pk == first.pk
    assert (again.reset_at, again.reset_by, again.first_epoch) == (None, "", first.epoch)
    assert again.epoch == switch.read("apollo").opening_epoch
    assert again.pause.ended_at is None
    assert (ramp_of().ended_how, ramp_of().stage, ramp_of().calls) == ("stopped", 0, 3)
    assert compare_until_quiet() == 0


def test_it_can_be_stopped_again_and_again() -> None:
    brought_back()
    for times in range(1, 4):
        settle("auth")
        assert reset()
        assert resume() == ["apollo"]
        assert Ramp.objects.filter(ended_how="stopped").count() == times
    assert len(incidents_of()) == 1
    assert compare_until_quiet() == 0


def test_an_opening_at_full_speed_is_an_incident_of_its_own_although_the_row_is_behind() -> None:
    brought_back()
    to_step(50)
    settle(*["success"] * 20)
    let_a_step_pass()
    switch.run("step_ramp", "apollo", [0, 20, 40_000_000, 60_000_000])
    assert ramp_of().ended_at is None
    trip()
    assert len(incidents_of()) == 2
    assert (ramp_of().ended_how, ramp_of().stage) == ("full", 100)


def test_a_hold_is_an_incident_of_its_own() -> None:
    brought_back()
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    assert len(incidents_of()) == 2
    assert ramp_of().ended_how == "stopped"


def test_a_ramp_that_another_opening_interrupts_begins_again() -> None:
    brought_back()
    to_step(25)
    trip("openai")
    reset("openai")
    assert resume() == ["apollo", "openai"]
    assert stage().canary
    assert Ramp.objects.filter(service="apollo").count() == 1
    settle("auth")
    assert len(incidents_of()) == 1


def test_the_supervisor_finishes_a_stop_whose_process_died(monkeypatch: Any) -> None:
    brought_back()
    with monkeypatch.context() as dying:
        dying.setattr(gate, "announce", lambda opening: None)
        settle("success", "auth")
    assert rebuild.compare() > 0
    (incident,) = incidents_of()
    assert incident.first_epoch
    assert (ramp_of().ended_how, ramp_of().calls) == ("stopped", 2)


# --- Redis empty, or old ----------------------------------------------------------------------------------------------


def test_an_emptied_redis_begins_the_ramp_again() -> None:
    brought_back()
    to_step(25)
    ramp_verbs.hold("apollo", actor=ANN, reason="let us see")
    redis_cli().flushdb()
    compare_until_quiet()
    assert stage().canary
    assert stage().held
    assert (ramp_of().stage, ramp_of().held_by) == (0, "ann")


def test_an_old_copy_begins_the_ramp_again() -> None:
    brought_back()
    to_step(50)
    put_back = old_copy()
    settle(*["success"] * 3)
    put_back()
    compare_until_quiet()
    assert stage().canary
    assert ramp_of().stage == 0


def test_an_old_copy_of_a_ramp_that_is_over_slows_nobody() -> None:
    brought_back()
    to_step(25)
    put_back = old_copy()
    to_full()
    put_back()
    compare_until_quiet()
    assert stage().full


def to_full() -> None:
    while not stage().full:
        settle(*["success"] * 20)
        let_a_step_pass()
        step()


def test_an_old_copy_of_the_first_opening_is_not_taken_for_the_second() -> None:
    trip()
    put_back = old_copy()
    reset()
    resume()
    settle("auth")
    second = incidents_of()[0].epoch
    put_back()
    compare_until_quiet()
    assert switch.read("apollo").opening_epoch == second
    assert len(incidents_of()) == 1
    assert reset()
    assert resume() == ["apollo"]


# --- the operator's verbs ---------------------------------------------------------------------------------------------


def test_a_held_ramp_stays_until_it_may_go_on() -> None:
    brought_back()
    assert ramp_verbs.hold("apollo", actor=ANN, reason="let us see")
    assert not ramp_verbs.hold("apollo", actor=ANN, reason="let us see")
    settle(*["success"] * 5)
    step()
    assert stage().canary
    assert refusal().reason == "ramp"
    assert ramp_verbs.go_on("apollo", actor=ANN)
    assert not ramp_verbs.go_on("apollo", actor=ANN)
    step()
    assert stage().percent == 10
    assert list(Event.objects.filter(verb__startswith="ramp_").order_by("id").values_list("verb", "actor")) == [
        ("ramp_began", "ann"),
        ("ramp_held", "ann"),
        ("ramp_went_on", "ann"),
        ("ramp_moved", "supervisor"),
    ]


def test_it_goes_back_by_one_step() -> None:
    brought_back()
    to_step(25)
    settle("success")
    assert ramp_verbs.back("apollo", actor=ANN, reason="too fast") == 10
    assert (stage().percent, stage().calls) == (10, 0)
    assert ramp_verbs.back("apollo", actor=ANN) == 0
    assert stage().slots == 5
    with pytest.raises(ramp_verbs.RampRefused, match="at the canary already"):
        ramp_verbs.back("apollo", actor=ANN)


def test_all_at_once_needs_a_reason() -> None:
    brought_back()
    with pytest.raises(breaker.BreakerRefused, match="reason"):
        ramp_verbs.all_at_once("apollo", actor=ANN, reason=" ")
    ramp_verbs.all_at_once("apollo", actor=ANN, reason="they said so")
    assert stage().full
    assert ramp_of().ended_how == "skipped"
    assert compare_until_quiet() == 0
    settle(*["success"] * 10)


@pytest.mark.parametrize("verb", [ramp_verbs.hold, ramp_verbs.go_on, ramp_verbs.back, ramp_verbs.all_at_once])
def test_no_verb_moves_what_is_at_full_speed(verb: Any) -> None:
    with pytest.raises(ramp_verbs.RampRefused, match="full speed"):
        verb("apollo", actor=ANN, reason="why not")


def test_a_failure_without_a_permit_counts_as_ever() -> None:
    brought_back()
    assert fail(times=2) == "counted"
    assert stage().failed == 0
    assert fail() == "opened"
    assert Incident.objects.count() == 1


def test_a_canary_goes_at_the_services_own_pace(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": (rates.RateLimit("per_60s", 60, 60, 5),)}
    brought_back()
    assert stage().canary
    for _ in range(4):
        admit()
    assert stage().out == 4
