"""Every verb that gives the supervisor something to do wakes it, by a real NOTIFY when it is committed."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from campaigns import lifecycle, recovery
from campaigns.models import Campaign
from campaigns.wake import CHANNEL
from tests.breakers import ANN, reset, trip
from tests.builders import make_campaign, make_fleet, make_job, make_lead
from tests.stores import another_session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("in_step")]


@pytest.fixture
def listener() -> Iterator[psycopg.Connection]:
    with another_session() as session:
        session.autocommit = True
        session.execute(f"LISTEN {CHANNEL}")
        yield session


def woken(listener: psycopg.Connection) -> bool:
    return bool(list(listener.notifies(timeout=2, stop_after=1)))


def failed(campaign: Campaign) -> Campaign:
    lead = make_lead(campaign, "FAILED", stage="verify")
    make_job(kind="verify", lead=lead, status="FAILED", failure_type="timeout")
    return campaign


def paused() -> Campaign:
    """Paused by a trip that has been reset, in a house that is alive."""
    campaign = with_lead("RUNNING")
    make_fleet()
    trip()
    reset()
    return campaign


def with_lead(status: str) -> Campaign:
    campaign = make_campaign(status)
    make_lead(campaign)
    return campaign


VERBS: dict[str, tuple[Callable[[], Campaign], Callable[[int], object]]] = {
    "start": (lambda: with_lead("CREATED"), lambda pk: lifecycle.start(pk, actor=ANN)),
    "resume": (
        lambda: make_campaign("PAUSED", operator_paused_at="2026-01-01T00:00Z"),
        lambda pk: lifecycle.resume(pk, actor=ANN),
    ),
    "cancel": (lambda: with_lead("RUNNING"), lambda pk: lifecycle.cancel(pk, actor=ANN)),
    "retarget": (lambda: with_lead("RUNNING"), lambda pk: lifecycle.retarget(pk, target="another", actor=ANN)),
    "retry": (lambda: failed(make_campaign("RUNNING")), lambda pk: lifecycle.retry_failed(pk, actor=ANN)),
    "queue resume": (paused, lambda pk: recovery.resume(actor=ANN)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_wakes_the_supervisor(verb: str, listener: psycopg.Connection) -> None:
    made, act = VERBS[verb]
    campaign = made()
    list(listener.notifies(timeout=0.1))  # of whatever made it
    act(campaign.pk)
    assert woken(listener)


def test_whoever_does_nothing_wakes_nobody(listener: psycopg.Connection) -> None:
    make_campaign("RUNNING")
    assert list(listener.notifies(timeout=0.1)) == []
