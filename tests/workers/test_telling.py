"""A channel that is dead holds up no other channel, and no pause."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from campaigns.models import Campaign
from circuitbreakers import events
from circuitbreakers.models import Incident
from notifications.models import Delivery, Message
from tests.breakers import ANN, Beside, trip
from tests.builders import make_campaign
from tests.integrations.wire import Conversation, Server, http, serving
from tests.notifications.receivers import ids, make_channel
from workers import telling

pytestmark = pytest.mark.django_db(transaction=True)


class Threads:
    """Begins what a supervisor begins beside its loop, and knows its threads."""

    def __init__(self) -> None:
        self.begun: list[Beside] = []

    def __call__(self, task: Callable[[], object], what: str = "") -> None:
        self.begun.append(Beside(task))


def never_answer(talk: Conversation) -> None:
    talk.stopping.wait()


@pytest.fixture
def dead() -> Iterator[Server]:
    """Takes each request and answers none."""
    with serving(never_answer) as server:
        yield server


@pytest.fixture
def well() -> Iterator[Server]:
    with serving(http(200, {})) as server:
        yield server


@pytest.fixture
def threads(in_step: None, settings: Any, dead: Server) -> Iterator[Threads]:
    settings.NOTIFY_PRIVATE_HOSTS = ["127.0.0.1"]
    threads = Threads()
    yield threads
    for talk in dead.connections:
        talk.reset()
    for thread in threads.begun:
        thread.result()


def until(reached: Callable[[], bool], teller: telling.Teller, threads: Threads) -> float:
    """Look again and again for what is to be told, as a supervisor does, until then; the seconds that it took."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < 30
        teller.tell_due(threads)
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_dead_channel_delays_no_other(dead: Server, well: Server, threads: Threads) -> None:
    make_channel(dead.url)
    make_channel(well.url)
    teller = telling.Teller()
    for number in range(5):
        events.record("budget", f"campaign:{number}", "used_up", actor=ANN, reason="used up")
    assert until(lambda: len(well.received) == 5, teller, threads) < 5
    assert len(set(ids(well))) == 5
    assert dead.received
    assert len(dead.received) <= telling.MOST_THREADS
    assert Delivery.objects.filter(state="PENDING").count() == 5


def test_a_dead_channel_delays_no_pause(dead: Server, threads: Threads) -> None:
    make_channel(dead.url)
    teller = telling.Teller()
    for _ in range(3):
        make_campaign()
    events.record("budget", "system", "used_up", actor=ANN, reason="used up")
    until(lambda: bool(dead.received), teller, threads)
    trip("openai")
    assert set(Campaign.objects.values_list("status", flat=True)) == {"PAUSED"}
    seconds = Incident.objects.get().cascade_seconds
    assert seconds is not None
    assert seconds < 2
    assert threads.begun[-1].is_alive()  # it waits for the answer
    assert Message.objects.filter(kind="opened").count() == 1


def test_an_answer_that_never_ends_is_not_waited_for_twice(
    dead: Server, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_channel(dead.url)
    teller = telling.Teller()
    for number in range(9):
        events.record("budget", f"campaign:{number}", "used_up", actor=ANN, reason="used up")
    until(lambda: len(dead.received) == telling.MOST_THREADS, teller, threads)
    assert teller.tell_due(threads) == 0
    monkeypatch.setattr(telling, "STUCK", 0.0)
    until(lambda: len(dead.received) == telling.MOST_STUCK, teller, threads)
    assert teller.tell_due(threads) == 0
    assert len(set(ids(dead))) == telling.MOST_STUCK
