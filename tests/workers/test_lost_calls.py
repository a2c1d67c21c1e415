"""What PostgreSQL lost when it came back without its last seconds is found in Redis, and booked as `unknown`."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns import jobs
from campaigns.models import JobRow, VendorCall
from campaigns.statements import LOST
from circuitbreakers import gate, switch
from circuitbreakers.services import SERVICES
from tests.breakers import in_flight
from tests.builders import ago, make_job
from workers.kinds import most_for_one
from workers.lost_calls import Finder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
LONG_AGO = 600  # seconds, so that no lease can stand any more


def call(end: str | None = "success", kind: str = "verify", sent: bool = True) -> JobRow:
    """A call that was admitted long ago and ended so (None: nobody has said), and is on no book."""
    job = make_job(kind=kind, created_at=ago(LONG_AGO + 60))
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    permit = gate.admit(held.service, held.call)
    if end:
        permit.settle(end, sent=sent)
    for key in ("permits", "settled"):
        remembered = f"circuit_{key}:{held.service}"
        switch.client().zadd(remembered, {held.call: ago(LONG_AGO).timestamp() * 1_000_000}, xx=True)
    return held


def find_all(finder: Finder | None = None) -> int:
    """As the supervisor does, as often as Redis's memory has minutes."""
    finder = finder or Finder()
    return sum(finder.find() for _ in range(20))


def lose(job: JobRow) -> None:
    JobRow.objects.filter(pk=job.pk).delete()
    assert not JobRow.objects.filter(pk=job.pk).exists()


@pytest.mark.parametrize("end", ["success", "timeout", "unknown", None])
def test_a_call_whose_job_is_lost_is_booked_once(end: str | None) -> None:
    held = call(end)
    lose(held)
    assert find_all() == 1
    booked = VendorCall.objects.get()
    assert (booked.job_id, booked.campaign_id, booked.fence) == (None, None, held.fence)
    assert (booked.service, booked.outcome, booked.may_be_charged) == (held.service, "unknown", True)
    assert booked.may_cost_usd == most_for_one("verify")
    assert booked.error.startswith(LOST)
    assert abs((booked.admitted_at - ago(LONG_AGO)).total_seconds()) < 5
    assert find_all() == 0


@pytest.mark.parametrize(("kind", "dearest", "people"), [("find", "reveal", 10), ("prepare", "push", 1)])
def test_a_lost_job_may_have_been_the_dearest_of_its_service(kind: str, dearest: str, people: int) -> None:
    lose(call(kind=kind))
    find_all()
    booked = VendorCall.objects.get()
    assert (booked.kind, booked.may_be_charged) == (dearest, True)
    assert booked.may_cost_usd == people * most_for_one(dearest)


def test_a_call_whose_claim_alone_is_lost_is_booked_on_its_job() -> None:
    held = call()
    JobRow.objects.update(status="PENDING", fence=0, lease_until=None)
    assert find_all() == 1
    booked = VendorCall.objects.get()
    assert (booked.job_id, booked.campaign_id, booked.fence) == (held.pk, held.campaign_id, held.fence)
    assert (booked.kind, booked.may_cost_usd) == ("verify", most_for_one("verify"))


def test_a_call_whose_id_has_another_job_by_now_is_not_booked_on_that() -> None:
    held = call()
    JobRow.objects.update(status="PENDING", fence=0, lease_until=None, created_at=ago(5))
    assert find_all() == 1
    assert VendorCall.objects.get().job_id is None
    assert jobs.claim(held.pk, held.service, "host:2") is not None


def test_what_is_on_the_books_is_left_alone() -> None:
    held = call()
    jobs.complete(held, jobs.Done(lead={"verdict": "ok"}), jobs.Call(ago(LONG_AGO), "success", cost_usd=Decimal("0.1")))
    assert find_all() == 0
    assert VendorCall.objects.count() == 1


def test_a_claim_that_stands_is_left_to_the_reclaimer() -> None:
    held = call(None)
    assert find_all() == 0
    JobRow.objects.update(fence=held.fence + 1)
    assert find_all() == 1


def test_a_call_that_was_not_sent_leaves_nothing_to_be_found() -> None:
    held = call("unknown", sent=False)
    JobRow.objects.update(status="PENDING", fence=0, lease_until=None)
    assert in_flight(held.service) == 0
    assert gate.trace(held.service, held.call).admitted_at is None
    assert find_all() == 0


def test_a_free_call_of_no_job_is_none_of_ours() -> None:
    for number, service in enumerate(SERVICES):
        gate.admit(service, f"free:{number}").settle("success")
        before = ago(LONG_AGO).timestamp() * 1_000_000
        switch.client().zadd(f"circuit_settled:{service}", {f"free:{number}": before})
    assert find_all() == 0


def test_it_looks_again_when_postgresql_is_another_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder()
    assert find_all(finder) == 0
    lose(call())
    assert find_all(finder) == 0  # nothing that was on its books is lost by a server that never went away
    read: list[Any] = []
    really = switch.calls_remembered
    monkeypatch.setattr(switch, "calls_remembered", lambda *window: read.append(window) or really(*window))
    assert find_all(finder) == 0
    assert read == []
    finder.session = object()
    assert find_all(finder) == 1


def test_a_call_that_may_still_be_under_way_is_not_looked_at() -> None:
    held = call(None)
    switch.client().zadd(f"circuit_permits:{held.service}", {held.call: ago(60).timestamp() * 1_000_000})
    lose(held)
    assert find_all() == 0
