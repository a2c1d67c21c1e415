"""The books: balanced after a good history, and each thing that does not add up named precisely."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import recovery
from campaigns.models import Campaign, Lead, VendorCall
from campaigns.reconcile import CHECKS, reconcile
from circuitbreakers import events, pauses, switch
from circuitbreakers.models import Incident, QueuePause
from tests.breakers import ANN, reset, trip, trip_and_die
from tests.builders import ago, make_call, make_campaign, make_fleet, make_job, make_lead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def pushed_lead(campaign: Campaign) -> Lead:
    """A lead that went all the way, every call booked; its mail was written twice, the first was rejected."""
    lead = make_lead(campaign, "PUSHED", stage="push")
    for kind in ("verify", "research", "write", "push"):
        job = make_job(kind=kind, lead=lead, status="COMPLETED", fence=2)
        make_call(job)
        if kind == "write":
            make_call(job, fence=1)
    return lead


def good_history() -> Campaign:
    """A campaign in the middle of its life: pushed, remembered, late, waiting and failed leads, a trip and a resume."""
    make_fleet()
    campaign = make_campaign()
    pushed_lead(campaign)
    make_job(lead=make_lead(campaign, "DROPPED"), status="COMPLETED", without_call=True)
    late = make_job(kind="research", lead=make_lead(campaign, stage="research"), status="COMPLETED", fence=2)
    make_call(late, fence=1, error="late: ")
    make_call(late)
    make_job(kind="write", lead=late.lead)
    make_call(make_job(lead=make_lead(campaign, "FAILED"), status="FAILED", fence=1), "invalid_request")
    make_lead(campaign)  # not fed yet
    make_campaign("PAUSED", operator_paused_at=timezone.now())
    for service in ("apollo", "openai"):
        trip(service)
    for service in ("apollo", "openai"):
        reset(service)
    recovery.resume(actor=ANN)
    return campaign


def named() -> list[tuple[str, int, str]]:
    return [(finding.check, finding.count, finding.detail) for finding in reconcile()]


def test_an_empty_house_balances() -> None:
    assert reconcile() == []


def test_a_good_history_balances() -> None:
    good_history()
    assert reconcile() == []


def test_it_balances_under_the_system_pause_too() -> None:
    good_history()
    trip()
    assert reconcile() == []
    pauses.pause("openai", actor=ANN, reason="x")
    assert reconcile() == []


# --- rows that were tampered with -------------------------------------------------------------------------------------

Tamper = Callable[[Campaign], tuple[int, str]]


def completed_job_without_call(campaign: Campaign) -> tuple[int, str]:
    job = make_job(lead=make_lead(campaign, "DROPPED"), status="COMPLETED", fence=1)
    make_call(job, "timeout")
    return job.pk, "jobs are COMPLETED without a successful vendor call"


def pushed_lead_without_push(campaign: Campaign) -> tuple[int, str]:
    return make_lead(campaign, "PUSHED").pk, "leads are PUSHED without a completed push job"


def call_without_job(campaign: Campaign) -> tuple[int, str]:
    call = VendorCall.objects.create(
        service="apollo", kind="find", campaign=campaign, fence=1, admitted_at=timezone.now(), outcome="success"
    )
    return call.pk, "vendor calls belong to no job or to a claim that never was"


def call_of_a_claim_that_never_was(campaign: Campaign) -> tuple[int, str]:
    call = make_call(make_job(campaign, fence=1), "timeout", fence=2)
    return call.pk, "vendor calls belong to no job or to a claim that never was"


def pause_without_cause(campaign: Campaign) -> tuple[int, str]:
    paused = make_campaign("PAUSED", system_paused_at=ago(7 * 24 * 3600))
    return paused.pk, "campaigns are PAUSED without a pause that explains it"


def job_not_aligned_with_ended(campaign: Campaign) -> tuple[int, str]:
    ended = make_campaign("COMPLETED")
    job = make_job(ended, kind="prepare")
    return job.pk, "unfinished jobs do not agree with their campaign's status"


def dead_lease(campaign: Campaign) -> tuple[int, str]:
    job = make_job(campaign, status="PROCESSING", lease_until=ago(61))
    return job.pk, "jobs are PROCESSING under a lease that ended over a minute ago (is the supervisor running?)"


def stuck_lead(campaign: Campaign) -> tuple[int, str]:
    lead = make_lead(campaign, stage="research")
    make_call(make_job(lead=lead, status="COMPLETED", fence=1))
    return lead.pk, "leads are OPEN but no unfinished job moves them"


def lead_left_behind_by_its_campaign(campaign: Campaign) -> tuple[int, str]:
    return make_lead(make_campaign("COMPLETED")).pk, "leads are OPEN but no unfinished job moves them"


def ended_lead_with_job(campaign: Campaign) -> tuple[int, str]:
    lead = make_lead(campaign, "DROPPED")
    make_job(lead=lead)
    return lead.pk, "leads have ended but still have a job to do"


def paid_twice(campaign: Campaign) -> tuple[int, str]:
    job = make_job(kind="research", lead=make_lead(campaign, "DROPPED"), status="COMPLETED", fence=2)
    make_call(job, fence=1)
    make_call(job)
    return job.pk, "jobs have more than one successful call"


def call_after_opening(campaign: Campaign) -> tuple[int, str]:
    incident = Incident.objects.order_by("-id").first()
    assert incident is not None
    call = make_call(make_job(campaign, fence=1), "timeout", admitted_at=incident.opened_at + timedelta(microseconds=1))
    return call.pk, "vendor calls were admitted while the system pause stood"


TAMPERINGS: dict[str, tuple[str, Tamper]] = {
    "a completed job without a call": ("completed_job_without_call", completed_job_without_call),
    "a pushed lead without a push": ("pushed_lead_without_push", pushed_lead_without_push),
    "a call without a job": ("call_without_job", call_without_job),
    "a call of a claim that never was": ("call_without_job", call_of_a_claim_that_never_was),
    "a pause without a cause": ("pause_without_cause", pause_without_cause),
    "a pending job of an ended campaign": ("job_not_aligned", job_not_aligned_with_ended),
    "a dead lease": ("dead_lease", dead_lease),
    "a lead that nothing moves": ("stuck_lead", stuck_lead),
    "an open lead of an ended campaign": ("stuck_lead", lead_left_behind_by_its_campaign),
    "an ended lead with a job": ("ended_lead_with_job", ended_lead_with_job),
    "a job that was paid twice": ("paid_twice", paid_twice),
    "a call after the opening": ("call_after_opening", call_after_opening),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_it_names_what_does_not_add_up_and_nothing_else(tampering: str) -> None:
    campaign = good_history()
    check, tamper = TAMPERINGS[tampering]
    pk, text = tamper(campaign)
    assert named() == [(check, 1, f"1 {text}: {pk}")]


def test_a_lead_that_was_charged_for_twice_at_instantly_is_named_as_such() -> None:
    campaign = good_history()
    job = make_job(kind="push", lead=make_lead(campaign, "PUSHED"), status="COMPLETED", fence=2)
    make_call(job, fence=1, credits=1)
    make_call(job, credits=1)
    assert named() == [("pushed_twice", 1, f"1 push jobs were charged more than once: {job.pk}")]


def test_a_campaign_that_runs_under_the_system_pause_is_named() -> None:
    campaign = good_history()
    trip()
    Campaign.objects.filter(pk=campaign.pk).update(status="RUNNING", system_paused_at=None)
    text = f"1 campaigns are RUNNING although the system pause stands: {campaign.pk}"
    assert named() == [("running_under_system_pause", 1, text)]


def test_it_counts_them_all_and_shows_the_first_five() -> None:
    campaign = good_history()
    first = [make_lead(campaign, "PUSHED").pk for _ in range(7)][:5]
    assert named() == [
        (
            "pushed_lead_without_push",
            7,
            f"7 leads are PUSHED without a completed push job: {', '.join(map(str, first))}",
        )
    ]


# --- the two stores ---------------------------------------------------------------------------------------------------


def forget_the_pause() -> None:
    switch.client().hdel("queue_pauses", "operator:openai")


def forget_the_row() -> None:
    row = pauses.standing("operator:openai")
    assert row is not None
    pauses.end(row, actor=events.SUPERVISOR, reason="")


def close_behind_its_back() -> None:
    switch.client().hset("circuit_breaker:apollo", "state", "closed")


def open_behind_its_back() -> None:
    Incident.objects.update(reset_at=timezone.now())


def activate_by_hand() -> None:
    switch.client().hset("queue_status", "openai", "ACTIVE")


DISAGREEMENTS: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a pause that Redis forgot": (
        forget_the_pause,
        ["The pause operator:openai stands in PostgreSQL and not in Redis"],
    ),
    "a pause that PostgreSQL ended": (
        forget_the_row,
        ["The pause operator:openai stands in Redis and not in PostgreSQL"],
    ),
    "a breaker closed by hand": (
        close_behind_its_back,
        ["The apollo breaker is closed in Redis, PostgreSQL has an incident not yet reset"],
    ),
    "an incident reset by hand": (
        open_behind_its_back,
        ["The apollo breaker is open in Redis, PostgreSQL has no open incident"],
    ),
    "a breaker that is lost": (
        lambda: switch.client().delete("circuit_breaker:perplexity"),
        ["The breaker state of perplexity is missing in Redis"],
    ),
    "a queue made ACTIVE by hand": (
        activate_by_hand,
        ["The queue of openai is ACTIVE in Redis, the pauses say otherwise"],
    ),
    "a Redis that restarted": (
        lambda: switch.client().hset("switch_seal", "run_id", "another"),
        ["Redis has restarted and was not compared with PostgreSQL since"],
    ),
}


@pytest.mark.parametrize("disagreement", DISAGREEMENTS)
def test_two_stores_that_disagree_are_named(disagreement: str) -> None:
    make_campaign()
    pauses.pause("openai", actor=ANN, reason="new prompt")
    trip()
    assert reconcile() == []
    bring_about, texts = DISAGREEMENTS[disagreement]
    bring_about()
    assert named() == [("stores_disagree", 1, text) for text in texts]


def test_a_system_pause_that_only_redis_knows_is_named() -> None:
    switch.run("pause", "apollo", [QueuePause.SYSTEM, json.dumps({"cause": "apollo"})])
    details = [detail for _, _, detail in named()]
    assert details[0] == "The pause system stands in Redis and not in PostgreSQL"
    assert len(details) == 6  # and five queues are PAUSED without a pause that says so


def test_an_opening_that_is_not_on_record_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    trip_and_die(monkeypatch, "openai")
    assert ("opening_without_incident", 1, "The opening of openai has no incident") in named()


def test_without_redis_the_books_cannot_be_compared() -> None:
    from tests.stores import away

    with away("REDIS_SWITCH_URL"), pytest.raises(switch.RedisUnavailable):
        reconcile()


def test_every_check_has_a_test_that_trips_it() -> None:
    tripped = {check for check, _ in TAMPERINGS.values()}
    elsewhere = {
        "pushed_twice", "running_under_system_pause", "tallies_wrong", "failures_wrong",
        "stores_disagree", "opening_without_incident"
    }  # fmt: skip
    assert tripped | elsewhere == set(CHECKS)
