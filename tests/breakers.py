"""What the tests of the breakers do over and over, each in one word. Times are moved, never waited for."""

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, connections

from circuitbreakers import breaker, events, gate, pauses, policies, probes, rebuild, switch
from circuitbreakers.locks import switch_lock
from circuitbreakers.models import Breaker, Incident, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.states import from_us

ANN = events.Actor("ann", "command")
OTHERS = SERVICES[1:]

numbers = itertools.count(1)
LONGEST = 60.0  # seconds that a thread of a test may take


def redis_cli() -> Any:
    """The client of the switch, as an operator uses it: by hand."""
    return switch.client()


def a_call() -> str:
    """A call id that nobody has used."""
    return f"job-{next(numbers)}:1"


def admit(service: str = "apollo", **details: Any) -> gate.Permit:
    return gate.admit(service, a_call(), **details)


def is_admitted(service: str = "apollo") -> bool:
    """Whether the gate lets a call through now; the call ends at once and counts as nothing."""
    try:
        admit(service).settle("unknown")
    except gate.NotAdmitted:
        return False
    return True


def refusal(service: str = "apollo", **details: Any) -> gate.NotAdmitted:
    """Why the gate refuses a call now."""
    try:
        permit = admit(service, **details)
    except gate.NotAdmitted as refused:
        return refused
    raise AssertionError(f"{service} admitted {permit.call}")


def fail(service: str = "apollo", failure_type: str = "server_error", times: int = 1) -> str:
    """The verdict on the last of that many failures without a permit."""
    verdicts = [gate.record_failure(service, "HTTP 503", failure_type) for _ in range(times)]
    return verdicts[-1]


def trip(service: str = "apollo") -> int:
    """Open the breaker, whatever it has counted so far; the epoch of the opening."""
    assert fail(service, "auth") == "opened"
    return switch.read(service).opening_epoch


def trip_and_die(monkeypatch: Any, service: str = "apollo") -> int:
    """Open the breaker from a process that dies before it can tell anybody; the epoch of the opening."""
    with monkeypatch.context() as dying:
        dying.setattr(gate, "announce", lambda opening: None)
        return trip(service)


def reset(service: str = "apollo") -> bool:
    return breaker.reset(service, actor=ANN, reason="it is well again", force=True)


def resume() -> list[str]:
    """Lift the system pause as recovery does; the services that are ACTIVE then."""
    with switch_lock():
        epochs = {name: state.epoch for name, state in switch.read_all().breakers.items()}
        if standing := pauses.standing(QueuePause.SYSTEM):
            pauses.end(standing, actor=ANN, reason="")
        return pauses.activate(QueuePause.SYSTEM, epochs)


def compare_until_quiet() -> int:
    """Compare the stores until nothing is left to mend; how many differences there were."""
    found = [rebuild.compare() for _ in range(4)]
    assert found[-1] == 0, f"the comparison never comes to an end: {found}"
    return sum(found)


def set_policy(service: str = "apollo", **numbers: int) -> None:
    Breaker.objects.filter(service=service).update(**numbers)
    policies.forget()


def stored(service: str = "apollo") -> dict[str, str]:
    """The breaker's hash, as `redis-cli HGETALL` shows it."""
    return redis_cli().hgetall(f"circuit_breaker:{service}")


def queue() -> dict[str, str]:
    return redis_cli().hgetall("queue_status")


def in_flight(service: str = "apollo") -> int:
    return switch.read_all().gates[service].in_flight


def call_state(service: str, call: str) -> str:
    """Say where a call is in Redis: `in_flight`, `settled` or `absent`. It only reads, unlike the script of `trace`."""
    if redis_cli().zscore(f"circuit_permits:{service}", call) is not None:
        return "in_flight"
    return "absent" if redis_cli().zscore(f"circuit_settled:{service}", call) is None else "settled"


def old_copy() -> Callable[[], None]:
    """Everything in the switch as it is now; call it to put just that back, as a restore from a backup would."""
    kept = {key: redis_cli().hgetall(key) for key in redis_cli().scan_iter() if redis_cli().type(key) == "hash"}

    def put_back() -> None:
        redis_cli().flushdb()
        for key, fields in kept.items():
            redis_cli().hset(key, mapping=fields)
        redis_cli().delete("switch_seal")  # another run of the server

    return put_back


def incidents_of(service: str = "apollo") -> list[Incident]:
    return list(Incident.objects.filter(service=service).order_by("id"))


def let_the_wait_pass(service: str = "apollo") -> None:
    """As if `open_until` were a second ago."""
    past = int(switch.read_all().now.timestamp() * 1_000_000) - 1_000_000
    redis_cli().hset(
        f"circuit_breaker:{service}",
        mapping={"open_until_us": past, "open_until": from_us(past).isoformat()},
    )


def move_gate_back(service: str, seconds: float) -> None:
    """As if everything that the gate remembers had happened so much earlier."""
    key = f"circuit_gate:{service}"
    for name, value in redis_cli().hgetall(key).items():
        if name.startswith("tat:") or name in ("blocked_until", "throttled_since"):
            redis_cli().hset(key, name, str(int(value) - int(seconds * 1_000_000)))


def answer_probes(ok: bool = True, service: str = "apollo") -> None:
    """Let the vendor's health call find this from now on."""
    detail = "answers" if ok else "HTTP 503"
    probes.register_probe(service, lambda: probes.ProbeResult(ok, "the key is good", detail))


class Beside(threading.Thread):
    """A task in a thread of its own, which nobody waits for longer than a minute."""

    def __init__(self, task: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.task, self.until = task, time.monotonic() + LONGEST
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.task()
        except BaseException as error:  # noqa: BLE001  (handed to the test)
            self.outcome = error
        finally:
            connections.close_all()

    def until_it_waits(self) -> None:
        """Until it waits for somebody's lock, or has ended without one."""
        while self.is_alive():
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() != (0,):
                    return
            assert time.monotonic() < self.until
            time.sleep(0.01)

    def result(self) -> Any:
        """What it returned, or the exception that it raised."""
        self.join(max(0.0, self.until - time.monotonic()))
        assert not self.is_alive(), "a thread did not come to its end"
        return self.outcome


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Run the tasks in threads that start together; their results, or the exceptions they raised, in order."""
    barrier = threading.Barrier(len(tasks))

    def together(task: Callable[[], Any]) -> Any:
        barrier.wait(30)
        return task()

    threads = [Beside(partial(together, task)) for task in tasks]
    return [thread.result() for thread in threads]
