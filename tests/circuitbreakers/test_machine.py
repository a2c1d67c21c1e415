"""Workers, operators, supervisors and accidents in any order, against the real scripts on the real server.

The model knows four things: which breakers are closed, which pauses stand, which calls are out, which services are on
their way back after a resume. Everything else is compared with it after each step.
"""

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.db.models.functions import Coalesce
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from circuitbreakers import breaker, gate, pauses, policies, policy, probes, ramp_verbs, ramps, rebuild, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Breaker, Incident, QueuePause, Ramp
from circuitbreakers.services import SERVICES
from circuitbreakers.signals import breaker_opened
from circuitbreakers.states import Opening
from tests.breakers import (
    ANN,
    a_call,
    answer_probes,
    compare_until_quiet,
    let_the_wait_pass,
    move_gate_back,
    redis_cli,
    set_policy,
)
from tests.circuitbreakers.conftest import PROFILE

services = st.sampled_from(SERVICES[:2])  # two are enough to meet each other; the others must follow
failures = st.sampled_from(["timeout", "connection", "server_error", "malformed"])
outcomes = st.sampled_from(
    ["success", "timeout", "server_error", "auth", "quota_exhausted", "invalid_request", "unknown"]
)
SYSTEM, ALL = QueuePause.SYSTEM, QueuePause.ALL
CANARY, STEP = 3, 2  # calls; a step takes no time here, so that no clock is moved


class Model:
    """One breaker as it should be."""

    def __init__(self) -> None:
        self.state = "closed"
        self.count = 0
        self.threshold = 5
        self.held = False
        self.waited = False  # the wait after the opening is over
        self.throttled = False
        self.blocked = False
        self.opening = 0  # epoch of the opening it is in
        self.epoch = 0
        self.top = 0  # the highest epoch ever seen
        self.calls: dict[str, gate.Permit] = {}  # out now
        self.permits: dict[str, gate.Permit] = {}  # ever given
        self.stage: int | None = None  # of its ramp, None at full speed
        self.stage_held = False
        self.ended = self.failed = 0  # calls in this stage
        self.staged: set[str] = set()  # those admitted in it
        self.incident: list[int] | None = None  # the openings of the incident that its ramp belongs to

    def at(self, stage: int | None) -> None:
        """Begin a stage."""
        self.stage, self.ended, self.failed, self.staged = stage, 0, 0, set()
        self.stage_held = self.stage_held and stage is not None

    def canary_ends(self) -> None:
        if self.stage == 0 and not self.stage_held and self.ended >= CANARY:
            self.at(10)

    @property
    def has_no_room(self) -> bool:
        return self.stage == 0 and self.ended + len(self.staged & self.calls.keys()) >= CANARY


