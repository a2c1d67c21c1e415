"""What must hold, always: S1 to S8, L1 and L2 of docs/states.md#invariants, with a real server and threads."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from circuitbreakers import breaker, events, gate, incidents, pauses, probes, rebuild, switch
from circuitbreakers.models import Breaker, Incident, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.signals import breaker_opened
from circuitbreakers.states import BreakerState, Opening
from tests.breakers import (
    ANN,
    OTHERS,
    a_call,
    admit,
    answer_probes,
    at_once,
    call_state,
    compare_until_quiet,
    fail,
    in_flight,
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


# --- S1: count, judge and switch in one script -----------------------------------------------------------------------


@races
def test_S1_fifty_threads_that_fail_at_once_open_it_exactly_once():
    permits = [admit() for _ in range(50)]
    announced: list[int] = []

    def listen(opening: Opening, **kwargs: Any) -> None:
        announced.append(opening.epoch)

    breaker_opened.connect(listen)
    try:
        results = at_once(*(lambda permit=permit: permit.settle("timeout") for permit in permits))
    finally:
        breaker_opened.disconnect(listen)

    assert results == [None] * 50
    (incident,) = incidents_of()
    assert announced == [incident.epoch]
    assert incident.failures == 5  # those that came later found it open
    assert stored()["failure_count"] == "5"
    assert in_flight() == 0


@races
def test_S1_every_failure_before_the_threshold_is_counted():
    set_policy(failure_threshold=50)
    at_once(*([lambda: fail(failure_type="timeout")] * 19))  # below the failure rate's 20 calls
    assert stored()["failure_count"] == "19"


@races
def test_S1_nobody_ever_sees_an_open_breaker_with_an_active_queue():
    seen: list[tuple[str, int, set[str]]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            now = switch.read_all()
            state = now.breakers["openai"]
            seen.append((state.state, state.failure_count, set(now.queue.values())))

    def fail_and_recover() -> None:
        try:
            for _ in range(20):
                assert fail("openai", "timeout", times=5) == "opened"
                reset("openai")
                resume()
        finally:
            over.set()

    assert at_once(watch, watch, fail_and_recover) == [None] * 3
    assert {state for state, _, _ in seen} == {"closed", "open"}
    assert {frozenset(status) for state, _, status in seen if state == "open"} == {frozenset({"PAUSED"})}
    assert all(count < 5 for state, count, _ in seen if state == "closed")


def test_S1_the_opening_pauses_all_five_queues_in_the_same_script():
    # The script alone: nothing that Python does afterwards may be needed.
    args = ["", "", "fatal", "auth", "401", "w", 5, 60_000_000, 50, 20, 60_000_000, 0, 900_000_000, 0, 0, 0]
    assert switch.run("record", "apollo", args)[0] == "opened"
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert redis_cli().hkeys("queue_pauses") == ["system"]


@races
def test_S1_no_call_is_admitted_after_the_opening_that_races_with_it():
    for _ in range(5):
        admissions: list[list[gate.Permit]] = [[] for _ in SERVICES]
        under_way = threading.Barrier(len(SERVICES) + 1)

        def work(number: int, admissions=admissions, under_way=under_way) -> str:
            for turn in range(2000):
                try:
                    admissions[number].append(admit(SERVICES[number]))
                except gate.NotAdmitted as refused:
                    return refused.reason
                if turn == 5:
                    under_way.wait(30)
            return "never refused"

        def break_it(under_way=under_way) -> None:
            under_way.wait(30)
            trip("apollo")

        results = at_once(*(lambda n=n: work(n) for n in range(len(SERVICES))), break_it)
        assert set(results) <= {"paused", "open", None}
        opened_at = switch.read("apollo").opened_at
        assert all(len(permits) > 5 for permits in admissions)
        assert max(permit.admitted_at for permits in admissions for permit in permits) <= opened_at
        for permits in admissions:
            for permit in permits:
                permit.settle("success")
        assert reset()
        assert resume() == list(SERVICES)


# --- S2: a result from another epoch changes nothing but statistics --------------------------------------------------


@pytest.mark.parametrize("outcome", ["success", "timeout", "auth", "rate_limit", "invalid_request"])
def test_S2_a_result_from_before_the_reset_changes_nothing(outcome):
    late = [admit() for _ in range(6)]
    trip()
    reset()
    resume()
    fail(times=2)
    before, gate_before = stored(), switch.read_all().gates["apollo"]

    for permit in late:
        permit.settle(outcome, retry_after=30)

    assert stored() == before
    after = switch.read_all().gates["apollo"]
    assert after.blocked_until is None
    assert after.throttled_since is None
    assert gate_before.in_flight == 6
    assert after.in_flight == 0
    assert redis_cli().hget("circuit_gate:apollo", "late") == "6"


def test_S2_a_result_from_before_the_reset_is_not_in_the_failure_rate():
    set_policy(failure_threshold=1000, rate_trip_calls=10)
    late = [admit() for _ in range(20)]
    trip()
    reset()
    resume()
    for permit in late:
        permit.settle("timeout")
    assert fail() == "counted"


def test_S2_a_result_that_comes_while_it_is_open_changes_nothing():
    late = admit()
    trip()
    before = stored()
    late.settle("timeout")
    assert fail() == "stale"
    assert stored() == before


# --- S3: at most one live probe per service in the fleet -------------------------------------------------------------


@races
def test_S3_threads_that_probe_at_once_make_one_health_call():
    trip()
    inside, most = 0, 0
    lock, others_are_refused = threading.Lock(), threading.Event()

    def health_call() -> probes.ProbeResult:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        others_are_refused.wait(10)
        with lock:
            inside -= 1
        return probes.ProbeResult(True, "the key is good", "answers")

    probes.register_probe("apollo", health_call)
    refused = 0

    def ask() -> str:
        nonlocal refused
        try:
            probes.probe("apollo")
        except probes.ProbeRunning:
            with lock:
                refused += 1
                if refused == 11:
                    others_are_refused.set()
            return "refused"
        return "probed"

    assert sorted(at_once(*([ask] * 12))) == ["probed"] + ["refused"] * 11
    assert most == 1


def test_S3_a_probe_that_outlived_its_lease_neither_counts_nor_ends_the_next_one():
    trip()
    let_the_wait_pass()
    assert breaker.half_open("apollo")

    def too_slow() -> probes.ProbeResult:
        redis_cli().set("circuit_probe:apollo", "somebody else")  # ours has expired, the next one began
        return probes.ProbeResult(False, "nothing", "HTTP 503")

    probes.register_probe("apollo", too_slow)
    probes.probe("apollo")
    assert stored()["state"] == "half_open"
    assert redis_cli().get("circuit_probe:apollo") == "somebody else"


@races
def test_S3_who_waits_gets_the_result_of_the_probe_that_runs():
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")
    started, go_on = threading.Event(), threading.Event()

    def health_call() -> probes.ProbeResult:
        started.set()
        go_on.wait(10)
        return probes.ProbeResult(False, "nothing", "HTTP 503")

    def wait_for_it() -> probes.ProbeResult:
        started.wait(10)
        threading.Timer(0.2, go_on.set).start()
        return probes.probe("apollo", wait=10)

    probes.register_probe("apollo", health_call)
    mine, theirs = at_once(lambda: probes.probe("apollo"), wait_for_it)
    assert not mine.ok
    assert theirs == probes.ProbeResult(False, "nothing", "HTTP 503")


# --- S4: a permit ends exactly once ----------------------------------------------------------------------------------


def test_S4_a_permit_that_is_settled_twice_counts_once():
    permit = admit()
    permit.settle("timeout")
    permit.settle("timeout")
    assert stored()["failure_count"] == "1"


@pytest.mark.parametrize("second", ["timeout", "success", "auth"])
def test_S4_a_result_that_is_reported_twice_counts_once(second):
    # A worker and the reclaimer of its lease, or a script that ran although its answer was lost.
    permit = admit()
    first = gate.record("apollo", "timeout", call=permit.call, epoch=permit.epoch)
    again = gate.record("apollo", second, call=permit.call, epoch=permit.epoch)
    assert (first, again) == ("counted", "duplicate")
    assert stored()["failure_count"] == "1"


@races
def test_S4_threads_that_settle_the_same_call_at_once_count_it_once():
    permit = admit()
    verdicts = at_once(*([lambda: gate.record("apollo", "timeout", call=permit.call, epoch=permit.epoch)] * 10))
    assert sorted(verdicts) == ["counted"] + ["duplicate"] * 9


@pytest.mark.parametrize("way_out", [None, ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_S4_a_block_that_ends_in_any_way_ends_its_permit(way_out):
    try:
        with gate.admitted("apollo", a_call()):
            assert in_flight() == 1
            if way_out:
                raise way_out
    except BaseException as error:  # noqa: BLE001
        assert type(error) is way_out  # noqa: PT017
    assert in_flight() == 0
    assert stored()["failure_count"] == "0"


def test_S4_a_misspelt_outcome_does_not_leave_the_permit_open():
    with pytest.raises(ValueError, match="tiemout"), gate.admitted("apollo", a_call()) as permit:
        permit.settle("tiemout")
    assert in_flight() == 0


def test_S4_a_permit_whose_answer_was_lost_is_in_flight_for_a_quarter_of_an_hour_even_without_traffic():
    now = switch.read_all().now.timestamp()
    redis_cli().zadd("circuit_permits:apollo", {"1:1": (now - 890) * 1e6, "2:1": (now - 910) * 1e6})
    assert in_flight() == 1


def test_S4_a_call_is_in_flight_then_settled_and_a_stranger_absent():
    permit = admit()
    assert call_state("apollo", permit.call) == "in_flight"
    permit.settle("success")
    assert call_state("apollo", permit.call) == "settled"
    assert call_state("apollo", "job-0:1") == "absent"


def test_S4_a_dead_workers_permit_is_ended_by_whoever_reclaims_its_job():
    permit = admit()
    gate.record("apollo", "unknown", call=permit.call)
    assert in_flight() == 0
    assert stored()["failure_count"] == "0"


# --- S5: an ignored error counts neither as success nor as failure ---------------------------------------------------


@pytest.mark.parametrize("ignored", ["invalid_request", "unknown"])
def test_S5_an_ignored_error_between_failures_is_no_success(ignored):
    fail(times=4)
    assert fail(failure_type=ignored) == "ignored"
    assert fail() == "opened"


@pytest.mark.parametrize("ignored", ["invalid_request", "unknown"])
def test_S5_ignored_errors_alone_never_open_it(ignored):
    fail(failure_type=ignored, times=50)
    assert stored()["state"] == "closed"
    assert stored()["failure_count"] == "0"
    assert stored()["last_failure_time"] == ""


def test_S5_ignored_errors_are_not_in_the_failure_rate():
    set_policy(failure_threshold=1000, rate_trip_calls=10, rate_trip_percent=50)
    fail(times=9)
    fail(failure_type="invalid_request", times=30)
    assert stored()["state"] == "closed"
    assert fail() == "opened"  # ten of ten, not ten of forty


def test_S5_being_throttled_is_no_failure_and_no_success():
    fail(times=4)
    assert fail(failure_type="rate_limit") == "counted"
    assert stored()["failure_count"] == "4"
    assert fail() == "opened"


# --- S6: reading never writes ----------------------------------------------------------------------------------------


def test_S6_reading_never_writes():
    fail("apollo", times=2)
    trip("openai")
    let_the_wait_pass("openai")  # due for half-open: a read must not make it so
    admit_before = redis_cli().hget("circuit_gate:apollo", "admitted")
    changes = redis_cli().info("persistence")["rdb_changes_since_last_save"]

    for service in SERVICES:
        gate.should_allow_request(service)
        state = switch.read(service)
        state.at(switch.read_all().now)
        switch.read_opening(state)
    switch.sealed_at()

    assert redis_cli().info("persistence")["rdb_changes_since_last_save"] == changes
    assert stored("openai")["state"] == "open"
    assert redis_cli().hget("circuit_gate:apollo", "admitted") == admit_before


def test_S6_a_refused_admission_writes_nothing_either():
    trip()
    changes = redis_cli().info("persistence")["rdb_changes_since_last_save"]
    assert refusal("apollo").reason == "open"
    assert refusal("openai").reason == "paused"
    assert redis_cli().info("persistence")["rdb_changes_since_last_save"] == changes


def test_S6_should_allow_request_says_what_the_gate_would_say():
    assert gate.should_allow_request("openai")
    trip("apollo")
    assert not gate.should_allow_request("apollo")
    assert not gate.should_allow_request("openai")
    reset("apollo")
    assert not gate.should_allow_request("apollo")
    resume()
    assert gate.should_allow_request("apollo")
    redis_cli().delete("switch_seal")
    assert not gate.should_allow_request("apollo")


# --- S7: only a transition sets open_until ---------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["timeout", "auth", "rate_limit"])
def test_S7_a_late_failure_does_not_move_open_until(late):
    permits = [admit() for _ in range(3)]
    trip()
    until = stored()["open_until"]
    for permit in permits:
        permit.settle(late, retry_after=7200)
    fail(failure_type=late)
    assert stored()["open_until"] == until


def wait_of(state: BreakerState) -> float:
    assert state.opened_at is not None
    assert state.open_until is not None
    return (state.open_until - state.opened_at).total_seconds()


@pytest.mark.parametrize(("retry_after", "wait"), [(600, 600), (10, 60), (None, 60)])
def test_S7_a_retry_after_may_only_make_the_wait_longer(retry_after, wait):
    admit().settle("quota_exhausted", retry_after=retry_after)
    assert wait_of(switch.read("apollo")) == wait


# --- S8: one announcement per opening; a listener that raises breaks nothing -----------------------------------------


def test_S8_a_listener_that_raises_breaks_nothing(caplog):
    heard = []

    def broken(**kwargs: Any) -> None:
        raise RuntimeError("I am broken")

    def listening(opening: Opening, **kwargs: Any) -> None:
        heard.append(opening.service)

    breaker_opened.connect(broken)
    breaker_opened.connect(listening)
    try:
        permit = admit()
        permit.settle("auth", "HTTP 401")
    finally:
        breaker_opened.disconnect(broken)
        breaker_opened.disconnect(listening)

    assert heard == ["apollo"]
    assert len(incidents_of()) == 1
    assert queue() == dict.fromkeys(SERVICES, "PAUSED")
    assert "A listener failed on the opening of apollo: RuntimeError('I am broken')" in caplog.messages


def test_S8_an_opening_has_one_incident_however_often_it_is_told(caplog):
    trip()
    opening = switch.read_opening(switch.read("apollo"))
    breaker.announce(opening)
    breaker.finish_announcement(switch.read("apollo"))
    rebuild.compare()
    assert len(incidents_of()) == 1
    assert events.Event.objects.filter(subject_id="apollo", verb="opened").count() == 1
    # Found out by looking, not by running into the unique constraint.
    assert not [text for text in caplog.messages if "A listener failed" in text]


def test_S8_a_process_that_froze_before_its_announcement_changes_nothing_when_it_wakes(monkeypatch):
    trip_and_die(monkeypatch)
    asleep = switch.read_opening(switch.read("apollo"))
    compare_until_quiet()
    reset()
    resume()

    breaker.announce(asleep)

    assert len(incidents_of()) == 1
    assert pauses.all_standing() == []
    assert compare_until_quiet() == 0
    assert queue() == dict.fromkeys(SERVICES, "ACTIVE")


def test_S8_a_second_opening_joins_the_pause_of_the_first():
    trip("apollo")
    fail("openai", "auth")  # in flight when apollo opened: its breaker opens too
    compare_until_quiet()
    assert [pause.key for pause in pauses.all_standing()] == ["system"]
    assert incidents_of("openai")[0].pause == incidents_of("apollo")[0].pause


@races
def test_S8_five_breakers_that_open_at_once_make_five_incidents_under_one_pause():
    at_once(*(lambda service=service: fail(service, "auth") for service in SERVICES))
    assert Incident.objects.count() == 5
    assert QueuePause.objects.count() == 1


# --- L1: no state is absorbing, whatever process dies ----------------------------------------------------------------


def died_before_its_announcement(monkeypatch: pytest.MonkeyPatch) -> None:
    trip_and_die(monkeypatch)


def died_between_the_two_halves_of_a_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(breaker, "apply_hold", lambda service, reason: None)
        breaker.hold("apollo", actor=ANN, reason="maintenance")


def hold_in_the_switch_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # A hold and its release crossed, or an old copy of the hash came back.
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    Breaker.objects.update(held_at=None, hold_reason="")


def died_between_the_two_halves_of_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    switch.run("reset", "apollo", ["ann", switch.read("apollo").opening_epoch])


def died_while_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")
    switch.take_probe_lease("apollo", "a dead process", probes.LEASE)


def died_between_activating_and_committing(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    reset()
    pauses.activate(QueuePause.SYSTEM)


def lost_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    redis_cli().flushdb()


def lost_everything_with_a_permit_out(monkeypatch: pytest.MonkeyPatch) -> None:
    permit = admit()
    redis_cli().flushdb()
    permit.settle("auth")


def typed_a_word_that_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    redis_cli().hset("circuit_breaker:apollo", "state", "OPEN")


def typed_open(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    reset()
    resume()
    redis_cli().hset("circuit_breaker:apollo", "state", "open")


def made_a_hash_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    redis_cli().delete("circuit_breaker:apollo")
    redis_cli().hset("circuit_breaker:apollo", "state", "closed")


def typed_nonsense_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    trip()
    redis_cli().hset(
        "circuit_breaker:apollo", mapping={"opened_at": "yesterday", "open_until": "?", "failure_count": "many"}
    )
    redis_cli().hset("queue_pauses", "operator:all", "because")


def paused_by_an_operator_in_one_store(monkeypatch: pytest.MonkeyPatch) -> None:
    QueuePause.objects.create(key="operator:apollo", reason="bill", actor="ann")


@pytest.mark.parametrize(
    "trouble",
    [
        died_before_its_announcement,
        died_between_the_two_halves_of_a_hold,
        hold_in_the_switch_only,
        died_between_the_two_halves_of_a_reset,
        died_while_probing,
        died_between_activating_and_committing,
        lost_everything,
        lost_everything_with_a_permit_out,
        typed_a_word_that_is_no_state,
        typed_open,
        made_a_hash_by_hand,
        typed_nonsense_everywhere,
        paused_by_an_operator_in_one_store,
    ],
)
def test_L1_there_is_a_way_back_from(trouble, monkeypatch):
    trouble(monkeypatch)
    compare_until_quiet()
    # What the supervisor does in passing, and what an operator has: release, reset, lift, resume.
    for service in SERVICES:
        breaker.half_open(service)
        breaker.release(service, actor=ANN)
        reset(service)
        pauses.lift(service, actor=ANN)
    pauses.lift("all", actor=ANN)
    compare_until_quiet()
    assert resume() == list(SERVICES)
    assert all(is_admitted(service) for service in SERVICES)
    assert compare_until_quiet() == 0
    assert fail(times=5) == "opened"  # and it guards again


def test_L1_a_dead_probers_lease_ends_by_itself():
    assert switch.take_probe_lease("apollo", "a dead process", probes.LEASE)
    assert 0 < redis_cli().ttl("circuit_probe:apollo") <= probes.LEASE
    assert not switch.take_probe_lease("apollo", "another", probes.LEASE)


def test_L1_a_probe_that_raises_ends_its_lease_and_counts_as_failed():
    trip()
    let_the_wait_pass()
    breaker.half_open("apollo")

    def health_call() -> probes.ProbeResult:
        raise KeyboardInterrupt

    probes.register_probe("apollo", health_call)
    with pytest.raises(KeyboardInterrupt):
        probes.probe("apollo")
    assert stored()["state"] == "open"
    assert switch.take_probe_lease("apollo", "the next", probes.LEASE)


# --- L2: what is displayed advances without traffic ------------------------------------------------------------------


def test_L2_a_breaker_is_shown_half_open_when_its_wait_is_over_although_nobody_wrote_it():
    trip()
    state = switch.read("apollo")
    assert state.open_until is not None
    assert state.at(state.open_until - timedelta(microseconds=1)) == "open"
    assert state.at(state.open_until) == "half_open"
    assert stored()["state"] == "open"


def test_L2_a_held_breaker_is_shown_open_however_long_it_waits():
    breaker.hold("apollo", actor=ANN, reason="maintenance")
    state = switch.read("apollo")
    assert state.open_until is not None
    assert state.at(state.open_until + timedelta(days=365)) == "open"


def test_L2_half_open_is_written_and_probed_without_any_traffic():
    trip()
    assert not breaker.half_open("apollo")  # too early
    let_the_wait_pass()
    assert breaker.half_open("apollo")
    assert not breaker.half_open("apollo")  # once
    answer_probes(ok=True)
    assert probes.probe("apollo").ok
    assert stored()["state"] == "half_open"
    assert stored()["last_probe_ok"] == "1"


def test_L2_ten_waits_later_it_is_still_not_closed_and_nothing_has_resumed():
    trip()
    answer_probes(ok=True)
    for _ in range(10):
        let_the_wait_pass()
        breaker.half_open("apollo")
        probes.probe("apollo")
        compare_until_quiet()
    assert stored()["state"] == "half_open"
    assert set(queue().values()) == {"PAUSED"}
    assert [refusal(service).reason for service in OTHERS] == ["paused"] * 4
    assert incidents.unreset().keys() == {"apollo"}
