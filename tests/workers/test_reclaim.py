"""Dead leases: what a worker that died, froze or lost PostgreSQL leaves behind."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import jobs
from campaigns.models import JobRow, Lead, Process, VendorCall
from circuitbreakers import gate, switch
from tests.breakers import at_once, call_state, in_flight
from tests.builders import ago, make_campaign, make_job, make_process, shown
from tests.stores import away
from workers.reclaim import admission_of, reclaim

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
SERVICE = "millionverifier"


@pytest.fixture
def long_memory(in_step: None) -> None:
    """Redis has run for ten minutes and remembers all of them."""
    switch.client().hset("switch_seal", "at", ago(600).isoformat())


def claimed(worker: str = "host:1", **fields: Any) -> JobRow:
    """A job whose worker took it two minutes ago and has let its lease run out."""
    job = make_job(**fields)
    held = jobs.claim(job.pk, job.service, worker)
    assert held is not None
    JobRow.objects.filter(pk=held.pk).update(claimed_at=ago(120), lease_until=ago(5))
    held.refresh_from_db()
    return held


def admitted(**fields: Any) -> JobRow:
    held = claimed(**fields)
    gate.admit(held.service, held.call)
    return held


def after(job: JobRow) -> tuple[str, int, int, list[str]]:
    """Status, crashes, attempts and what the ledger says."""
    job.refresh_from_db()
    outcomes = VendorCall.objects.filter(job=job).order_by("fence").values_list("outcome", flat=True)
    return job.status, job.crashes, job.attempts, list(outcomes)


def test_a_job_that_was_admitted_is_booked_as_unknown_and_handed_back(long_memory: None) -> None:
    held = admitted()
    assert reclaim() == 1
    assert after(held) == ("PENDING", 1, 0, ["unknown"])
    assert (held.error, held.lease_until) == ("Worker host:1 died", None)
    call = VendorCall.objects.get()
    assert (call.error, call.fence, call.worker) == ("The answer was lost", held.fence, "host:1")
    assert in_flight(SERVICE) == 0  # its permit has ended
    assert switch.read(SERVICE).failure_count == 0
    assert reclaim() == 0


def test_a_job_that_was_never_admitted_is_handed_back_and_nothing_is_booked(long_memory: None) -> None:
    held = claimed()
    assert reclaim() == 1
    assert after(held) == ("PENDING", 0, 0, [])


def test_a_worker_that_is_alive_lost_its_answer_but_did_not_crash(long_memory: None) -> None:
    held = admitted(worker="host:7")
    make_process(name="host:7")
    assert reclaim() == 1
    assert after(held) == ("PENDING", 0, 0, ["unknown"])
    assert held.error == "Worker host:7 lost the answer"


def test_a_process_that_was_silent_since_before_the_leases_end_has_died(long_memory: None) -> None:
    held = admitted(worker="host:7")
    make_process(name="host:7", seen_at=ago(11))
    reclaim()
    assert after(held) == ("PENDING", 1, 0, ["unknown"])


def test_a_process_that_has_not_signed_since_the_leases_end_yet_is_waited_for(long_memory: None) -> None:
    held = admitted(worker="host:7")
    make_process(name="host:7", seen_at=ago(6))
    assert reclaim() == 0
    assert after(held) == ("PROCESSING", 0, 0, [])
    assert in_flight(SERVICE) == 1
    Process.objects.update(seen_at=ago(1))  # its next sign
    assert reclaim() == 1
    assert after(held) == ("PENDING", 0, 0, ["unknown"])


def test_a_later_process_of_the_same_name_is_another_one(long_memory: None) -> None:
    held = admitted(worker="host:7")
    make_process(name="host:7", started_at=ago(60))
    reclaim()
    assert after(held) == ("PENDING", 1, 0, ["unknown"])


def test_a_lease_that_lasts_is_left_alone(long_memory: None) -> None:
    held = admitted()
    JobRow.objects.update(lease_until=ago(-1))
    assert reclaim() == 0
    assert after(held) == ("PROCESSING", 0, 0, [])
    assert in_flight(SERVICE) == 1


def test_an_answer_that_came_and_was_not_saved_is_unknown_too(long_memory: None) -> None:
    held = claimed()
    gate.admit(held.service, held.call).settle("success")
    assert call_state(SERVICE, held.call) == "settled"
    assert reclaim() == 1
    assert after(held) == ("PENDING", 1, 0, ["unknown"])


def test_a_redis_that_was_flushed_knows_nothing_so_the_call_may_have_been_made() -> None:
    held = claimed()
    switch.client().flushdb()
    assert admission_of(held)
    reclaim()
    assert after(held) == ("PENDING", 1, 0, ["unknown"])


def test_a_redis_that_was_rebuilt_after_the_claim_knows_nothing_of_it() -> None:
    held = claimed()  # two minutes ago; the seal is of just now
    assert call_state(SERVICE, held.call) == "absent"
    reclaim()
    assert after(held) == ("PENDING", 1, 0, ["unknown"])


def test_redis_forgets_after_a_quarter_of_an_hour(long_memory: None) -> None:
    switch.client().hset("switch_seal", "at", ago(7200).isoformat())
    recent, old = claimed(), claimed()
    JobRow.objects.filter(pk=old.pk).update(claimed_at=ago(14 * 60 + 5))
    old.refresh_from_db()
    assert (admission_of(recent), admission_of(old)) == (None, old.claimed_at)


@pytest.mark.parametrize("since", ["the seal", "what it forgot"])
def test_a_call_from_about_when_redis_began_to_remember_may_have_been_made_for_clocks_differ(
    since: str, long_memory: None
) -> None:
    held = claimed()
    claimed_at = held.claimed_at
    assert claimed_at is not None

    def remembers(seconds_before_the_claim: float) -> None:
        at = claimed_at - timedelta(seconds=seconds_before_the_claim)
        if since == "the seal":
            switch.client().hset("switch_seal", "at", at.isoformat())
        else:
            switch.client().hset(f"circuit_gate:{SERVICE}", "forgot_at", f"{at.timestamp() * 1e6:.0f}")

    remembers(25)
    assert admission_of(held) == held.claimed_at
    remembers(35)
    assert admission_of(held) is None


def test_without_redis_nobody_knows_so_nothing_is_reclaimed(long_memory: None) -> None:
    held = admitted()
    with away("REDIS_SWITCH_URL"), pytest.raises(switch.RedisUnavailable):
        reclaim()
    assert after(held) == ("PROCESSING", 0, 0, [])


def test_three_crashes_of_the_same_job_are_poison_and_of_no_other(long_memory: None) -> None:
    campaign = make_campaign()
    held, other = make_job(campaign), admitted(campaign=campaign)
    for _ in range(3):
        JobRow.objects.filter(pk=held.pk).update(run_at=ago(1))
        again = jobs.claim(held.pk, SERVICE, "host:1")
        assert again is not None
        gate.admit(SERVICE, again.call)
        JobRow.objects.filter(pk=held.pk).update(claimed_at=ago(120), lease_until=ago(5))
        reclaim()
    assert after(held) == ("FAILED", 3, 0, ["unknown"] * 3)
    assert held.error == "Poison: Worker host:1 died"
    assert after(other) == ("PENDING", 1, 0, ["unknown"])
    assert sorted(Lead.objects.values_list("state", flat=True)) == ["FAILED", "OPEN"]


def test_a_job_of_a_paused_campaign_goes_back_and_is_paused_with_it(long_memory: None) -> None:
    held = admitted(campaign=make_campaign())
    campaign = held.campaign
    type(campaign).objects.filter(pk=campaign.pk).update(status="PAUSED", system_paused_at=timezone.now())
    reclaim()
    assert shown(held).status == "PAUSED"


def test_the_answer_that_comes_after_all_replaces_the_unknown(long_memory: None) -> None:
    held = admitted()
    reclaim()
    assert not jobs.complete(held, jobs.Done(), jobs.Call(timezone.now(), "success", credits=1))  # type: ignore[arg-type]
    assert after(held) == ("PENDING", 1, 0, ["success"])


@pytest.mark.django_db(transaction=True)
def test_two_who_reclaim_at_once_hand_each_job_back_once(long_memory: None) -> None:
    held = [admitted() for _ in range(10)]
    assert sum(at_once(reclaim, reclaim)) == 10
    for job in held:
        assert after(job) == ("PENDING", 1, 0, ["unknown"])
    assert set(VendorCall.objects.values_list("error", flat=True)) == {"The answer was lost"}


def test_the_oldest_leases_come_first_and_not_all_at_once(long_memory: None) -> None:
    held = [admitted() for _ in range(3)]
    for age, job in enumerate(held):
        JobRow.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=10 + age))
    assert reclaim(limit=2) == 2
    assert [after(job)[0] for job in held] == ["PROCESSING", "PENDING", "PENDING"]