class Switch(RuleBasedStateMachine):
    """`told` are openings whose announcement this process sent, `untold` those whose process died before it."""

    @initialize()
    def start(self) -> None:
        self.around = transaction.atomic()
        self.around.__enter__()
        redis_cli().flushdb()
        policies.forget()
        rebuild.compare()
        for service in SERVICES:
            Breaker.objects.filter(service=service).update(rate_trip_calls=1_000_000, reset_timeout=60)
        policies.forget()
        self.models = {service: Model() for service in SERVICES}
        self.pauses: set[str] = set()
        self.told: list[tuple[str, int]] = []
        self.openings: list[tuple[str, int]] = []
        self.incidents: list[tuple[str, list[int]]] = []  # each with the epochs of its openings
        self.slower = override_settings(RESUME_CANARY_CALLS=CANARY, RAMP_STEP_CALLS=STEP, RAMP_STEP_SECONDS=0)
        self.slower.enable()
        self.untold: set[tuple[str, int]] = set()
        self.unmarked: set[str] = set()  # resets that PostgreSQL does not know
        self.copy: dict[str, bytes] | None = None
        self.seen: dict[str, int] | None = None
        self.probing: set[str] = set()  # leases of dead probers
        breaker_opened.connect(self.listen, weak=False, dispatch_uid="machine")

    def teardown(self) -> None:
        breaker_opened.disconnect(dispatch_uid="machine")
        if hasattr(self, "slower"):
            self.slower.disable()
        if hasattr(self, "around"):
            try:
                self.everybody_goes_home()
            finally:
                transaction.set_rollback(True)
                self.around.__exit__(None, None, None)
                policies.forget()

    def listen(self, opening: Opening, **kwargs: Any) -> None:
        self.told.append((opening.service, opening.epoch))

    # --- what the model expects ---

    def paused(self, service: str) -> bool:
        return bool(self.pauses & {SYSTEM, ALL, f"operator:{service}"})

    def opens(self, service: str, *, dies: bool = False) -> None:
        """An opening has just happened: note it, and its epoch."""
        model, state = self.models[service], switch.read(service)
        model.state, model.waited, model.opening = "open", False, state.opening_epoch
        self.pauses.add(SYSTEM)
        self.opening_of(service, state.opening_epoch, goes_on=model.stage is not None and not model.held)
        if dies:
            self.untold.add((service, state.opening_epoch))

    def opening_of(self, service: str, epoch: int, *, goes_on: bool = False) -> None:
        """Note an opening: of an incident of its own, or of that whose ramp it stops."""
        model = self.models[service]
        self.openings.append((service, epoch))
        if goes_on and model.incident is not None:
            model.incident.append(epoch)
        else:
            self.incidents.append((service, [epoch]))
        model.at(None)
        model.incident = None

    def in_step(self) -> None:
        """Compare until quiet; every opening has its incident then, every reset its mark."""
        compare_until_quiet()
        self.untold.clear()
        self.unmarked.clear()

    def result(self, service: str, call: str, outcome: str, *, dies: bool = False, **details: Any) -> None:
        """Settle a call of that service, and foresee what it does."""
        model = self.models[service]
        permit = model.calls.pop(call)
        counts = model.state == "closed" and permit.epoch == str(switch.read(service).epoch)
        judged = policy.OUTCOMES[outcome]
        opens = False
        staged = counts and call in model.staged and judged in ("success", "failure", "fatal")
        model.ended, model.failed = model.ended + staged, model.failed + (staged and judged != "success")
        threshold = model.threshold if model.stage is None else min(model.threshold, 3)
        if counts and judged == "success":
            model.count, model.throttled = 0, False
        elif counts and judged == "rate_limit":
            model.blocked = True
            opens = model.throttled
            # A first 429 starts the clock; only time (see `time_passes`) makes it fatal.
            model.count += opens
        elif counts and judged in ("failure", "fatal"):
            model.count += 1
            opens = judged == "fatal" or model.count >= threshold or (model.stage == 0 and model.failed > 1)
        if dies:
            with mock.patch.object(gate, "announce"):
                permit.settle(outcome, **details)
        else:
            permit.settle(outcome, **details)
        if opens:
            self.opens(service, dies=dies)
        else:
            model.canary_ends()

    # --- workers ---

    def admit(self, service: str, workers: int) -> None:
        model = self.models[service]
        for call in [a_call() for _ in range(workers)]:
            expected = "open" if model.state != "closed" else "paused" if self.paused(service) else None
            if expected is None and model.has_no_room:
                expected = "ramp"
            if expected is None and model.blocked:
                expected = "rate"
            try:
                permit = gate.admit(service, call)
            except gate.NotAdmitted as refused:
                answer: str | None = refused.reason
            else:
                answer = None
                model.calls[call] = model.permits[call] = permit
                model.staged.add(call)
            assert answer == expected

    def out(self, *, late: bool = False) -> list[tuple[str, str]]:
        """The calls that are out: all, or those that the breaker has moved on from since."""
        return [
            (service, call)
            for service, model in self.models.items()
            for call, permit in model.calls.items()
            if not late or permit.epoch != str(model.epoch)
        ]

    def settle(self, data: st.DataObject, outcome: str) -> None:
        if out := self.out():
            service, call = data.draw(st.sampled_from(out))
            self.result(service, call, outcome, dies=data.draw(st.booleans()))

    def settle_late(self, data: st.DataObject, outcome: str) -> None:
        if out := self.out(late=True):
            service, call = data.draw(st.sampled_from(out))
            self.result(service, call, outcome)

    def be_throttled(self, data: st.DataObject, outcome: str) -> None:
        if out := self.out():
            service, call = data.draw(st.sampled_from(out))
            self.result(service, call, "rate_limit", retry_after=data.draw(st.sampled_from([None, 5.0, 900.0])))

    def crash_and_be_reclaimed(self, data: st.DataObject, outcome: str) -> None:
        """Without it a crashed worker's call just stays out: nothing else may depend on it."""
        if out := self.out():
            service, call = data.draw(st.sampled_from(out))
            del self.models[service].calls[call]
            assert gate.record(service, "unknown", call=call) in ("ignored", "stale")
            assert gate.record(service, outcome, call=call) == "duplicate"  # and wakes after all

    @rule(data=st.data(), service=services, workers=st.integers(1, 5))
    def work(self, data: st.DataObject, service: str, workers: int) -> None:
        self.work_of(data, service, workers)

    @rule(data=st.data(), service=services, workers=st.integers(1, 5))
    def work_again(self, data: st.DataObject, service: str, workers: int) -> None:
        """Most runs would end in the first pause if nobody brought it all back."""
        for key in sorted(self.pauses - {SYSTEM}):
            self.lift(key.removeprefix("operator:"))
        if SYSTEM in self.pauses:
            self.bring_it_all_back(all_at_once=data.draw(st.booleans()))
        if self.models[service].blocked:
            self.time_passes(service)
        self.work_of(data, service, workers)

    @rule(data=st.data(), service=services)
    def come_back_step_by_step(self, data: st.DataObject, service: str) -> None:
        """After a trip, mostly with successes: by chance alone hardly a run would get as far as its ramp."""
        for key in sorted(self.pauses - {SYSTEM}):
            self.lift(key.removeprefix("operator:"))
        model = self.models[service]
        if model.stage is None and model.state == "closed":
            assert gate.record_failure(service, "no credit", "quota_exhausted") == "opened"
            self.opens(service)
        if SYSTEM in self.pauses:
            self.bring_it_all_back(all_at_once=False)
        model.blocked = False
        move_gate_back(service, 1000)
        mostly = st.sampled_from(["success"] * 5 + ["timeout", "unknown", "auth"])
        for outcome in data.draw(st.lists(mostly, min_size=2, max_size=12)):
            if model.state != "closed" or self.paused(service):
                break
            self.admit(service, data.draw(st.integers(0, 2)))
            if model.calls:
                self.result(service, data.draw(st.sampled_from(sorted(model.calls))), outcome)
            if data.draw(st.booleans()):
                self.step_the_ramps()
            self.everything_is_as_the_model_says()

    def work_of(self, data: st.DataObject, service: str, workers: int) -> None:
        """Some calls begin, some end."""
        self.admit(service, workers)
        ends = st.sampled_from(
            [self.settle, self.settle, self.settle_late, self.be_throttled, self.crash_and_be_reclaimed]
        )
        for end in data.draw(st.lists(ends, max_size=6)):
            end(data, data.draw(outcomes))
            self.everything_is_as_the_model_says()

    @precondition(lambda self: self.out())
    @rule(data=st.data(), failure_type=failures)
    def fail_again_and_again(self, data: st.DataObject, failure_type: str) -> None:
        service, _ = data.draw(st.sampled_from(self.out()))
        for call in list(self.models[service].calls):
            self.result(service, call, failure_type)

    # --- time ---

    @rule(service=services)
    def time_passes(self, service: str) -> None:
        model = self.models[service]
        if model.state == "open":
            let_the_wait_pass(service)
            model.waited = True
        gate_before = switch.read_all().gates[service]
        move_gate_back(service, 1000)
        model.blocked = False
        if gate_before.throttled_since is not None:
            # The vendor complained all the while: without that, the clock would start anew.
            just_now = int(switch.read_all().now.timestamp() * 1_000_000) - 1_000_000
            redis_cli().hset(f"circuit_gate:{service}", "blocked_until", str(just_now))
            model.throttled = True
        redis_cli().delete(f"circuit_probe:{service}")  # a lease ends by itself
        self.probing.discard(service)

    # --- the supervisor ---

    @rule()
    def compare(self) -> None:
        self.in_step()

    @precondition(lambda self: any(model.state == "open" for model in self.models.values()))
    @rule(service=services)
    def half_open(self, service: str) -> None:
        model = self.models[service]
        expected = model.state == "open" and model.waited and not model.held
        assert breaker.half_open(service) is expected
        if expected:
            model.state = "half_open"

    @rule(service=services, end=st.sampled_from(["ok", "failed", "dies"]))
    def probe(self, service: str, end: str) -> None:
        model = self.models[service]
        answer_probes(end == "ok", service)
        if service in self.probing:
            with pytest.raises(probes.ProbeRunning):
                probes.probe(service)
        elif end == "dies":
            assert switch.take_probe_lease(service, "a dead process", probes.LEASE)
            self.probing.add(service)
        else:
            assert probes.probe(service).ok is (end == "ok")
            if model.state == "half_open" and end == "failed":
                model.state, model.waited = "open", False

    # --- operators ---

    @rule(service=services, ok=st.booleans(), force=st.booleans())
    def reset(self, service: str, ok: bool, force: bool) -> None:
        model = self.models[service]
        answer_probes(ok, service)
        probed = model.state != "closed" and not force
        if model.held or (probed and (service in self.probing or not ok)):
            with mock.patch.object(breaker, "PROBE_WAIT", 0), pytest.raises(breaker.BreakerRefused):
                breaker.reset(service, actor=ANN, reason="it is well", force=force)
            if model.state == "half_open" and not model.held and service not in self.probing:
                model.state, model.waited = "open", False  # the probe failed
            return
        assert breaker.reset(service, actor=ANN, reason="it is well", force=force) is (model.state != "closed")
        self.closes(service)
        self.untold = {one for one in self.untold if one[0] != service}

    def closes(self, service: str) -> None:
        model = self.models[service]
        if model.state != "closed":
            model.throttled = False
        model.state, model.count = "closed", 0

    @precondition(lambda self: any(model.state != "closed" for model in self.models.values()))
    @rule(service=services)
    def reset_and_die(self, service: str) -> None:
        """Between the script and PostgreSQL."""
        model = self.models[service]
        if model.state == "closed" or model.held or (service, model.opening) in self.untold:
            return
        assert switch.run("reset", service, ["ann", model.opening])[0] == "reset"
        self.closes(service)
        self.unmarked.add(service)

    @rule(service=services, dies=st.booleans())
    def hold(self, service: str, dies: bool) -> None:
        model = self.models[service]
        if dies:
            with mock.patch.object(breaker, "apply_hold"):
                did = breaker.hold(service, actor=ANN, reason="maintenance")
            compare_until_quiet()  # the supervisor holds it
            self.untold.clear()
            self.unmarked.clear()
        else:
            did = breaker.hold(service, actor=ANN, reason="maintenance")
        assert did is not model.held
        if not model.held:
            model.held = True
            if model.state == "closed":
                self.opens(service)
            model.state = "open"

    @precondition(lambda self: any(model.held for model in self.models.values()))
    @rule(service=services)
    def release(self, service: str) -> None:
        model = self.models[service]
        assert breaker.release(service, actor=ANN) is model.held
        model.held = False

    @rule(service=st.sampled_from(["all", *SERVICES[:2]]))
    def pause(self, service: str) -> None:
        key = f"operator:{service}"
        assert pauses.pause(service, actor=ANN, reason="the bill") is (key not in self.pauses)
        self.pauses.add(key)

    @precondition(lambda self: self.pauses - {SYSTEM})
    @rule(service=st.sampled_from(["all", *SERVICES[:2]]))
    def lift(self, service: str) -> None:
        key = f"operator:{service}"
        assert pauses.lift(service, actor=ANN) is (key in self.pauses)
        self.pauses.discard(key)

    @precondition(lambda self: SYSTEM in self.pauses)
    @rule()
    def look_before_resuming(self) -> None:
        self.seen = {service: switch.read(service).epoch for service in SERVICES}

    @rule(looked_before=st.booleans(), everyone=st.booleans(), all_at_once=st.booleans())
    def resume(self, looked_before: bool, everyone: bool = False, all_at_once: bool = False) -> None:
        now = {service: switch.read(service).epoch for service in SERVICES}
        seen = self.seen if looked_before and self.seen else now
        allowed = seen == now and all(model.state == "closed" for model in self.models.values())
        if allowed and self.unmarked:
            self.in_step()  # recovery waits until the pause has finished spreading
        try:
            with switch_lock():
                begin: list[str] | None = None
                row = pauses.standing(SYSTEM)
                if row:
                    pauses.end(row, actor=ANN, reason="")
                    begin = ramps.begin(row, everyone=everyone, actor=ANN, reason="")
                if all_at_once:
                    ramps.skip(actor=ANN, reason="")
                    begin = []
                active = pauses.activate(SYSTEM, seen, begin)
        except pauses.SwitchRefused:
            assert not allowed
        else:
            assert allowed
            self.pauses.discard(SYSTEM)
            for service, model in self.models.items():
                opened = row and Incident.objects.filter(pause=row, service=service).exists()
                if all_at_once:
                    model.at(None)
                elif row and (opened or everyone or model.stage is not None):
                    model.stage_held = False
                    model.at(0)
                if opened:
                    model.incident = [epochs for name, epochs in self.incidents if name == service][-1]
            assert active == [service for service in SERVICES if not self.paused(service)]

    def bring_it_all_back(self, *, all_at_once: bool) -> None:
        """What an operator does after each trip."""
        self.in_step()
        for service, model in self.models.items():
            if model.held:
                self.release(service)
            if model.state != "closed":
                self.reset(service, ok=True, force=True)
        self.resume(looked_before=False, all_at_once=all_at_once)
        assert SYSTEM not in self.pauses

    @precondition(lambda self: any(model.stage is not None for model in self.models.values()))
    @rule(service=services, verb=st.sampled_from(["hold", "go_on", "back", "all_at_once"]))
    def move_a_ramp(self, service: str, verb: str) -> None:
        model = self.models[service]
        act: Any = getattr(ramp_verbs, verb)
        if model.stage is None or (verb == "back" and model.stage == 0):
            with pytest.raises(ramp_verbs.RampRefused):
                act(service, actor=ANN, reason="I say so")
            return
        did = act(service, actor=ANN, reason="I say so")
        if verb in ("hold", "go_on"):
            assert did is (model.stage_held is (verb == "go_on"))
            model.stage_held = verb == "hold"
        else:
            model.at({10: 0, 25: 10, 50: 25}[model.stage] if verb == "back" else None)

    @rule()
    def step_the_ramps(self) -> None:
        ramp_verbs.step(lambda service: 600)
        for service, model in self.models.items():
            if model.stage is None or self.paused(service):
                continue
            model.canary_ends()
            if model.stage and not model.stage_held and model.ended >= STEP:
                model.at({10: 25, 25: 50, 50: None}[model.stage] if model.failed * 10 < model.ended else model.stage)

    @rule(service=services, threshold=st.integers(1, 6))
    def change_policy(self, service: str, threshold: int) -> None:
        set_policy(service, failure_threshold=threshold)
        self.models[service].threshold = threshold

    # --- accidents ---

    @rule()
    def flush_redis(self) -> None:
        # An opening that had not reached PostgreSQL when Redis was lost is the one window that stays: not here.
        self.in_step_before_a_loss()
        redis_cli().flushdb()
        for service in SERVICES:
            with pytest.raises(gate.NotAdmitted, match="lost"):
                gate.admit(service, a_call())
        compare_until_quiet()
        self.probing.clear()
        for service in SERVICES:
            self.after_loss(service, closed=self.models[service].state == "closed")

    def in_step_before_a_loss(self) -> None:
        if self.untold or self.unmarked:
            self.in_step()

    def after_loss(self, service: str, *, closed: bool) -> None:
        model, state = self.models[service], switch.read(service)
        assert (state.state == "closed") is closed
        assert state.held is model.held
        out = redis_cli().zrange(f"circuit_permits:{service}", 0, -1)
        model.calls = {call: replace(model.permits[call], settled=False) for call in out}
        model.epoch = state.epoch
        model.top = max(model.top, state.epoch)
        model.state, model.count, model.waited = state.state, state.failure_count, False
        model.throttled = False
        redis_cli().hdel(f"circuit_gate:{service}", "throttled_since", "throttles", "blocked_until")
        model.blocked = False
        if closed and model.stage is not None:
            model.at(0)
        if not closed:
            let_the_wait_pass(service)
            model.state, model.waited = state.state, True
            if state.opening_epoch != model.opening:
                self.opening_of(service, state.opening_epoch)
            model.opening = state.opening_epoch

    @rule()
    def make_a_copy(self) -> None:
        client = bytes_of_redis()
        self.copy = {key.decode(): client.dump(key) for key in client.scan_iter() if client.ttl(key) == -1}

    @precondition(lambda self: self.copy is not None)
    @rule()
    def put_an_old_copy_back(self) -> None:
        """A restart from an old append-only file, or a failover to a replica that had stopped listening."""
        assert self.copy is not None
        self.in_step_before_a_loss()
        client = bytes_of_redis()
        client.flushdb()
        for key, value in self.copy.items():
            client.restore(key, 0, value)
        client.delete("switch_seal")
        was = switch.read_all()
        before = Incident.objects.count()
        compare_until_quiet()
        self.probing.clear()
        self.pauses |= was.pauses.keys()
        for service in SERVICES:
            closed = self.models[service].state == "closed" and was.breakers[service].state == "closed"
            self.models[service].held = self.models[service].held or was.breakers[service].held
            self.after_loss(service, closed=closed)
            if not closed:
                self.pauses.add(SYSTEM)
        assert Incident.objects.count() >= before

    # --- what must hold, always ---

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        snapshot = switch.read_all()
        assert snapshot.sealed
        assert snapshot.pauses.keys() == self.pauses
        for service, model in self.models.items():
            state = snapshot.breakers[service]
            assert (service, state.state) == (service, model.state)
            assert state.failure_count == model.count or model.state != "closed"
            assert state.held is model.held
            assert snapshot.queue[service] == ("PAUSED" if self.paused(service) else "ACTIVE")
            assert snapshot.gates[service].in_flight == len(model.calls)
            stage = snapshot.gates[service].stage
            assert (None if stage.full else stage.percent) == model.stage
            assert model.stage is None or (stage.calls, stage.failed) == (model.ended, model.failed)
            assert model.stage is None or stage.held is model.stage_held
            self.epochs_only_grow(model, state.epoch)
        if any(state.state != "closed" for state in snapshot.breakers.values()) or {SYSTEM, ALL} & self.pauses:
            assert set(snapshot.queue.values()) == {"PAUSED"}

    def epochs_only_grow(self, model: Model, epoch: int) -> None:
        """An old copy brings an old epoch back; whatever changes after it is later than all before."""
        if epoch != model.epoch:
            assert epoch > model.top
            model.epoch = model.top = epoch

    @invariant()
    def every_opening_is_told_once_and_has_one_incident(self) -> None:
        assert len(set(self.told)) == len(self.told)
        assert len(set(self.openings)) == len(self.openings)
        assert set(self.told) == set(self.openings) - self.untold
        on_record = [
            (service, told[0], told[-1])
            for service, epochs in self.incidents
            if (told := [epoch for epoch in epochs if (service, epoch) not in self.untold])
        ]
        rows = Incident.objects.annotate(begun=Coalesce("first_epoch", "epoch"))
        assert set(rows.values_list("service", "begun", "epoch")) == set(on_record)
        assert Incident.objects.count() == len(on_record)

    def everybody_goes_home(self) -> None:
        """L1: from wherever it ended, there is a way back to work."""
        self.in_step()
        for service in SERVICES:
            breaker.release(service, actor=ANN)
            breaker.reset(service, actor=ANN, reason="it is well", force=True)
            pauses.lift(service, actor=ANN)
        pauses.lift("all", actor=ANN)
        self.in_step()
        with switch_lock():
            if row := pauses.standing(SYSTEM):
                pauses.end(row, actor=ANN, reason="")
            epochs = {service: switch.read(service).epoch for service in SERVICES}
            ramps.skip(actor=ANN, reason="")
            assert pauses.activate(SYSTEM, epochs, []) == list(SERVICES)
        assert not Ramp.objects.filter(ended_at=None).exists()
        assert compare_until_quiet() == 0
        for service in SERVICES:
            move_gate_back(service, 1000)
            gate.admit(service, a_call()).settle("success")


def bytes_of_redis() -> Any:
    """The same server, answering in bytes: DUMP is no text."""
    import redis
    from django.conf import settings

    return redis.Redis.from_url(settings.REDIS_SWITCH_URL)


@pytest.mark.fuzz
def test_workers_operators_supervisors_and_accidents_in_any_order(caplog):
    caplog.set_level("CRITICAL")
    run_state_machine_as_test(Switch, settings=PROFILE)
